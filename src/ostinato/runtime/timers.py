"""What is due. The store holds the timers; here is only when the next one is.

Timers are read between two ticks, when memory and store agree, and told before whatever is queued:
what is queued may move or clear them, and a timer that was moved must not be taken away.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ostinato.core import events as e
from ostinato.ports import Timer
from ostinato.runtime.engine import Engine
from ostinato.runtime.posts import Tell

NAP = 30_000
"""Milliseconds after which the clock is looked at again, so that a jump of it is noticed."""

MANY = 500


class Fire(Tell):
    """One timer that is due. While it is on its way, it is not read again."""

    __slots__ = ("timers",)

    def __init__(self, timers: Timers, timer: Timer) -> None:
        super().__init__(timer.run_id, e.TimerFired(timer.key, timer.kind, timer.due_at))
        self.fired = timer
        self.timers = timers

    def done(self, result: Any) -> None:
        super().done(result)
        if self.fired is not None:
            self.timers.arrived(self.fired)


class Timers:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._next: int | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._on_their_way: set[Timer] = set()

    def expect(self, due_at: int) -> None:
        """A timer was set: wake up for it if it is the next one."""
        if self._next is None or due_at < self._next:
            self._next = due_at
            self._arm()

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._next is not None:
            wait = min(max(0, self._next - self.engine.clock.now()), NAP)
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(wait / 1000, self.engine.wake.set)

    async def refresh(self) -> None:
        """Ask the store when the next one is due."""
        self._next = await self.engine.storage.next_timer()
        self._arm()

    async def run_once(self, now: int) -> int:
        """Fire what is due; each is taken away in the commit of what it causes."""
        if self._next is None:
            return 0
        if now < self._next:
            if self._alarm is None or self._alarm.when() <= asyncio.get_running_loop().time():
                self._arm()
            return 0
        due = await self.engine.storage.due_timers(now, MANY + len(self._on_their_way))
        new = [timer for timer in due if timer not in self._on_their_way]
        if new:
            self._on_their_way.update(new)
            self.engine.post_first([Fire(self, timer) for timer in new])
        elif not due:
            await self.refresh()
        return len(new)

    def arrived(self, timer: Timer) -> None:
        self._on_their_way.discard(timer)

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
