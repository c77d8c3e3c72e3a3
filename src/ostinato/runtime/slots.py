"""Slots, and the jobs that wait for one.

A slot is one long-lived task that takes job after job: a handler that never waits costs no task
and no turn of the loop, but a turn is given after ``TURN`` seconds of such work. A slot that finds
more work than it takes wakes ``WAVE`` others, and so does each of them: a thousand handlers that
wait have all begun after four turns of the loop, and for a thousand that do not, eight slots were
woken. Ready jobs stand in one heap: fewest deaths first, then the higher priority, then fair
between workflows (each job's rank is one after its workflow's last, but never behind what is
already being served), then by age.

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

WAVE = 8

AT_WORK = contextvars.ContextVar("ostinato-at-work", default=False)
"""Whether a handler asks: it holds a slot, so it must never wait for one."""


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
        self._heap: list[tuple[int, int, int, int, Attempt]] = []
        self._ranks: dict[str, int] = {}
        self._served = 0
        self._number = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        self._coming = 0  # slots that were woken and have not looked for work yet
        self._tasks: dict[asyncio.Task[None], None] = {}  # in order, so that a simulation repeats
        self._clean = contextvars.copy_context()
        self._clean.run(AT_WORK.set, True)
        self._closed = False

    def __len__(self) -> int:
        """Jobs that have no slot yet."""
        return len(self._heap)

    def push(self, attempt: Attempt) -> None:
        workflow = attempt.state.workflow
        rank = self._ranks.get(workflow, 0) + 1
        if rank <= self._served:
            rank = self._served + 1
        self._ranks[workflow] = rank
        self._number += 1
        deaths, above = attempt.command.deaths, -attempt.state.graph.priority
        heapq.heappush(self._heap, (deaths, above, rank, self._number, attempt))

    def wake(self) -> None:
        """Let up to ``WAVE`` more slots come for what waits; each wakes as many when it begins."""
        for _ in range(min(WAVE, len(self._heap) - self._coming)):
            if not (self._rouse() or self._hire()):
                return
            self._coming += 1

    def _rouse(self) -> bool:
        """One slot that is parked."""
        while self._idle:
            future = self._idle.popleft()
            if not future.done():
                future.set_result(None)
                return True
        return False

    def _hire(self) -> bool:
        """One slot more, unless there are enough."""
        if self._closed or len(self._tasks) >= self._count:
            return False
        task = asyncio.create_task(self._slot(), name="ostinato-slot", context=self._clean.copy())
        self._tasks[task] = None
        return True

    async def _slot(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        turn = self._begin(loop)
        try:
            while not self._closed:
                if not self._heap:
                    await self._park()
                    turn = self._begin(loop)
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
                self._tasks.pop(task, None)
            self.wake()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> float:
        """A slot looks for work; when there is more than it will take, others come too."""
        self._coming -= 1
        if len(self._heap) > 1:
            self.wake()
        return loop.time()

    def _take(self) -> Attempt:
        _, _, self._served, _, attempt = heapq.heappop(self._heap)
        if not self._heap:
            self._ranks.clear()
        self._on_taken()
        return attempt

    async def _park(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        try:
            await future
        except asyncio.CancelledError:
            self._coming -= not future.cancelled()  # it had been woken before
            raise

    def clear(self) -> None:
        """Nothing that waits gets a slot any more."""
        self._heap.clear()

    def close(self) -> list[asyncio.Task[None]]:
        """Cancel what runs, and say what that is."""
        self._closed = True
        self._heap.clear()
        for task in self._tasks:
            task.cancel()
        return list(self._tasks)
