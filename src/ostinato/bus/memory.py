"""The bus inside one process: what is sent reaches every subscriber before ``send`` returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ostinato.core.cloudevents import Event

Deliver = Callable[[Sequence[Event]], Awaitable[Any]]
EVERY = "*"


class MemoryBus:
    """``subscribe("*", …)`` hears every type."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, Deliver]] = []

    async def subscribe(self, type: str, deliver: Deliver) -> None:
        self._subscribers.append((type, deliver))

    async def send(self, events: Iterable[Event]) -> None:
        """Each subscriber gets all of its own at once, in their order."""
        sent = list(events)
        for type_, deliver in self._subscribers:
            wanted = sent if type_ == EVERY else [one for one in sent if one.type == type_]
            if wanted:
                await deliver(wanted)
