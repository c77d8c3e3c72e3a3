"""The lifecycle, and the one loop that turns the roles.

Each role has ``run_once(now)``, which says how much it did. The loop runs while any of them did
something, then sleeps until it is woken: by a post, a timer that is due, or something to send.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ostinato.core import events as e
from ostinato.core.retention import Retention
from ostinato.errors import Fenced, OstinatoError, StoreError
from ostinato.ports import Archive, Bus, Clock, DeadLetter, Partitions, Storage, Taken
from ostinato.runtime import letters
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.attempt import Key
from ostinato.runtime.calls import Calls
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Told
from ostinato.runtime.distant import Distant
from ostinato.runtime.engine import Engine
from ostinato.runtime.errands import Errands
from ostinato.runtime.executor import Executor
from ostinato.runtime.garbage import slow_down
from ostinato.runtime.handlers import Handlers
from ostinato.runtime.headroom import Headroom
from ostinato.runtime.identity import Identity
from ostinato.runtime.janitor import Janitor
from ostinato.runtime.jobs import Jobs
from ostinato.runtime.lease import Lease
from ostinato.runtime.limiter import Limiter
from ostinato.runtime.limits import Limits
from ostinato.runtime.mailroom import Mailroom
from ostinato.runtime.meeting import Meeting
from ostinato.runtime.moves import Moves
from ostinato.runtime.news import News
from ostinato.runtime.operations import Operations
from ostinato.runtime.outbox import Outbox
from ostinato.runtime.posts import LOST, Post, Tell
from ostinato.runtime.processes import Pool
from ostinato.runtime.schedules import Schedules
from ostinato.runtime.starts import Starter
from ostinato.runtime.territory import Territory
from ostinato.runtime.timers import Timers
from ostinato.runtime.wires import wire
from ostinato.runtime.workers import Workers
from ostinato.telemetry.lag import LoopLag
from ostinato.telemetry.logger import logger

log = logger("ostinato.service")

PAUSE = 1.0
"""Seconds before the roles turn again after one of them failed."""

SETTLE = 5.0
"""Seconds that a stop gives the store to take what was said until then."""


class Timed(Protocol):
    """A role that waits for an instant."""

    alarm: Alarm

    async def run_once(self, now: int) -> int: ...


class Service:
    """Everything that runs in one process, wired."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        handlers: Handlers,
        bus: Bus,
        clock: Clock,
        identity: Identity | None = None,
        limits: Limits | None = None,
        retention: Retention | None = None,
        archive: Archive | None = None,
        lease: Lease | None = None,
        version: str = "",
        pool: Pool | None = None,
        *,
        buses: Mapping[str, Bus] | None = None,
        news: News | None = None,
        owned: Partitions | None = None,
        watch_loop: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.storage = storage
        self.catalog = catalog
        members = storage.members
        self.member = "" if members is None else members.id
        territory = Territory(owned)
        self.engine = Engine(
            storage, catalog.graph, clock, identity or Identity(), self.limits.inline, territory
        )
        self._talk(News(members) if news is None else news)
        self.moves = Moves(self)
        self.executor = self._executor(handlers, pool)
        self.executor.lease = lease
        self.headroom = Headroom(
            self.engine, self.executor, self.limits.ready, lambda: self.engine.stopping
        )
        self.timers = Timers(self.engine)
        self.outbox = Outbox(self.engine, bus, buses)
        self.meeting = Meeting(self.engine)
        self.starter = Starter(self.engine)
        self.limiter = Limiter(self.engine, self.room)
        self.operations = Operations(self.engine)
        self.calls = Calls(self.engine, catalog, self.starter, self.room)
        self.schedules = Schedules(self.engine, catalog, self.starter)
        here = handlers.names().__contains__
        self.jobs = Jobs(self.engine, self.ask, here, Workers(clock, version))
        self.janitor = Janitor(self.engine, catalog, self.ask, retention or Retention(), archive)
        self.lag = LoopLag(lambda: self.executor.running) if watch_loop else None
        self._stand_still()
        self._pace_back: Callable[[], None] = lambda: None
        wire(self)

    def _talk(self, news: News) -> None:
        """With runs and processes elsewhere."""
        self.news = news
        self.room = Mailroom(self.engine, news)
        self.errands = Errands(self.engine, self.room, news, self.member)
        self.distant = Distant(self.engine, news)

    def _stand_still(self) -> None:
        """Nothing turns yet."""
        self.dead_letters: Counter[str] = Counter()  # since this process began
        self.ready = False
        self._task: asyncio.Task[None] | None = None
        self._storing = asyncio.Lock()
        self._idle = asyncio.Event()
        self._moment = 0
        self._timed: tuple[Timed, ...] = (
            self.timers, self.schedules, self.operations, self.jobs, self.room, self.errands,
        )  # fmt: skip

    def _executor(self, handlers: Handlers, pool: Pool | None) -> Executor:
        limits = self.limits
        return Executor(
            handlers,
            self._report,
            slots=limits.slots,
            threads=limits.threads,
            processes=limits.processes,
            pool=pool,
            result=limits.result,
            secrets=limits.secrets,
        )

    def _look_around(self) -> None:
        """Hints of others may have been lost."""
        self.outbox.expect()
        self.jobs.offers.look_again()

    def _look_everywhere(self, about: str) -> None:
        """Some were lost, probably."""
        self.room.look()
        self.errands.look()
        self.distant.look()
        self._look_around()
        self.news.heard(["deployed"])
        self.engine.wake.set()

    def _run_ended(self, run_id: str) -> None:
        self.schedules.run_ended(run_id)
        self.calls.run_ended(run_id)

    def _count_letter(self, letter: DeadLetter) -> None:
        self.dead_letters[letter.kind] += 1
        letters.told(letter)

    def _report(self, run_id: str, event: e.Event) -> None:
        self.engine.post(Tell(run_id, event))

    async def _store_start(self, attempt: Key) -> bool:
        run_id, key, number = attempt
        event = e.Started(key, number)
        while not self.engine.stopping:
            try:
                told = await self.engine.ask(lambda answer: Tell(run_id, event, answer))
            except Exception as error:
                if not _store_fails(error):  # it is stopping, or the run cannot be loaded
                    return False
                await asyncio.sleep(PAUSE)
            else:
                step = told.resident.state.steps.get(key) if isinstance(told, Told) else None
                return step is not None and (step.attempt, step.status) == (number, "running")
        return False

    async def ask(self, make: Callable[[asyncio.Future[Any]], Post]) -> Any:
        """Post, and wait until it is stored; before the start this call turns the engine itself."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.engine.post(make(answer))
        if self._task is None:
            await self._store(answer)
        return await answer

    async def _store(self, answer: asyncio.Future[Any]) -> None:
        async with self._storing:
            await self._own()
            while self._task is None and not answer.done():
                if not await self.engine.run_once():
                    return  # another process has it: its answer is heard after the start

    async def _own(self) -> None:
        """Once, before anything is stored: an epoch, and who has a place or waits for one."""
        if not self.engine.epoch:
            epoch = await self.storage.join()
            await self.limiter.refresh()
            self.engine.epoch = epoch

    @property
    def unready(self) -> str:
        """Why no start is taken now; empty when they are."""
        if not self.ready:
            return "stopping"
        if self.engine.backoff:
            return "the store fails"
        return "" if self.headroom.is_left() else "full"

    # living

    async def start(self, taken: Taken | None = None) -> None:
        """Take over what was left, then begin to turn. Until then no job starts here. ``taken`` are
        the partitions that are this process's, of a store that others share.

        What is asked meanwhile is stored before, or waits: nobody else turns the engine by then.
        """
        self.engine.outlets.dispatch = self.executor.dispatch
        async with self._storing:
            if self._task is not None:  # who stood by has taken the store meanwhile
                return
            await self._own()
            await (self.moves.settle_all() if taken is None else self.moves.settle(taken))
            self._pace_back = slow_down()
            self._task = asyncio.create_task(self._turn(), name="ostinato-service")
        self.ready = True

    async def lead(self) -> None:
        """What concerns all runs is looked after here from now on."""
        await self.engine.learn()  # whoever led before has deployed, perhaps, and told nobody
        await self.schedules.refresh()
        await self.operations.refresh()

    async def run_once(self, now: int | None = None) -> int:
        """Every role once that has something to do: a role that only waits costs a look.

        Returns how much was done; "drained" is when that is 0.
        """
        moment = self.engine.clock.now() if now is None else now
        done = await self.engine.run_once(now)
        if self.moves:
            done += await self.moves.run_once()
        if moment < self._moment:
            self.schedules.clock_went_back(self._moment - moment)
        self._moment = moment
        if self.meeting.events or self.meeting.waits:
            done += await self.meeting.run_once(moment)
        for role in self._timed:
            if moment >= role.alarm.due_at:
                done += await role.run_once(moment)
        if self.limiter.stale:
            await self.limiter.refresh()
        if self.limiter.changed or moment >= self.limiter.alarm.due_at:
            done += self.limiter.run_once(moment)
        if self.outbox.waiting:
            done += await self.outbox.run_once(moment)
        if moment >= self.janitor.due_at:
            done += self.janitor.run_once(moment)
        return done

    async def _turn(self) -> None:
        wake = self.engine.wake
        while True:
            try:
                done = await self.run_once()
            except (StoreError, Fenced) as error:
                log.error("store.failed", error=str(error))
                await asyncio.sleep(PAUSE)
                continue
            except Exception:
                log.exception("loop.broken")  # ours to mend; meanwhile the others go on
                await asyncio.sleep(PAUSE)
                continue
            self.headroom.look()
            if self.engine.backoff:
                await asyncio.sleep(self.engine.backoff)
            elif done:
                if self.lag is not None:
                    self.lag.look()
                await asyncio.sleep(0)  # what was dispatched, and whoever waits, go first
            else:
                if not self._idle.is_set() and not self._busy:
                    self._idle.set()
                await wake.wait()
                wake.clear()

    @property
    def _busy(self) -> bool:
        """Something is on its way that wakes the loop when it is done."""
        return bool(self.executor.running or len(self.executor) or self.outbox.busy)

    async def rest(self) -> None:
        """Until nothing is left to do now: what waits for an instant, or for somebody, may."""
        self._idle.clear()
        self.engine.wake.set()
        await self._idle.wait()

    async def stop(self, drain: float | None = None) -> None:
        """Let running jobs end (``drain`` seconds), store what they say, hand the rest over."""
        self.ready, self.engine.stopping = False, True
        self.headroom.let_go()
        self.jobs.offers.let_go()
        try:
            await self.executor.drain(self.limits.drain if drain is None else drain)
        finally:  # also when whoever stops us will not wait any longer
            await self._hand_over()

    async def _hand_over(self) -> None:
        await self.outbox.rest(SETTLE)
        self.engine.deaf = True
        cut_off = self.executor.cut_off()
        await self.executor.close()
        for run_id, key, attempt in cut_off:  # what it said by now stands before this
            self._report(run_id, e.HandedOver(key, attempt))
        if self._task is not None:
            await self._settle()
        await self._end()

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.news.hearers.clear()  # what is said from now on would wind up what is closed below
        await self.outbox.close()
        await self.janitor.close()
        for part in (
            self.timers, self.limiter, self.schedules, self.jobs, self.operations, self.room,
            self.errands, self.moves,
        ):  # fmt: skip
            part.close()
        self.distant.look()
        self.engine.close()
        if self.lag is not None:
            self.lag.close()
        self._pace_back()

    async def abandon(self) -> None:
        """Everything here is another process's by now: nothing more is stored, and who waits is
        told."""
        self.ready = False
        self.engine.stopping, self.engine.deaf, self.engine.unstored = True, True, LOST
        self.headroom.let_go()
        try:
            await self.executor.close()
        finally:  # also when a stop comes while a handler will not end
            await self._end()

    async def _settle(self) -> None:
        """Wait until what has been posted is stored, unless the store fails."""
        self.engine.wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.engine.drained.wait(), SETTLE)


def _store_fails(error: Exception) -> bool:
    """The store fails, or breaks its word by an error that is none of ours."""
    return isinstance(error, StoreError | Fenced) or not isinstance(error, OstinatoError)
