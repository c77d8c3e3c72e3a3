"""The verbs that read: runs, their histories and streams, events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, NamedTuple

from ostinato.app.hub import AtHub
from ostinato.app.pages import LOT, heavy_page, place_of, seq_of, weight_of_event, weight_of_fact
from ostinato.core.codec import decode_facts
from ostinato.core.outline import outline
from ostinato.core.run_ids import partition_of
from ostinato.core.state import RUN_STATUSES, WAITING_FOR, State
from ostinato.core.views import RunView, history_view, run_view
from ostinato.errors import ConflictError, NotFoundError, UsageError
from ostinato.ports import EventQuery, Head, Page, Record, RunQuery, StoredEvent
from ostinato.runtime.afar import MOVED
from ostinato.runtime.engine import Engine
from ostinato.runtime.resident import Abroad, load_state
from ostinato.runtime.watching import until_end


class CallbackView(NamedTuple):
    """A job that somebody outside ends, or has ended, by its token. ``since`` is when it began."""

    key: str
    token: str
    since: int
    status: str
    open: bool


class Reading(AtHub):
    async def _state(self, run_id: str, message: str = "") -> State:
        """As it is stored: a run in memory may be ahead of that for the time of a commit."""
        if (service := self._service) is not None:  # it may be gone by the next line
            await service.engine.rest()
            resident = service.engine.residents.get(run_id)
            if resident is not None:
                return resident.state
        try:
            return await load_state(self.storage, self._catalog.graph, run_id)
        except NotFoundError as error:
            there = await self._pointed(run_id)
            if there is None:
                raise NotFoundError(message or error.message) from None
        return await self._state(there, message)

    async def _pointed(self, run_id: str) -> str | None:
        """The run that stands for one that was promised, and did not begin."""
        found = await self.storage.reply(MOVED, run_id, self.now())
        if found is None:
            return None
        kind, _, letter = found.answer.decode().partition(" ")
        if letter:
            said = f"run {run_id} could not begin: dead letter {letter} says why"
            raise NotFoundError(said)
        return kind

    async def find_run(self, name: str) -> Head:
        """By id, unique prefix, uid (the newest), or ``last``."""
        if name == "last":
            found = await self.storage.runs(RunQuery(), Page(1))
        elif (head := await self.storage.head(name)) is not None:
            return head
        elif (there := await self._pointed(name)) is not None:
            return await self.find_run(there)
        else:
            found = await self.storage.runs(RunQuery(uid=name), Page(1))
            found = found or await self._by_prefix(name)
        if not found:
            raise NotFoundError(f"there is no run {name!r}: give its id, a prefix of it or its uid")
        return found[0]

    async def _by_prefix(self, prefix: str) -> list[Head]:
        found = await self.storage.runs(RunQuery(id_prefix=prefix), Page(2))
        if len(found) > 1:
            raise ConflictError(f"more than one run begins with {prefix!r}: give more of its id")
        return found

    async def run_view(self, run_id: str) -> RunView:
        return self._with_workers(run_view(await self._state(run_id)))

    async def callbacks(self, run_id: str) -> list[CallbackView]:
        """The jobs of a run that have a callback, in the order in which they began."""
        state = await self._state(run_id)
        return [
            CallbackView(step.key, state.token(step.key), step.ready_at, step.shown, step.open)
            for step in state.steps.values()
            if step.job.callback or step.kind == "callback"
        ]

    def _with_workers(self, view: RunView) -> RunView:
        """Whether somebody asks for what is offered."""
        if self._service is not None:
            workers = self._service.jobs.workers
            for wait in view.waits:
                if isinstance(wait.topic, str):
                    wait.asked_at = workers.asked_at(wait.topic)
        return view

    async def wait_ended(self, run_id: str, timeout: float | None) -> RunView:
        """The run at its end, or as it is after ``timeout`` seconds."""
        return run_view(await self.state_at_end(run_id, timeout))

    async def state_at_end(self, run_id: str, timeout: float | None) -> State:
        try:
            async with asyncio.timeout(timeout):
                return await self._until_end(run_id)
        except TimeoutError:
            return await self._state(run_id)

    async def _until_end(self, run_id: str) -> State:
        """Whoever has the run: it may change hands meanwhile."""
        while True:
            engine = self.service.engine
            if engine.territory.has_run(run_id):
                with contextlib.suppress(Abroad):
                    return await self._end_here(run_id)
            elif (state := await self._end_afar(run_id)) is not None:
                return state

    async def _end_here(self, run_id: str) -> State:
        watching = self.service.engine.outlets.watching
        future = watching.ended(run_id)
        try:
            state = await self._state(run_id)
            return state if state.ended else await future
        finally:
            watching.forget(run_id, future)
            future.cancel()

    async def _end_afar(self, run_id: str) -> State | None:
        """None: it is here by now, perhaps."""
        engine = self.service.engine
        with self.service.distant.changes(run_id) as changed:
            while self._is_afar(run_id, engine):
                state = await self._state(run_id)
                if state.ended:
                    return state
                await changed()
        return None

    def _is_afar(self, run_id: str, engine: Engine) -> bool:
        return self.service.engine is engine and not engine.territory.has_run(run_id)

    async def history(
        self, run_id: str, after: int = -1, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Facts with a number greater than ``after``, oldest first.

        With ``limit`` it is a page, which ends early when it is ``HEAVY``.
        """
        if limit is None:
            return _shown(await self._records(run_id, after, None), after)
        read = partial(self._facts, run_id)
        found = await heavy_page(Page(limit, str(after)), read, weight_of_fact, seq_of)
        return found[:limit]

    async def _facts(self, run_id: str, page: Page) -> list[dict[str, Any]]:
        """Of whole records: more than the page wants, or all that there are."""
        after = int(page.cursor or -1)
        return _shown(await self._records(run_id, after, page.limit + 1), after)

    async def _records(self, run_id: str, after: int, limit: int | None) -> list[Record]:
        records = await self.storage.history(run_id, after, limit)
        if not records:
            raise NotFoundError(f"there is no run {run_id!r}")
        return records

    async def stream(self, run_id: str, after: int = -1) -> AsyncIterator[dict[str, Any]]:
        """Facts as they are stored, from the past on; ends with the run."""
        seen = after
        while True:
            here = self.service.engine.territory.has_run(run_id)
            try:
                async for view in (self._told if here else self._told_afar)(run_id, seen):
                    seen = view["seq"]
                    yield view
            except Abroad:
                continue
            return

    async def _told(self, run_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
        watching = self.service.engine.outlets.watching
        queue = watching.open(run_id)
        try:
            seen = after
            async for view in self._kept(run_id, seen):
                seen = view["seq"]
                yield view
            if (await self._state(run_id)).ended and queue.empty():
                for view in await self.history(run_id, seen):
                    yield view
                return
            async for view in until_end(queue):
                if view["seq"] > seen:
                    yield view
        finally:
            watching.close(run_id, queue)

    async def _told_afar(self, run_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
        """Until its end. Raises ``Abroad`` when it is here by now."""
        seen, engine = after, self.service.engine
        with self.service.distant.changes(run_id) as changed:
            while self._is_afar(run_id, engine):
                ended = (await self._state(run_id)).ended
                async for view in self._kept(run_id, seen):
                    seen = view["seq"]
                    yield view
                if ended:
                    return
                await changed()
        raise Abroad(partition_of(run_id))

    async def _kept(self, run_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
        seen = after
        while past := await self.history(run_id, seen, LOT):
            for view in past:
                yield view
            seen = past[-1]["seq"]

    async def runs(self, query: RunQuery, page: Page) -> list[Head]:
        check_words(query)
        return await self.storage.runs(query, page)

    async def count_runs(self, query: RunQuery) -> int:
        check_words(query)
        return await self.storage.count_runs(query)

    async def events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        """Newest first. A page ends early when it is ``HEAVY``."""
        read = partial(self.storage.events, query)
        return await heavy_page(page, read, weight_of_event, place_of)

    async def count_events(self, query: EventQuery) -> int:
        return await self.storage.count_events(query)

    async def event(self, event_id: str, source: str | None = None) -> StoredEvent:
        found = await self.storage.events_by_id(event_id)
        found = [one for one in found if source is None or one.event.source == source]
        if not found:
            raise NotFoundError(f"there is no event {event_id!r}")
        if len(found) > 1:
            sources = ", ".join(repr(one.event.source) for one in found)
            raise ConflictError(f"events from {sources} have this id: say which source")
        return found[0]

    async def run_graph(self, run_id: str) -> dict[str, Any]:
        """The graph that a run follows, each node with the status of its latest activation."""
        return outline((await self._state(run_id)).graph, await self._state(run_id))


def _shown(records: list[Record], after: int) -> list[dict[str, Any]]:
    """Their facts with a number greater than ``after``."""
    return [
        view
        for record in records
        for view in history_view(record.seq, record.at, decode_facts(record.data, record.version))
        if view["seq"] > after
    ]


def check_words(query: RunQuery) -> None:
    """A status or a wait that no run can have is a mistake, not an empty list."""
    for status in query.status:
        if status not in RUN_STATUSES:
            raise UsageError(f"no run is {status!r:.40}; known are {', '.join(RUN_STATUSES)}")
    what = query.waiting_for
    if what is not None and what not in WAITING_FOR:
        raise UsageError(f"no run waits for {what!r:.40}; known are {', '.join(WAITING_FOR)}")
