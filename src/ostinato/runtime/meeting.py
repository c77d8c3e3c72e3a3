"""Waits and events meet by key, after either was stored: neither can slip past the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.cloudevents import Event
from ostinato.core.commands import OpenWait
from ostinato.ports import DamagedEvent
from ostinato.runtime.damaged import Bury
from ostinato.runtime.engine import Engine
from ostinato.runtime.inbox import encoded
from ostinato.runtime.posts import Tell


class Meeting:
    """Brings events and waits together, after either was stored.

    When the store does not answer, events have to wait. A wait that began in between looks back by
    its own rule, and is not told of them: the store knows which of the two came first.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: deque[tuple[Event, Sequence[str], Raw]] = deque()
        self.waits: deque[tuple[str, OpenWait]] = deque()

    def on_event(self, event: Event, values_keys: Sequence[str], raw: Raw) -> None:
        self.events.append((event, values_keys, raw))
        self.engine.wake.set()

    def on_wait(self, run_id: str, wait: OpenWait) -> None:
        if wait.since is not None:
            self.waits.append((run_id, wait))
            self.engine.wake.set()

    async def run_once(self, now: int) -> int:
        """Each is forgotten only once the store has answered."""
        done = len(self.events) + len(self.waits)
        while self.events:
            await self._find_waits(*self.events[0])
            self.events.popleft()
        while self.waits:
            await self._look_back(*self.waits[0])
            self.waits.popleft()
        return done

    async def _find_waits(self, event: Event, keys: Sequence[str], raw: Raw) -> None:
        pair = event.source, event.id
        for wait in await self.engine.storage.find_waits(event.type, keys, pair):
            self.engine.post(Tell(wait.run_id, e.Arrived(wait.key, raw)))

    async def _look_back(self, run_id: str, wait: OpenWait) -> None:
        storage, since = self.engine.storage, (wait.since or 0) - self.engine.apart
        for type_ in wait.types:
            found = await storage.early_events(type_, wait.values_key, since, run_id)
            for event in found:
                if isinstance(event, DamagedEvent):
                    self.engine.post(Bury(event))
                else:
                    self.engine.post(Tell(run_id, e.Arrived(wait.key, encoded(event))))
