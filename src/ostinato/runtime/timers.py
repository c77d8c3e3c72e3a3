"""What is due. The store holds the timers; here is only when the next one is."""

from __future__ import annotations

import asyncio

from ostinato.core import events as e
from ostinato.ports import Timer
from ostinato.runtime.engine import Engine
from ostinato.runtime.posts import Tell

NAP = 30_000
"""Milliseconds after which the clock is looked at again, so that a jump of it is noticed."""

MANY = 500


class Timers:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._next: int | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._posted: set[Timer] = set()

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
        if len(self.engine):  # what is queued may clear or set timers
            return 0
        due = await self.engine.storage.due_timers(now, MANY)
        for timer in due:
            event = e.TimerFired(timer.key, timer.kind, timer.due_at)
            self.engine.post(Tell(timer.run_id, event, fired=timer))
        if due:
            return len(due)
        await self.refresh()
        return 0

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
