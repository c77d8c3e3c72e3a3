"""The deadlines of running attempts: one heap, and one alarm for the first of them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from ostinato.runtime.attempt import Attempt

SLACK = 64
"""Entries of attempts that are over which may stay, beside as many as there are running ones."""


class Deadlines:
    """``on_due`` gets each attempt that has taken too long."""

    def __init__(self, on_due: Callable[[Attempt], None]) -> None:
        self._on_due = on_due
        self._heap: list[tuple[float, int, Attempt]] = []
        self._number = 0
        self._over = 0
        self._alarm: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, attempt: Attempt) -> None:
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, attempt))
        self._arm()

    def over(self) -> None:
        """One of the attempts has ended. Their entries are thrown away many at a time."""
        self._over += 1
        if self._over > SLACK + len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].task is not None]
            heapq.heapify(self._heap)
            self._over = 0

    def _arm(self) -> None:
        due = self._heap[0][0]
        if self._alarm is not None:
            if self._alarm.when() <= due:
                return
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(due, self._expire)

    def _expire(self) -> None:
        self._alarm = None
        now = asyncio.get_running_loop().time()
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].task is None):
            attempt = heapq.heappop(self._heap)[2]
            if attempt.task is None:
                self._over -= 1
            else:
                self._on_due(attempt)
        if self._heap:
            self._arm()

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
