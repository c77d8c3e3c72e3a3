"""The buses of an app: what comes in, what goes out, and how both are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ostinato.app.connectors import Connector, Connectors
from ostinato.app.doing import Doing
from ostinato.app.hooks import BusHooks
from ostinato.app.letters import Letters
from ostinato.app.producer import Producer
from ostinato.core.cloudevents import Event, Limits, Message, arrived, from_path
from ostinato.core.views import View
from ostinato.errors import NotFoundError, UsageError
from ostinato.ports import DeadLetter, Outgoing
from ostinato.ports.buses import Inlet
from ostinato.runtime.inbox import Accepted
from ostinato.runtime.intake import Intake
from ostinato.runtime.letters import Note
from ostinato.runtime.posts import Keep

OWN = "memory"
"""The name of an engine's own triggers, where a bus is named."""

BRIDGE = "eventbridge"
NUMBERED = ("sqs", "bullmq", BRIDGE)
"""``QueueType`` of the message-bus connector: 0, 1, 2."""


def bus_name(bus: str | int) -> str:
    """Raises ``UsageError`` for what names none."""
    if type(bus) is int and 0 <= bus < len(NUMBERED):
        return NUMBERED[bus]
    if not isinstance(bus, str) or not bus:
        numbers = ", ".join(f"{number} ({name})" for number, name in enumerate(NUMBERED))
        raise UsageError(f"{bus!r} names no bus; write its name in the settings, or {numbers}")
    return bus


class InView(View, omit_defaults=False):
    """``trouble``: why nothing comes in now; empty when all is well. Counts are since the process
    began."""

    place: str
    trouble: str
    accepted: int
    duplicate: int
    dropped: int
    dead: int


class BusView(View, omit_defaults=False):
    """``send``: the types of emitted events that go out there."""

    name: str
    kind: str
    receives: list[InView]
    send: list[str]
    sent: int
    refused: int
    trouble: str


class Buses(Doing, Letters):
    """``_intakes`` are at work between ``begin`` and ``close``."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._hooks: dict[str, BusHooks] = {}
        self._intakes: dict[str, list[Intake]] = {}
        self._handed: dict[tuple[str, str], Counter[str]] = {}
        self._at_work = asyncio.Event()
        self._door = Door(self)

    def bus(self, name: str | int) -> BusHooks:
        """What this application says of one bus: its filters and adapters.

        They count from the next start on.
        """
        return self._hooks.setdefault(bus_name(name), BusHooks(bus_name(name)))

    def _connect(self) -> None:
        """Know the buses of the settings. Raises ``SettingsError``; connects none."""
        settings = self.settings
        limits = Limits(settings.limits.event, settings.limits.batch)
        found = {
            name: Connector(each, self.bus(name), limits, self.now, self.new_id)
            for name, each in settings.bus.items()
        }
        if unknown := self._hooks.keys() - found.keys():
            name = min(unknown)
            raise UsageError(f"app.bus({name!r}): no bus is called so; [bus.{name}] makes one")
        self._connected = Connectors(found)

    def _take_in(self) -> None:
        self._at_work.set()
        for name, each in self._connected.found.items():
            self._intakes[name] = [self._intake(each, inlet) for inlet in each.inlets]

    def _intake(self, connector: Connector, inlet: Inlet) -> Intake:
        intake = Intake(inlet, connector, self._door, connector.settings.most)
        intake.start()
        return intake

    async def _take_no_more(self) -> None:
        """What is in hand goes back to its bus."""
        stops = [each.stop() for several in self._intakes.values() for each in several]
        await asyncio.gather(*stops)
        self._intakes.clear()

    # what doors are handed

    async def take_posted(
        self, bus: str, headers: Mapping[str, str], body: bytes
    ) -> list[Accepted]:
        """What a bus has posted here itself, once it is sure that it has.

        Raises ``NotFoundError`` for one that does not post, ``Forged``, and what ``accept`` does.
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
        counts = self._handed.setdefault((bus, message.place), Counter())
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

    def producer(self, bus: str | int = OWN) -> Producer:
        """What sends events to one bus; ``memory``: to this engine's own triggers."""
        return Producer(self, bus_name(bus))

    def buses(self) -> list[BusView]:
        return [self._view(each) for each in self._connected.found.values()]

    def _view(self, connector: Connector) -> BusView:
        sender = connector.sender
        counts = {} if sender is None else sender.counts
        return BusView(
            name=connector.name,
            kind=connector.settings.kind,
            receives=[
                *(_in_view(each) for each in self._intakes.get(connector.name, ())),
                *(
                    _counted(place, "", counts)
                    for (bus, place), counts in self._handed.items()
                    if bus == connector.name
                ),
            ],
            send=list(connector.settings.send),
            sent=counts.get("sent", 0),
            refused=counts.get("refused", 0),
            trouble=self._trouble_out(connector.name),
        )

    def _trouble_out(self, name: str) -> str:
        lane = None if self._service is None else self._service.outbox.lanes.get(name)
        return "" if lane is None else lane.trouble


class Door:
    """What intakes and producers ask of an app."""

    def __init__(self, app: Buses) -> None:
        self._app = app

    async def at_work(self) -> None:
        app = self._app
        while True:
            await app._at_work.wait()
            if (service := app._service) is not None:
                return await service.wait_room()
            app._at_work.clear()

    async def accept(self, events: Sequence[Event]) -> Sequence[Accepted]:
        return await self._app.accept(events)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        await self._app.service.ask(lambda answer: Note(letters, answer))

    async def send(self, events: Sequence[Event], bus: str) -> None:
        """Events of nobody's run, to one bus alone: stored when this returns, and sent then."""
        if bus == OWN:
            await self.accept(events)
            return
        self._app._connected.sender(bus)
        service, now = self._app.service, self._app.now()
        outgoing = [Outgoing(event, service.engine.run_id(now), bus=bus) for event in events]
        await service.ask(lambda answer: Keep(answer, outgoing=outgoing))
        service.outbox.expect("", (bus,))
        service.engine.wake.set()


def _in_view(intake: Intake) -> InView:
    return _counted(intake.inlet.name, intake.trouble, intake.counts)


def _counted(place: str, trouble: str, counts: Counter[str]) -> InView:
    found = {name: counts[name] for name in ("accepted", "duplicate", "dropped", "dead")}
    return InView(place=place, trouble=trouble, **found)
