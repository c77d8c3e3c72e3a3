"""Takes away what is old: ended runs, events, dead letters, remembered answers.

What is old enough is ``core.retention``'s to say. Everything goes in small lots, each a post like
any other: the fence holds, and a step waits for one lot at most. Between two lots there is a pause.
With an archive, a run is written there, durably, before it goes; a crash in between writes it
twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from ostinato.core.retention import (
    Retention,
    before,
    events_before,
    looked_back_to,
    may_go,
    plain,
)
from ostinato.core.state import OVER
from ostinato.core.views import View
from ostinato.errors import Fenced, StoreError, Unready
from ostinato.ports import Archive, Removal
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.engine import Engine
from ostinato.runtime.exporting import Exporter
from ostinato.runtime.posts import Post
from ostinato.telemetry.logger import logger

log = logger("ostinato.janitor")

FIRST = 60_000
"""Milliseconds from the start to the first pass: what was interrupted goes first."""

EVERY = 3_600_000
"""Milliseconds between two passes."""

RUNS, ROWS, MANY = 100, 1_000, 500
"""Runs, their records, and other rows in one lot."""

PAUSE = 0.02
"""Seconds between two lots."""

Ask = Callable[[Callable[[asyncio.Future[Any]], Post]], Awaitable[Any]]


class Cleaned(View, omit_defaults=False):
    """How many went."""

    runs: int = 0
    events: int = 0
    dead_letters: int = 0
    replies: int = 0
    operations: int = 0

    def count(self, removal: Removal) -> None:
        self.runs += len(removal.runs)
        self.events += len(removal.events)
        self.dead_letters += len(removal.dead_letters)
        self.replies += len(removal.replies)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)


class Remove(Post):
    __slots__ = ("removal",)

    def __init__(self, removal: Removal, answer: asyncio.Future[None] | None) -> None:
        self.removal = removal
        self.answer = answer

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        has_run = engine.territory.has_run
        self.removal.runs = [run_id for run_id in self.removal.runs if has_run(run_id)]
        change.rows.removal = self.removal


class Janitor:
    def __init__(
        self,
        engine: Engine,
        catalog: Catalog,
        ask: Ask,
        retention: Retention,
        archive: Archive | None,
    ) -> None:
        self.engine = engine
        self.catalog = catalog
        self.retention = retention
        self._ask = ask
        self._exporter = None if archive is None else Exporter(engine.storage, catalog, archive)
        self.due_at = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._passing: asyncio.Task[None] | None = None
        self._one_pass = asyncio.Lock()

    def run_once(self, now: int) -> int:
        """Begin a pass when it is time; it goes on beside the engine's loop."""
        if not self.due_at:
            self._come_back(now, FIRST)
        if self._passing is not None or now < self.due_at:
            return 0
        self._come_back(now, EVERY)
        self._passing = asyncio.create_task(self._pass(now), name="ostinato-janitor")
        return 1

    def _come_back(self, now: int, wait: int) -> None:
        self.due_at = now + wait
        self._set_alarm(wait)

    def _set_alarm(self, wait: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(wait / 1_000, self._ring)

    def _ring(self) -> None:
        """Too early, when the clock has been set back since."""
        left = self.due_at - self.engine.clock.now()
        if left > 0:
            self._set_alarm(left)
        else:
            self.engine.wake.set()

    async def _pass(self, now: int) -> None:
        try:
            await self.clean(now)
        except Unready:
            pass
        except (StoreError, Fenced, OSError) as error:
            log.error("janitor.stopped", error=str(error), mend="it tries again in an hour")
        except Exception:
            log.exception("janitor.broken")
        finally:
            self._passing = None
            self.engine.wake.set()  # the next one may be due already

    async def clean(self, now: int) -> Cleaned:
        """One whole pass: everything that is too old by now goes."""
        done, operations = Cleaned(), set[str]()
        async with self._one_pass:
            self._warn_of_strangers()
            for lots in self._lots():
                self._look_if_stopping()
                async for removal in lots(now):
                    await self._remove(removal)
                    done.count(removal)
                    operations.update(removal.operations)  # each in several lots
                    await asyncio.sleep(PAUSE)
        done.operations = len(operations)
        if done:
            log.info("janitor.removed", **{name: getattr(done, name) for name in _COUNTS})
        return done

    def _lots(self) -> list[Callable[[int], AsyncIterator[Removal]]]:
        """Runs go where they are told everything else; what is nobody's, at the hub."""
        if not self.engine.territory.hub:
            return [self._runs]
        others = [self._events, self._letters, self._replies, self._operations, self._rest]
        return [self._runs, *others]

    def _look_if_stopping(self) -> None:
        """Whoever asked for a pass is told soon, however slowly the store answers."""
        if self.engine.stopping:
            raise Unready("the engine is stopping; what is old goes when it is started again")

    async def _remove(self, removal: Removal) -> None:
        await self._ask(lambda answer: Remove(removal, answer))

    def _warn_of_strangers(self) -> None:
        known = {plain(workflow) for workflow in self.catalog.workflows()}
        for name in self.retention.workflows.keys() - known:
            log.warning("retention.unknown_workflow", workflow=name)

    async def _runs(self, now: int) -> AsyncIterator[Removal]:
        for workflow in list(self.catalog.workflows()):
            for status in OVER:
                self._look_if_stopping()
                old = before(self.retention.of_run(workflow, status), now)
                if old is not None:
                    async for removal in self._runs_of(workflow, status, old):
                        yield removal

    async def _runs_of(self, workflow: str, status: str, old: int) -> AsyncIterator[Removal]:
        """Some of them may become another process's meanwhile."""
        storage, territory = self.engine.storage, self.engine.territory
        while runs := await storage.over_runs(workflow, status, old, RUNS, territory.owned):
            if self._exporter is not None:
                await self._exporter.export(runs)
            yield Removal(runs=runs, rows=ROWS, ended_before=old)

    async def _rest(self, now: int) -> AsyncIterator[Removal]:
        """Records of runs that are gone, and values that nobody uses any more."""
        while await self.engine.storage.unswept():
            yield Removal(rows=ROWS)

    async def _events(self, now: int) -> AsyncIterator[Removal]:
        old, place = events_before(self.retention, now), 0
        if old is None:
            return
        oldest_open = await self.engine.storage.oldest_open()
        while lot := await self.engine.storage.aged_events(place, MANY):
            place = lot[-1].place
            if all(event.received_at >= old for event in lot):
                return
            back = {
                type: looked_back_to(self.catalog.waiters(type), oldest_open)
                for type in {event.type for event in lot}
            }
            going = [
                (event.source, event.id)
                for event in lot
                if may_go(event.received_at, event.keyed, old, back[event.type])
            ]
            if going:
                yield Removal(events=going)

    async def _letters(self, now: int) -> AsyncIterator[Removal]:
        old = before(self.retention.dead_letters, now)
        while old is not None and (ids := await self.engine.storage.aged_letters(old, MANY)):
            yield Removal(dead_letters=ids)

    async def _replies(self, now: int) -> AsyncIterator[Removal]:
        while replies := await self.engine.storage.expired_replies(now, MANY):
            yield Removal(at=now, replies=replies)

    async def _operations(self, now: int) -> AsyncIterator[Removal]:
        """Each in several lots, when it is about many runs."""
        old = before(self.retention.operations, now)
        while ids := await self.engine.storage.aged_operations(now, old, 1):
            yield Removal(operations=ids, rows=ROWS)

    async def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._passing is not None:
            self._passing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._passing


_COUNTS = Cleaned.__struct_fields__
