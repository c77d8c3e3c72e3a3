"""What is due. The store holds the timers; here is only when the next one is.

Timers are read between two ticks, when memory and store agree, and told before whatever is queued:
what is queued may move or clear them, and a timer that was moved must not be taken away.
"""

from __future__ import annotations

from typing import Any

from ostinato.core import events as e
from ostinato.ports import Timer
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.engine import Engine
from ostinato.runtime.posts import Tell

AGAIN = 1_000
"""Milliseconds after which a timer that is due and could not be told is looked at again."""

MANY = 500


class Fire(Tell):
    """One timer that is due. While it is on its way, it is not read again."""

    __slots__ = ("timers",)

    def __init__(self, timers: Timers, timer: Timer) -> None:
        super().__init__(timer.run_id, e.TimerFired(timer.key, timer.kind, timer.due_at))
        self.fired = timer
        self.timers = timers

    def dropped(self) -> None:
        if self.fired is not None:
            self.timers.arrived(self.fired)

    def done(self, result: Any) -> None:
        super().done(result)
        if self.fired is not None:
            self.timers.arrived(self.fired)


class Timers:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.alarm = Alarm(engine.clock, engine.wake)
        self._on_their_way: set[Timer] = set()

    def expect(self, due_at: int) -> None:
        """A timer was set: wake up for it if it is the next one."""
        self.alarm.expect(due_at)

    async def refresh(self) -> None:
        """Ask the store when the next one is due."""
        owned = self.engine.territory.owned
        self.alarm.set(await self.engine.storage.next_timer(owned))

    async def run_once(self, now: int) -> int:
        """Fire what is due; each is taken away in the commit of what it causes."""
        if not self.alarm.is_due(now):
            return 0
        engine, most = self.engine, MANY + len(self._on_their_way)
        owned = engine.territory.owned
        due = await engine.storage.due_timers(now, most, partitions=owned)
        new = [timer for timer in due if timer not in self._on_their_way]
        if new:
            self._on_their_way.update(new)
            self.engine.post_first([Fire(self, timer) for timer in new])
        elif not due:
            await self.refresh()
        else:  # one that cannot be told must not hide those that are set after it
            self.alarm.set(now + AGAIN)
        return len(new)

    def arrived(self, timer: Timer) -> None:
        self._on_their_way.discard(timer)

    def close(self) -> None:
        self.alarm.close()
