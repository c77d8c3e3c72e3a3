"""Wakes the loop when something is due. Nothing is read or polled before that.

One alarm stands for all that is kept: it is set to the earliest, and goes off every ``NAP`` while
something is awaited, so that a clock that jumps or a machine that slept is noticed.
"""

from __future__ import annotations

import asyncio

from ostinato.ports import Clock

NAP = 30_000
"""Milliseconds after which the clock is looked at again."""


class Alarm:
    def __init__(self, clock: Clock, wake: asyncio.Event) -> None:
        self._clock = clock
        self._wake = wake
        self._next: int | None = None
        self._handle: asyncio.TimerHandle | None = None

    def expect(self, due_at: int) -> None:
        """Something more is due then: go off for it if it is the earliest."""
        if self._next is None or due_at < self._next:
            self.set(due_at)

    def set(self, due_at: int | None) -> None:
        """This is the earliest of all; None: nothing is awaited."""
        self._next = due_at
        self.close()
        if due_at is not None:
            wait = min(max(0, due_at - self._clock.now()), NAP)
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(wait / 1000, self._wake.set)

    @property
    def is_set(self) -> bool:
        return self._next is not None

    def is_due(self, now: int) -> bool:
        """If not, and it has gone off, it is set again."""
        if self._next is None:
            return False
        if now >= self._next:
            return True
        if self._handle is None or self._handle.when() <= asyncio.get_running_loop().time():
            self.set(self._next)
        return False

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
