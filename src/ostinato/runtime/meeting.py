"""Waits and events meet by key, after either was stored: neither can slip past the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.commands import OpenWait
from ostinato.ports import DamagedEvent
from ostinato.runtime.damaged import Bury
from ostinato.runtime.engine import Engine
from ostinato.runtime.inbox import encoded
from ostinato.runtime.posts import Tell


class Meeting:
    """Brings events and waits together, after either was stored.

    When the store does not answer, events have to wait. A wait that began in between looks back by
    its own rule, and is not told of them: ``_begun`` has the number of the last event before it.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: deque[tuple[int, str, Sequence[str], Raw]] = deque()
        self._last = self._late = 0
        self._begun: dict[tuple[str, str], int] = {}
        self.waits: deque[tuple[str, OpenWait]] = deque()

    def on_event(self, type: str, values_keys: Sequence[str], event: Raw) -> None:
        self._last += 1
        self.events.append((self._last, type, values_keys, event))
        self.engine.wake.set()

    def on_wait(self, run_id: str, wait: OpenWait) -> None:
        if self.events:
            self._begun[run_id, wait.key] = self._late
        if wait.since is not None:
            self.waits.append((run_id, wait))
            self.engine.wake.set()

    async def run_once(self, now: int) -> int:
        """Each is forgotten only once the store has answered."""
        done = len(self.events) + len(self.waits)
        try:
            while self.events:
                await self._find_waits(*self.events[0])
                self.events.popleft()
        except BaseException:
            self._late = self._last
            raise
        self._begun.clear()
        while self.waits:
            await self._look_back(*self.waits[0])
            self.waits.popleft()
        return done

    async def _find_waits(self, number: int, type: str, keys: Sequence[str], event: Raw) -> None:
        for wait in await self.engine.storage.find_waits(type, keys):
            if self._begun.get((wait.run_id, wait.key), 0) < number:
                self.engine.post(Tell(wait.run_id, e.Arrived(wait.key, event)))

    async def _look_back(self, run_id: str, wait: OpenWait) -> None:
        for type_ in wait.types:
            found = await self.engine.storage.early_events(type_, wait.values_key, wait.since or 0)
            for event in found:
                if isinstance(event, DamagedEvent):
                    self.engine.post(Bury(event))
                else:
                    self.engine.post(Tell(run_id, e.Arrived(wait.key, encoded(event))))
