"""The bus inside one process: what is sent reaches every subscriber before ``send`` returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ostinato.core.cloudevents import Event

Deliver = Callable[[Event], Awaitable[Any]]
EVERY = "*"


class MemoryBus:
    """``subscribe("*", …)`` hears every type."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[Deliver]] = {}

    async def subscribe(self, type: str, deliver: Deliver) -> None:
        self._subscribers.setdefault(type, []).append(deliver)

    async def send(self, events: Iterable[Event]) -> None:
        for event in events:
            for type_ in (event.type, EVERY):
                for deliver in self._subscribers.get(type_, ()):
                    await deliver(event)
