"""Planned instants that are due become events. The store holds the schedules; here is only when
the next one is due, and which of them wait for the end of a run.

An event is taken as any other is: stored, found to be a duplicate, its run started, and with it
the schedule's next instant is stored. A crash between two of these does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from math import inf

from msgspec import UNSET
from msgspec.structs import replace

from ostinato.core.cloudevents import Event
from ostinato.core.schedules import Plan, Schedule, brought_back, event_of, turn
from ostinato.core.triggers import Found, Trigger, met
from ostinato.errors import NotFoundError, Unloadable
from ostinato.ports import StoredEvent
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.distant import Distant
from ostinato.runtime.engine import Engine
from ostinato.runtime.inbox import Accept, Accepted
from ostinato.runtime.planning import Alter, Refresh, Unblock, claim, is_open, planned
from ostinato.runtime.posts import Pair
from ostinato.runtime.starts import Starter
from ostinato.telemetry.logger import logger

log = logger("ostinato.schedules")

AGAIN = 1_000
"""Milliseconds after which a schedule that is due and could not fire is looked at again."""

STEP = 1_000
"""Milliseconds that a clock may be set back without the schedules being looked at."""

MANY = 500

SAFETY = 15_000
"""Milliseconds after which one looks whether a run of another process has ended."""


class Planned(Accept):
    """Events of planned instants: they start their own trigger, whoever else listens."""

    __slots__ = ("trigger",)

    def __init__(
        self,
        role: Schedules,
        trigger: Trigger,
        events: Sequence[Event],
        answer: asyncio.Future[list[Accepted]] | None,
    ) -> None:
        super().__init__(role.starter, role.catalog, events, answer)
        self.trigger = trigger

    def match(self, event: Event) -> Found:
        return met(self.catalog, self.trigger, event)

    def _look_for_home(self) -> None:
        """What it is planned for is known here alone: a run elsewhere begins by a letter."""

    def own_run(self, answers: Sequence[Accepted]) -> str | None:
        """The run that the trigger started last."""
        for one in reversed(answers):
            dead = () if one.dead_letters is UNSET else one.dead_letters
            buried = any(letter["trigger"] == self.trigger.name for letter in dead)
            if one.runs and not one.duplicate and not buried:
                return one.runs[0]
        return None


class Fire(Planned):
    """One schedule's turn. While it is on its way, the schedule is not read again."""

    __slots__ = ("after", "plan", "role", "row")

    def __init__(
        self,
        role: Schedules,
        found: tuple[Trigger, Plan],
        answer: asyncio.Future[list[Accepted]] | None = None,
    ) -> None:
        super().__init__(role, found[0], (), answer)
        self.role = role
        self.plan = found[1]
        self.row: Schedule | None = None
        self.after: Schedule | None = None

    async def ready(self, engine: Engine) -> None:
        """As it is stored now: it may have been paused, moved, fired or deployed anew meanwhile."""
        self.events, self.row = (), None
        known = self.role.catalog.scheduled(self.trigger.name)
        self.trigger, self.plan = known or (self.trigger, self.plan)
        for row in await engine.storage.schedules([self.trigger.name]):
            if row.says != self.plan.says:
                self.differs(row)
                continue
            self.row = row
            starts, self.after = await self.turn(engine, row)
            self.events = [event_of(row.id, planned) for planned in starts]
        await super().ready(engine)

    def differs(self, row: Schedule) -> None:
        """It says something else in the store than is known here: it is due again soon."""

    async def known_events(self, engine: Engine) -> dict[Pair, StoredEvent]:
        """Its events are made just now: whoever looked for those of the tick did not know them."""
        return await engine.storage.known_events(self.pairs)

    async def turn(self, engine: Engine, row: Schedule) -> tuple[Sequence[int], Schedule]:
        busy = self.plan.overlap != "allow" and await is_open(engine, row.last_run)
        return turn(self.plan, row, engine.clock.now(), busy)

    def apply(self, engine: Engine, change: Change, now: int) -> list[Accepted]:
        row, after = self.row, self.after
        if row is None or after is None or (after == row and not self.events):
            return []
        claim(engine, change, row.id)
        answers = super().apply(engine, change, now)
        self.after = replace(after, last_run=self.own_run(answers) or after.last_run)
        change.rows.schedules.append(self.after)
        return answers

    def done(self, result: list[Accepted]) -> None:
        super().done(result)
        if self.row is None:  # it says something else in the store: until that is known here
            self.role.stumbled(self.trigger.name)
            return
        self.role.arrived(self.trigger.name)
        if self.after is not None:
            self.role.planned([self.after])

    def failed(self, error: BaseException) -> None:
        super().failed(error)
        self.role.stumbled(self.trigger.name)


class FireNow(Fire):
    """A run now, whatever the plan, a pause and an open run say."""

    __slots__ = ("by", "why")

    def __init__(
        self,
        role: Schedules,
        found: tuple[Trigger, Plan],
        by: str,
        why: str,
        answer: asyncio.Future[list[Accepted]],
    ) -> None:
        super().__init__(role, found, answer)
        self.by = by
        self.why = why

    async def ready(self, engine: Engine) -> None:
        await super().ready(engine)
        if self.row is None:
            raise NotFoundError(f"there is no schedule {self.trigger.name!r}")
        now = engine.clock.now()
        event = event_of(self.row.id, now)
        mark = engine.identity.event_id(now)  # it stands in for no planned instant
        self.events = [by_hand(replace(event, id=f"{event.id}/{mark}"), self.by, self.why)]
        self.after = replace(self.row, last_for=now, last_at=now)
        await Planned.ready(self, engine)

    async def turn(self, engine: Engine, row: Schedule) -> tuple[Sequence[int], Schedule]:
        return (), row

    def differs(self, row: Schedule) -> None:
        """Raises ``Unloadable``: then what was deployed is learnt."""
        raise Unloadable(f"the document of {row.workflow!r} was deployed anew just now; ask again")


