"""What doors are handed for a bus: posted by the bus itself, or sent on by a rule of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ostinato.app.buses import Buses, InView
from ostinato.app.connectors import Connector
from ostinato.core.cloudevents import Event, Limits, Message, arrived, from_path
from ostinato.errors import NotFoundError
from ostinato.runtime.inbox import Accepted

BRIDGE = "eventbridge"


class Handed(Buses):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._handed: dict[str, dict[str, Counter[str]]] = {}  # by bus and place

    async def take_posted(
        self, bus: str, headers: Mapping[str, str], body: bytes
    ) -> list[Accepted]:
        """What a bus has posted here itself, once it is sure that it has.

        Raises ``NotFoundError`` for one that does not post, ``SignatureError``, and what ``accept``
        does.
        """
        connector = self._connected.found.get(bus)
        if connector is None or connector.guard is None:
            raise NotFoundError(f"no bus that posts here is called {bus!r}: [bus.{bus}] makes one")
        message = await connector.guard.message(headers, body, self.now())
        return [] if message is None else await self.take_message(bus, message)

    async def take_message(self, bus: str, message: Message) -> list[Accepted]:
        """As if it had come in by an inlet: unwanted, it is dropped; unreadable, a dead letter.

        All that is to be kept is stored when this returns. Does not wait for room.
        """
        connector = self._connected.connector(bus)
        counts = self._handed.setdefault(bus, {}).setdefault(message.place, Counter())
        try:
            events = connector.read(message)
        except Exception as error:  # also of an adapter that somebody has written
            await self._door.bury([connector.letter(message, error)])
            counts["dead"] += 1
            return []
        accepted = await self.accept(events, wait=False) if events else []
        repeated = sum(one.duplicate for one in accepted)
        counts["dropped"] += not events
        counts["duplicate"] += repeated
        counts["accepted"] += len(accepted) - repeated
        return accepted

    def read_bridged(self, type: str, body: bytes) -> list[Event]:
        """What EventBridge has sent to its door, as events of its bus; those that are wanted.

        The bus is the one of this kind in the settings. Raises ``UsageError`` for what is none.
        """
        connector = self._connected.of_kind(BRIDGE)
        if connector is None:
            limits = Limits(self.settings.limits.event, self.settings.limits.batch)
            now, new_id = self.now(), self.new_id
            return [arrived(from_path(type, body, now=now, new_id=new_id, limits=limits), BRIDGE)]
        headers = {"EventType": type}
        return connector.read(Message(place=type, body=body or b"{}", headers=headers))

    def _receives(self, connector: Connector) -> list[InView]:
        handed = self._handed.get(connector.name, {})
        found = super()._receives(connector)
        return found + [_view(place, counts) for place, counts in handed.items()]

    def _counts(self) -> dict[str, dict[str, int]]:
        found = super()._counts()
        for bus, places in self._handed.items():
            for counts in places.values():
                found[bus] = dict(Counter(found.get(bus, {})) + counts)
        return found


def _view(place: str, counts: Counter[str]) -> InView:
    found = {name: counts[name] for name in ("accepted", "duplicate", "dropped", "dead")}
    return InView(place=place, trouble="", **found)
