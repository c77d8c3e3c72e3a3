"""Who wants to hear of a run: the end of it, or every fact. Told only after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from ostinato.core.run_ids import partition_of
from ostinato.core.state import State
from ostinato.core.views import history_view
from ostinato.errors import NothingIsRunning
from ostinato.ports import Partitions
from ostinato.runtime.change import Told
from ostinato.runtime.resident import Abroad

WATCHED = 60_000
"""Milliseconds for which another process is told of a run that it has asked for."""


class Watching:
    """``abroad`` are runs that other processes want to hear of, and until when (ms); ``news`` is
    called with those of which there is some.
    """

    def __init__(self) -> None:
        self.abroad: dict[str, int] = {}
        self.news: Callable[[str], None] = lambda run_id: None
        self._ends: dict[str, list[asyncio.Future[State]]] = {}
        self._facts: dict[str, list[asyncio.Queue[list[dict[str, Any]] | None]]] = {}

    def __bool__(self) -> bool:
        return bool(self._ends or self._facts or self.abroad)

    def want(self, run_id: str, now: int) -> None:
        """Another process wants to hear of it. Those that were asked for first are over first."""
        self.abroad.pop(run_id, None)
        self.abroad[run_id] = now + WATCHED
        while self.abroad[first := next(iter(self.abroad))] < now:
            del self.abroad[first]

    def ended(self, run_id: str) -> asyncio.Future[State]:
        """Done when the run is; ``forget`` it when nobody waits any more."""
        future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self._ends.setdefault(run_id, []).append(future)
        return future

    def forget(self, run_id: str, future: asyncio.Future[State]) -> None:
        waiting = self._ends.get(run_id, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._ends.pop(run_id, None)

    def open(self, run_id: str) -> asyncio.Queue[list[dict[str, Any]] | None]:
        """A queue of fact views; None at the end of the run."""
        queue: asyncio.Queue[list[dict[str, Any]] | None] = asyncio.Queue()
        self._facts.setdefault(run_id, []).append(queue)
        return queue

    def close(self, run_id: str, queue: asyncio.Queue[list[dict[str, Any]] | None]) -> None:
        queues = self._facts.get(run_id, [])
        if queue in queues:
            queues.remove(queue)
        if not queues:
            self._facts.pop(run_id, None)

    def tell(self, told: Told) -> None:
        run_id = told.resident.run_id
        if run_id in self.abroad:
            self.news(run_id)
            if told.ended or self.abroad[run_id] < told.at:
                del self.abroad[run_id]
        for queue in self._facts.get(run_id, ()):
            queue.put_nowait(list(history_view(told.seq, told.at, told.facts)))
            if told.ended:
                queue.put_nowait(None)
        if told.ended:
            for future in self._ends.pop(run_id, ()):
                if not future.done():
                    future.set_result(told.resident.state)

    def give(self, partitions: Partitions) -> None:
        """Whoever waits for a run there asks the process that has it from now on."""
        for run_id in [name for name in self._facts if partition_of(name) in partitions]:
            for queue in self._facts.pop(run_id):
                queue.put_nowait(MOVED)
        for run_id in [name for name in self._ends if partition_of(name) in partitions]:
            for future in self._ends.pop(run_id):
                if not future.done():
                    future.set_exception(Abroad(partition_of(run_id)))

    def stop(self) -> None:
        """Nothing more will come from this process."""
        for queues in self._facts.values():
            for queue in queues:
                queue.put_nowait(None)
        for run_id, futures in self._ends.items():
            for future in futures:
                if not future.done():
                    future.set_exception(
                        NothingIsRunning(f"the engine stopped while run {run_id} was still open")
                    )


MOVED: list[dict[str, Any]] = []
"""In place of facts: what comes is known to another process."""


async def until_end(
    queue: asyncio.Queue[list[dict[str, Any]] | None],
) -> AsyncIterator[dict[str, Any]]:
    """Raises ``Abroad`` when another process goes on with it."""
    while (views := await queue.get()) is not None:
        if views is MOVED:
            raise Abroad(0)
        for view in views:
            yield view
