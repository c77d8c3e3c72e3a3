"""Slots, and the jobs that wait for one.

A slot is one long-lived task that takes job after job: a handler that never waits costs no task
and no turn of the loop, but a turn is given after ``TURN`` seconds of such work. Ready jobs stand
in one heap: fewest deaths first, then fair between workflows (each job's rank is one after its
workflow's last, but never behind what is already being served), then by age.

What a handler leaves in its context dies with its slot: the next job gets a clean one.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from ostinato.runtime.attempt import Attempt

TURN = 0.005


class Slots:
    """``count`` attempts run at once; ``on_taken`` hears of each that has got a slot."""

    def __init__(
        self,
        count: int,
        run: Callable[[Attempt], Coroutine[Any, Any, None]],
        on_taken: Callable[[], None],
    ) -> None:
        self._count = count
        self._run = run
        self._on_taken = on_taken
        self._heap: list[tuple[int, int, int, Attempt]] = []
        self._ranks: dict[str, int] = {}
        self._served = 0
        self._number = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clean = contextvars.copy_context()
        self._closed = False

    def __len__(self) -> int:
        """Jobs that have no slot yet."""
        return len(self._heap)

    def push(self, attempt: Attempt) -> None:
        workflow = attempt.state.workflow
        rank = max(self._ranks.get(workflow, 0), self._served) + 1
        self._ranks[workflow] = rank
        self._number += 1
        heapq.heappush(self._heap, (attempt.command.deaths, rank, self._number, attempt))

    def wake(self, wanted: int) -> None:
        """Let up to so many slots look for work."""
        while wanted > 0 and self._idle:
            future = self._idle.popleft()
            if not future.done():
                future.set_result(None)
                wanted -= 1
        for _ in range(min(wanted, self._count - len(self._tasks))):
            task = asyncio.create_task(
                self._slot(), name="ostinato-slot", context=self._clean.copy()
            )
            self._tasks.add(task)

    async def _slot(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        turn = loop.time()
        try:
            while not self._closed:
                if not self._heap:
                    await self._park()
                    turn = loop.time()
                    continue
                attempt = self._take()
                await self._run(attempt)
                if contextvars.copy_context() != self._clean:
                    return
                if attempt.begun_at - turn > TURN:
                    await asyncio.sleep(0)
                    turn = loop.time()
        finally:
            if task is not None:
                self._tasks.discard(task)
            self.wake(0 if self._closed else len(self._heap))

    def _take(self) -> Attempt:
        _, self._served, _, attempt = heapq.heappop(self._heap)
        if not self._heap:
            self._ranks.clear()
        self._on_taken()
        return attempt

    async def _park(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        await future

    def clear(self) -> None:
        """Nothing that waits gets a slot any more."""
        self._heap.clear()

    def close(self) -> set[asyncio.Task[None]]:
        """Cancel what runs, and say what that is."""
        self._closed = True
        self._heap.clear()
        for task in self._tasks:
            task.cancel()
        return set(self._tasks)
