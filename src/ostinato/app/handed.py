"""What doors are handed for a bus: posted by the bus itself, or sent on by a rule of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ostinato.app.buses import Buses, InView
from ostinato.app.connectors import Connector, last_name
from ostinato.core.cloudevents import Event, Limits, Message, arrived, from_path
from ostinato.errors import NotFoundError
from ostinato.ports import DeadLetter
from ostinato.ports.buses import Received
from ostinato.runtime.inbox import Accepted
from ostinato.runtime.taking import Taking

BRIDGE = "eventbridge"


class Handed(Buses):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._handed: dict[str, dict[str, Taking]] = {}  # by bus and place

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
        return [] if message is None else await self._take_from(connector, [message])

    async def take_messages(self, kind: str, messages: Sequence[Message]) -> list[Accepted]:
        """Messages that somebody else has fetched from a bus of this kind, as if an inlet had:
        unwanted, one is dropped; unreadable, it is a dead letter.

        The bus is the one in the settings that receives from their place, else the first of its
        kind; without any, one as its kind is by itself. All that is to be kept is stored when this
        returns. Does not wait for room.
        """
        by: dict[str, list[Message]] = {}
        for message in messages:
            by.setdefault(message.place, []).append(message)
        accepted: list[Accepted] = []
        for place, several in by.items():
            connector = self._connected.of_kind(kind, place) or self._plain(kind)
            accepted += await self._take_from(connector, several)
        return accepted

    async def _take_from(self, connector: Connector, messages: Sequence[Message]) -> list[Accepted]:
        """Messages of one place."""
        takings = self._handed.setdefault(connector.name, {})
        taking = takings.setdefault(messages[0].place, Taking(connector, Unhurried(self)))
        received = [Received(message) for message in messages]
        await taking.store(await taking.read(received))
        return [answer for one in received for answer in one.answers]

    def read_bridged(self, type: str, body: bytes) -> list[Event]:
        """What EventBridge has sent to its door, as events of its bus; those that are wanted.

        The bus is the one of this kind in the settings. Raises ``UsageError`` for what is none.
        """
        connector = self._connected.of_kind(BRIDGE)
        if connector is None:
            limits = Limits(self.settings.limits.event, self.settings.limits.batch)
            now, new_id = self.now(), self.new_id
            return [arrived(from_path(type, body, now=now, new_id=new_id, limits=limits), BRIDGE)]
        return connector.read_posted(type, body)

    def _receives(self, connector: Connector) -> list[InView]:
        handed = self._handed.get(connector.name, {})
        found = super()._receives(connector)
        if connector.guard is not None:
            posts = (last_name(place) for place in connector.settings.receive)
            found += [_view(place, Counter()) for place in posts if place not in handed]
        return found + [_view(place, taking.counts) for place, taking in handed.items()]

    def _counts(self) -> dict[str, dict[str, int]]:
        found = super()._counts()
        for bus, places in self._handed.items():
            for taking in places.values():
                found[bus] = dict(Counter(found.get(bus, {})) + taking.counts)
        return found


class Unhurried:
    """Whoever hands over may come again: nobody waits for room."""

    def __init__(self, app: Handed) -> None:
        self._app = app

    async def accept(self, events: Sequence[Event]) -> Sequence[Accepted]:
        return await self._app.accept(events, wait=False)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        await self._app._door.bury(letters)


def _view(place: str, counts: Counter[str]) -> InView:
    found = {name: counts[name] for name in ("accepted", "duplicate", "dropped", "dead")}
    return InView(place=place, trouble="", **found)