class Schedules:
    """``has_room`` says whether more runs may start now; what is due can wait."""

    def __init__(self, engine: Engine, catalog: Catalog, starter: Starter) -> None:
        self.engine = engine
        self.catalog = catalog
        self.starter = starter
        self.has_room: Callable[[], bool] = lambda: True
        self.alarm = Alarm(engine.clock, engine.wake)
        self.distant: Distant | None = None
        self._on_their_way: set[str] = set()
        self._waiting: dict[str, set[str]] = {}
        self._far: dict[str, Callable[[], None]] = {}

    async def refresh(self) -> None:
        """At the start: what the documents say, and what ended while nobody looked."""
        self.alarm.set(await self.engine.storage.next_schedule())
        self.engine.post(Refresh(self))

    async def run_once(self, now: int) -> int:
        if not self.alarm.is_due(now):
            return 0
        if not self.engine.territory.hub:  # whoever leads looks after them
            self.alarm.set(None)
            return 0
        if not self.has_room():
            self.alarm.set(now + AGAIN)
            return 0
        storage = self.engine.storage
        due = await storage.due_schedules(now, MANY + len(self._on_their_way))
        new = [row.id for row in due if row.id not in self._on_their_way]
        if new:
            self._fire(new)
        elif not due:
            self.alarm.set(await storage.next_schedule())
            self._look_afar(now)
        else:  # one that cannot fire must not hide those that are due after it
            self.alarm.set(now + AGAIN)
        return len(new)

    def clock_went_back(self, milliseconds: int) -> None:
        """What was planned by a clock that ran ahead may be years away."""
        if not self.engine.territory.hub:
            return
        if milliseconds > STEP and self.alarm.due_at < inf:
            log.warning("clock.went_back", ms=milliseconds)
            self.engine.post(Alter(self, None, planned(brought_back)))

    def _fire(self, ids: Iterable[str]) -> None:
        parked = []
        for schedule_id in ids:
            found = self.catalog.scheduled(schedule_id)
            if found is None:
                parked.append(schedule_id)
                continue
            self._on_their_way.add(schedule_id)
            self.engine.post(Fire(self, found))
        if parked:  # until a document says what they are: each start looks
            log.error("schedule.unreadable", schedules=parked)
            self.engine.post(Alter(self, parked, park))

    # what its posts tell

    def arrived(self, schedule_id: str) -> None:
        self._on_their_way.discard(schedule_id)

    def stumbled(self, schedule_id: str) -> None:
        self._on_their_way.discard(schedule_id)
        self.alarm.set(self.engine.clock.now() + AGAIN)

    def planned(self, rows: Iterable[Schedule]) -> None:
        """These are stored: wake up for them, or when the run that they wait for ends."""
        waiting = []
        for row in rows:
            if row.due_at is not None:
                self.alarm.expect(row.due_at)
            elif row.waits_for is not None:
                self._waiting.setdefault(row.waits_for, set()).add(row.id)
                self._watch(row.waits_for)
                waiting.append(row.id)
        if waiting:  # it may have ended before we began to listen
            self.engine.post(Unblock(self, waiting))

    def _watch(self, run_id: str) -> None:
        """A run of another process: whether it has ended is looked at when that one hints at it,
        and once in a while."""
        if self.distant is None or self.engine.territory.has_run(run_id) or run_id in self._far:
            return
        self._far[run_id] = lambda: self._look_at(run_id)
        self.distant.watch(run_id, self._far[run_id])
        self.alarm.expect(self.engine.clock.now() + SAFETY)

    def moved(self) -> None:
        """Other runs are here than before."""
        for run_id in list(self._waiting):
            self._watch(run_id)
            self._look_at(run_id)

    def _look_at(self, run_id: str) -> None:
        if ids := self._waiting.get(run_id):
            self.engine.post(Unblock(self, sorted(ids)))

    def _look_afar(self, now: int) -> None:
        for run_id, then in list(self._far.items()):
            if self.distant is not None:
                self.distant.forget(run_id, then)
            if run_id not in self._waiting or self.distant is None:
                del self._far[run_id]
            else:
                self.distant.watch(run_id, then)
                then()
        if self._far:
            self.alarm.expect(now + SAFETY)

    def unblocked(self, run_ids: Iterable[str]) -> None:
        """These have ended."""
        for run_id in run_ids:
            self._waiting.pop(run_id, None)

    def run_ended(self, run_id: str) -> None:
        if (ids := self._waiting.pop(run_id, None)) is not None:
            self.engine.post(Unblock(self, sorted(ids)))

    def close(self) -> None:
        self.alarm.close()


def by_hand(event: Event, by: str, why: str = "") -> Event:
    """It keeps whose hand it was, and why."""
    told = {name: text for name, text in (("by", by), ("why", why)) if text}
    return replace(event, extensions=told) if told else event


def park(plan: Plan | None, row: Schedule, now: int) -> Schedule:
    return replace(row, due_at=None) if plan is None else row
