"""Wakes the loop when something is due. Nothing is read or polled before that.

One alarm stands for all that is kept: it is set to the earliest, and goes off every ``NAP`` while
something is awaited, so that a clock that jumps or a machine that slept is noticed.
"""

from __future__ import annotations

import asyncio
from math import inf

from ostinato.ports import Clock

NAP = 30_000
"""Milliseconds after which the clock is looked at again."""


class Alarm:
    """``due_at`` is in milliseconds; infinite when nothing is awaited."""

    def __init__(self, clock: Clock, wake: asyncio.Event) -> None:
        self._clock = clock
        self._wake = wake
        self.due_at: float = inf
        self._handle: asyncio.TimerHandle | None = None

    def expect(self, due_at: int) -> None:
        """Something more is due then: go off for it if it is the earliest."""
        if due_at < self.due_at:
            self.set(due_at)

    def set(self, due_at: int | None) -> None:
        """This is the earliest of all; None: nothing is awaited."""
        self.due_at = inf if due_at is None else due_at
        self.close()
        if due_at is not None:
            self._go_off_in(max(0, due_at - self._clock.now()))

    def is_due(self, now: int) -> bool:
        return now >= self.due_at

    def _go_off_in(self, wait: float) -> None:
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(min(wait, NAP) / 1000, self._ring)

    def _ring(self) -> None:
        """Not for the last time: the clock may be set back before anybody looks at it."""
        left = self.due_at - self._clock.now()
        self._go_off_in(left if left > 0 else NAP)
        self._wake.set()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
