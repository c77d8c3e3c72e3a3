"""The verbs about schedules: list, pause, resume, fire, back-fill."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from ostinato.app.doing import Doing
from ostinato.app.hub import at_hub
from ostinato.core.schedules import (
    Plan,
    Schedule,
    event_of,
    paused,
    resumed,
    upcoming,
)
from ostinato.core.triggers import Trigger
from ostinato.core.views import View
from ostinato.definitions.reader import nearest
from ostinato.errors import ConflictError, NotFoundError, Unloadable, UsageError
from ostinato.runtime.bounds import check_text
from ostinato.runtime.inbox import Accepted
from ostinato.runtime.planning import Alter, Rule, planned
from ostinato.runtime.schedules import FireNow, Planned, by_hand
from ostinato.telemetry.logger import logger

MOST = 10_000
"""Instants of one back-fill: more is mostly a mistake in a date."""

LOT = 100


class ScheduleView(View, omit_defaults=False):
    """``status``: active, paused, waiting (for the end of run ``waits_for``), over (nothing comes
    any more) or unreadable (its document is). ``missed_for`` is the newest instant without a start.
    """

    id: str
    workflow: str
    says: str
    status: str
    overlap: str | None
    catch_up: str | None
    jitter: int | None
    next_for: int | None
    due_at: int | None
    waits_for: str | None
    last_for: int | None
    last_at: int | None
    last_run: str | None
    missed_for: int | None
    paused_at: int | None
    paused_by: str | None
    paused_why: str | None
    upcoming: list[int] | UnsetType = UNSET


class Backfilled(View, omit_defaults=False):
    """``planned`` are the instants that start, or would; ``known`` had been taken before."""

    schedule: str
    dry_run: bool
    planned: list[int]
    known: int
    runs: list[str]
    dead_letters: int


log = logger("ostinato.schedules")


class Scheduling(Doing):
    async def schedules(self) -> list[ScheduleView]:
        """Every schedule of the newest versions, by id."""
        return [self._shown(row) for row in await self.storage.schedules()]

    async def schedule(self, name: str, upcoming: int = 0) -> ScheduleView:
        """By id, as ``WORKFLOW/on/NAME``, ``WORKFLOW/NAME``, or by the workflow of which it is
        the only one; with so many instants that come next.
        """
        return self._shown(await self._find_schedule(name), upcoming)

    async def pause_schedule(self, name: str, *, by: str = "", why: str = "") -> ScheduleView:
        """Nothing starts until it is resumed; what comes due meanwhile never does."""
        check_text("why", why)
        return self._altered(name, await self._pause(name, by, why))

    @at_hub
    async def _pause(self, name: str, by: str, why: str) -> list[Schedule]:
        return await self._alter(name, lambda plan, row, now: paused(row, by, why, now))

    async def resume_schedule(self, name: str, *, by: str = "", why: str = "") -> ScheduleView:
        """From now on. With the pause its reason goes; the log keeps this one."""
        check_text("why", why)
        shown = self._altered(name, await self._resume(name))
        log.info("schedule.resumed", schedule=shown.id, by=by, why=why)
        return shown

    @at_hub
    async def _resume(self, name: str) -> list[Schedule]:
        self._plan_of(await self._find_schedule(name))
        return await self._alter(name, planned(resumed))

    async def _alter(self, name: str, rule: Rule) -> list[Schedule]:
        row, role = await self._find_schedule(name), self.service.schedules
        rows: list[Schedule] = await self._ask_once(
            lambda answer: Alter(role, [row.id], rule, answer)
        )
        return rows

    def _altered(self, name: str, rows: list[Schedule]) -> ScheduleView:
        if not rows:
            raise NotFoundError(f"there is no schedule {name!r} any more")
        return self._shown(rows[0])

    async def fire_schedule(
        self, name: str, *, by: str = "", why: str = "", wait: bool = True
    ) -> Accepted:
        """A run now, whatever a pause and the last run say; its event keeps who and why."""
        check_text("why", why)
        [accepted] = await self._fire(name, by, why, wait)
        return accepted

    @at_hub
    async def _fire(self, name: str, by: str, why: str, wait: bool) -> list[Accepted]:
        found = self._plan_of(await self._find_schedule(name))
        await self._room(wait)
        role = self.service.schedules
        accepted: list[Accepted] = await self._ask_once(
            lambda answer: FireNow(role, found, by, why, answer)
        )
        return accepted

    @at_hub
    async def backfill_schedule(
        self, name: str, since: int, until: int | None = None, *, by: str = "",
        dry_run: bool = False, wait: bool = True,
    ) -> Backfilled:  # fmt: skip
        """Start the planned instants from ``since`` to ``until`` (ms, both included; until now
        without) that have not started. Safe to repeat.
        """
        row = await self._find_schedule(name)
        trigger, plan = self._plan_of(row)
        instants = self._past(plan, since, until)
        events = [by_hand(event_of(row.id, instant), by) for instant in instants]
        known = await self.storage.known_events([(one.source, one.id) for one in events])
        new = [one for one in events if (one.source, one.id) not in known]
        made = Backfilled(
            schedule=row.id, dry_run=dry_run, planned=[one.time for one in new],
            known=len(known), runs=[], dead_letters=0,
        )  # fmt: skip
        for first in range(0, 0 if dry_run else len(new), LOT):
            await self._room(wait)
            await self._start_past(trigger, new[first : first + LOT], made)
        return made

    async def _start_past(self, trigger: Trigger, events: list[Any], made: Backfilled) -> None:
        role = self.service.schedules
        answers = await self.service.ask(lambda answer: Planned(role, trigger, events, answer))
        for one in answers:
            made.runs += one.runs
            made.dead_letters += 0 if one.dead_letters is UNSET else len(one.dead_letters)

    def _past(self, plan: Plan, since: int, until: int | None) -> list[int]:
        now = self.now()
        end = now if until is None else until
        if end > now:
            raise UsageError("a back-fill ends in the past: what is to come starts by itself")
        if since > end:
            raise UsageError("a back-fill begins before it ends")
        found = upcoming(plan, since - 1, end, MOST + 1)
        if len(found) > MOST:
            raise UsageError(f"more than {MOST:,} instants in one back-fill; take a shorter span")
        return found

    def _plan_of(self, row: Schedule) -> tuple[Trigger, Plan]:
        found = self._catalog.scheduled(row.id)
        if found is None:
            raise Unloadable(f"the document of {row.workflow!r} cannot be read: deploy another")
        return found

    async def _find_schedule(self, name: str) -> Schedule:
        rows = await self.storage.schedules()
        plain = name.replace("-", "_")
        for wanted in (plain, plain.replace("/", "/on/", 1)):
            found = [row for row in rows if row.id.replace("-", "_") == wanted]
            if found:
                return found[0]
        found = [row for row in rows if row.workflow.replace("-", "_") == plain]
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(row.id for row in found)
            raise ConflictError(f"{name!r} has several schedules, say which: {several}")
        hint = nearest(name, [row.id for row in rows]).replace("`", "'")
        raise NotFoundError(f"there is no schedule {name[:200]!r}" + (hint and f": {hint}"))

    def _shown(self, row: Schedule, count: int = 0) -> ScheduleView:
        found = self._catalog.scheduled(row.id)
        plan = None if found is None else found[1]
        view = ScheduleView(
            id=row.id, workflow=row.workflow, says=row.says, status=_status(row, plan),
            overlap=None if plan is None else plan.overlap,
            catch_up=None if plan is None else plan.catch_up,
            jitter=None if plan is None else plan.jitter, next_for=row.next_for, due_at=row.due_at,
            waits_for=row.waits_for, last_for=row.last_for, last_at=row.last_at,
            last_run=row.last_run, missed_for=row.missed_for, paused_at=row.paused_at,
            paused_by=row.paused_by or None, paused_why=row.paused_why or None,
        )  # fmt: skip
        if count and plan is not None:
            begin = self.now() if row.next_for is None else min(self.now(), row.next_for - 1)
            view.upcoming = upcoming(plan, begin, None, count)
        return view


def _status(row: Schedule, plan: Plan | None) -> str:
    if plan is None:
        return "unreadable"
    if row.paused_at is not None:
        return "paused"
    if row.waits_for is not None:
        return "waiting"
    return "over" if row.next_for is None else "active"
