"""How long this process may trust that it holds a store that others share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf

Steady = Callable[[], float]
"""Seconds by a clock that nobody sets."""


def steady() -> float:
    """Goes on while the machine sleeps: so does the lease."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Lease:
    """No job begins here while it does not ``run``: another process may have begun it by then."""

    def __init__(self, now: Steady = steady) -> None:
        self.now = now
        self._until = -inf
        self._prolonged = asyncio.Event()

    def prolong(self, until: float) -> None:
        self._until = until
        self._prolonged.set()

    def end(self) -> None:
        self._until = -inf

    @property
    def runs(self) -> bool:
        return self.now() < self._until

    async def running(self) -> None:
        """Wait until it runs again."""
        while not self.runs:
            self._prolonged.clear()
            await self._prolonged.wait()
