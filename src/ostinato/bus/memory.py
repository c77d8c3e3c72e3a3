"""The bus inside one process.

``MemoryBus`` is an engine's own: what its runs emit comes back to its triggers before ``send``
returns. The rest is a bus of kind ``memory``: named places that live as long as the process, for
tests and for trying things out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import Any

from ostinato.config.buses import MemoryBusSettings
from ostinato.core.cloudevents import Event, Message
from ostinato.ports.buses import Inlet, Outlet, Received

Deliver = Callable[[Sequence[Event]], Awaitable[Any]]
EVERY = "*"


class MemoryBus:
    """``subscribe("*", …)`` hears every type."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, Deliver]] = []

    async def subscribe(self, type: str, deliver: Deliver) -> None:
        self._subscribers.append((type, deliver))

    def order_of(self, event: Event) -> None:
        """They are this engine's own, and heard at once."""

    async def send(self, events: Iterable[Event]) -> None:
        """Each subscriber gets all of its own at once, in their order."""
        sent = list(events)
        for type_, deliver in self._subscribers:
            wanted = sent if type_ == EVERY else [one for one in sent if one.type == type_]
            if wanted:
                await deliver(wanted)


# -- the kind `memory` -------------------------------------------------------------------------

READS = "body"
PATIENCE = 5.0
"""Seconds that a fetch waits for its first message."""


class Place:
    """Messages in their order, and who waits for one."""

    def __init__(self) -> None:
        self.waiting: deque[Received] = deque()
        self.more = asyncio.Event()

    def put(self, received: Iterable[Received]) -> None:
        self.waiting.extend(received)
        self.more.set()

    def put_back(self, received: Sequence[Received]) -> None:
        """In front, as they were."""
        for one in reversed(received):
            self.waiting.appendleft(Received(one.message, one.handle, one.attempt + 1))
        self.more.set()

    def take(self, most: int) -> list[Received]:
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        if not self.waiting:
            self.more.clear()
        return taken


_places: dict[tuple[str, str], Place] = {}  # of each bus, by name
_numbers = count(1)


def place(bus: str, name: str) -> Place:
    return _places.setdefault((bus, name), Place())


def forget() -> None:
    """As if the process had just begun."""
    _places.clear()


class MemoryInlet:
    def __init__(self, bus: str, name: str) -> None:
        self.name = name
        self._bus = bus
        self._hand: list[Received] = []

    async def open(self) -> None:
        self._place = place(self._bus, self.name)

    async def fetch(self, most: int) -> Sequence[Received]:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._place.more.wait()
        except TimeoutError:
            return ()
        taken = self._place.take(most)
        self._hand += taken
        return taken

    async def done(self, received: Sequence[Received]) -> None:
        self._drop(received)

    async def again(self, received: Sequence[Received]) -> None:
        self._drop(received)
        self._place.put_back(received)

    def _drop(self, received: Sequence[Received]) -> None:
        gone = set(map(id, received))
        self._hand = [one for one in self._hand if id(one) not in gone]

    async def close(self) -> None:
        if self._hand:
            await self.again(self._hand)


class MemoryOutlet:
    def __init__(self, bus: str, default: str | None) -> None:
        self._bus = bus
        self._default = default

    async def open(self) -> None:
        pass

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        for message in messages:
            name = message.place or self._default or message.headers.get("EventType", "")
            place(self._bus, name).put([Received(_numbered(message, name))])
        return [None] * len(messages)

    async def close(self) -> None:
        pass


def _numbered(message: Message, name: str) -> Message:
    """As any bus would hand it over: what went out keeps neither its id nor its source."""
    members = {member: getattr(message, member) for member in Message.__struct_fields__}
    return Message(**{**members, "place": name, "id": f"{name}/{next(_numbers)}", "source": ""})


def inlets(settings: MemoryBusSettings) -> list[Inlet]:
    return [MemoryInlet(settings.name, name) for name in settings.receive]


def outlet(settings: MemoryBusSettings) -> Outlet:
    return MemoryOutlet(settings.name, settings.place)


def form(settings: MemoryBusSettings) -> str:
    return "bus"
