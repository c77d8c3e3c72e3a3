"""What is not the store: a bus, an archive, a clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol

from ostinato.core.cloudevents import Event


class Bus(Protocol):
    """Takes events out and brings events in. ``send`` returns once the bus has them; where it has
    some of them, it may say so (``Unsent``)."""

    async def send(self, events: Iterable[Event]) -> None: ...

    def order_of(self, event: Event) -> Hashable | None:
        """Events that have the same are sent in their order; None: it may pass all others."""
        ...

    async def subscribe(
        self, type: str, deliver: Callable[[Sequence[Event]], Awaitable[Any]]
    ) -> None:
        """``deliver`` is awaited per lot of events; an error asks the bus to send it again."""


class Archive(Protocol):
    """Where runs are kept before they are removed."""

    async def keep(self, day: str, lines: Sequence[bytes]) -> None:
        """Add lines of JSON to those of a day (``2027-01-31``). Durable when this returns."""


class Clock(Protocol):
    def now(self) -> int:
        """Wall time in ms since epoch."""
