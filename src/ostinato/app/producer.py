"""Sending events to a bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ostinato.app.event_types import EventType, refuse_untyped
from ostinato.errors import UsageError

if TYPE_CHECKING:
    from ostinato.app.buses import Buses
    from ostinato.core.cloudevents import Event


T = TypeVar("T")

MEMBERS = ("id", "source", "subject")
"""What may be said of an event beside its type and data."""


class Producer:
    """``await app.producer("kafka").send("TYPE", {…})``: stored when it returns, then sent until
    the bus has it, under an id that stays the same.

    Without a bus, or of the bus ``memory``, what is sent comes to this engine's own triggers.
    """

    def __init__(self, app: Buses, bus: str) -> None:
        self._app = app
        self.bus = bus

    @overload
    async def send(self, type: EventType[T], data: T, **members: Any) -> None: ...
    @overload
    async def send(self, type: str, data: Any = None, **members: Any) -> None: ...
    async def send(self, type: str | EventType[Any], data: Any = None, **members: Any) -> None:
        """``members``: ``id``, ``source`` and ``subject`` of the event. Raises ``InvalidInput`` for
        data that is none of an ``EventType``."""
        await self._send([self._event(type, data, **members)])

    @overload
    async def send_many(self, type: EventType[T], data: Sequence[T], **members: Any) -> None: ...
    @overload
    async def send_many(self, type: str, data: Sequence[Any], **members: Any) -> None: ...
    async def send_many(
        self, type: str | EventType[Any], data: Sequence[Any], **members: Any
    ) -> None:
        """Events of one type, all stored or none, and sent in their order."""
        await self._send([self._event(type, one, **members) for one in data])

    async def send_multiple(
        self, data: Sequence[Any], type: str | None = None, **members: Any
    ) -> None:
        """As the message-bus connector writes it; without a type, each has its own as ``type``."""
        if type is not None:
            await self.send_many(type, data, **members)
            return
        await self._send([self._event(_type_of(one), one, **members) for one in data])

    def _event(self, type: str | EventType[Any], data: Any, **members: Any) -> Event:
        where = f"app.producer({self.bus!r}).send"
        refuse_untyped(type, where)
        if unknown := members.keys() - MEMBERS:
            told = ", ".join(sorted(unknown))
            hint = f"there are {', '.join(MEMBERS)}; what else is to be told belongs into its data"
            raise UsageError(f"{where}: an event that is sent has no member {told}; {hint}")
        known = self._app._known_type(type)
        given = data if known is None else known.encode(data)
        return self._app._make_event(str(type), given, **members)

    async def _send(self, events: list[Event]) -> None:
        await self._app._door.send(events, self.bus)


def _type_of(entry: Any) -> str:
    found = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(found, str):
        raise UsageError("send_multiple: without a type, each entry is an object with its `type`")
    return found
