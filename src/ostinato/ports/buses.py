"""What is asked of a bus: messages in, messages out.

A connector has inlets (or a guard), an outlet, or both; each has a connection of its own. They
carry messages and know nothing of events: what a message means is said by
``core.cloudevents.messages``, or by who uses the connector.

``testing.bus_contract`` is the definition of both in tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ostinato.core.cloudevents import Message

__all__ = ["Guard", "Inlet", "Message", "Outlet", "Received"]


class Received:
    """A message in hand. ``handle`` is what its inlet needs to have it acknowledged.

    ``attempt`` counts its deliveries, where the bus does. ``answers``: what became of the events
    that were made of it, once they are stored; for a bus that carries an answer back.
    """

    __slots__ = ("answers", "attempt", "handle", "message")

    def __init__(self, message: Message, handle: Any = None, attempt: int = 1) -> None:
        self.message = message
        self.handle = handle
        self.attempt = attempt
        self.answers: list[Any] = []


class Inlet(Protocol):
    """Brings messages in. It is used by one task.

    Every call raises ``BusError`` when the bus cannot be reached or refuses; the caller closes it
    then, waits, and opens it again.
    """

    name: str
    """What it reads, for people."""

    async def open(self) -> None:
        """Connect, and see that what it reads is there."""

    async def fetch(self, most: int) -> Sequence[Received]:
        """At most so many, in their order. Waits for the first, for some seconds at most."""
        ...

    async def done(self, received: Sequence[Received]) -> None:
        """They are stored: the bus need not keep them for this reader."""

    async def again(self, received: Sequence[Received]) -> None:
        """They are not: the bus delivers them again, here or to another reader, soon."""

    async def close(self) -> None:
        """Also when it is not open. What is in hand comes again to whoever reads next."""


class Guard(Protocol):
    """Of a bus that comes to us: says what was posted by it, and refuses what was not."""

    async def message(self, headers: Mapping[str, str], body: bytes, now: int) -> Message | None:
        """None: nothing to take in, and all that was asked is done.

        Names of headers are lower case, ``now`` is in ms since epoch. Raises ``SignatureError``,
        and ``BusError`` when it cannot be told now.
        """
        ...


class Outlet(Protocol):
    """Takes messages out."""

    async def open(self) -> None:
        """Connect. Raises ``BusError``."""

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        """Returns once the bus has them: for each one None, or why it has not.

        ``UsageError``: it never will (too large, no such place). Everything else may be tried
        again. Of those with one key, none is taken after one that was not. Raises ``BusError``
        when it has none of them for a reason that all meet: it cannot be reached, or lets nobody
        in. Whatever is behind them waits then.
        """
        ...

    async def close(self) -> None:
        """Also when it is not open."""
