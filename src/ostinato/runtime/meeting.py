"""Waits and events meet by key, after either was stored: neither can slip past the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.commands import OpenWait
from ostinato.runtime.engine import Engine
from ostinato.runtime.inbox import encoded
from ostinato.runtime.posts import Tell


class Meeting:
    """Brings events and waits together, after either was stored."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._events: deque[tuple[str, Sequence[str], Raw]] = deque()
        self._waits: deque[tuple[str, OpenWait]] = deque()

    def on_event(self, type: str, values_keys: Sequence[str], event: Raw) -> None:
        self._events.append((type, values_keys, event))
        self.engine.wake.set()

    def on_wait(self, run_id: str, wait: OpenWait) -> None:
        self._waits.append((run_id, wait))
        self.engine.wake.set()

    async def run_once(self, now: int) -> int:
        """Each is forgotten only once the store has answered."""
        done = len(self._events) + len(self._waits)
        while self._events:
            await self._find_waits(*self._events[0])
            self._events.popleft()
        while self._waits:
            await self._look_back(*self._waits[0])
            self._waits.popleft()
        return done

    async def _find_waits(self, type: str, keys: Sequence[str], event: Raw) -> None:
        for wait in await self.engine.storage.find_waits(type, keys):
            self.engine.post(Tell(wait.run_id, e.Arrived(wait.key, event)))

    async def _look_back(self, run_id: str, wait: OpenWait) -> None:
        for type_ in wait.types:
            found = await self.engine.storage.early_events(type_, wait.values_key, wait.since or 0)
            for event in found:
                self.engine.post(Tell(run_id, e.Arrived(wait.key, encoded(event))))
