"""The buses of an app: what comes in, what goes out, and how both are."""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ostinato.app.asyncapi import Described
from ostinato.app.connectors import NUMBERED, Connector, Connectors
from ostinato.app.doing import Doing
from ostinato.app.event_types import EventType
from ostinato.app.hooks import BusHooks
from ostinato.app.letters import Letters
from ostinato.app.producer import Producer
from ostinato.bus import adapter
from ostinato.config import KINDS, BusSettings
from ostinato.core.cloudevents import Event, Limits
from ostinato.core.routes import OWN, OWN_NAME
from ostinato.core.views import View
from ostinato.errors import UsageError
from ostinato.ports import DeadLetter, Outgoing
from ostinato.ports.buses import Inlet
from ostinato.runtime.inbox import Accepted
from ostinato.runtime.intake import Intake
from ostinato.runtime.letters import Note
from ostinato.runtime.posts import Keep


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
    """``waiting``: events that are to go out. ``out``: events can go out on it; ``send``: what runs
    emit of these types does."""

    name: str
    kind: str
    receives: list[InView]
    out: bool
    send: list[str]
    waiting: int
    sent: int
    refused: int
    trouble: str


class Buses(Doing, Letters):
    """``_intakes`` are at work between ``begin`` and ``close``."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._hooks: dict[str, BusHooks] = {}
        self._types: dict[str, EventType[Any]] = {}
        self._named: set[tuple[str | None, bool]] = set()  # buses of consumers, and whether out
        self._intakes: dict[str, list[Intake]] = {}
        self._door = Door(self)

    def bus(self, name: str | int) -> BusHooks:
        """What this application says of one bus: its filters and adapters.

        They count from the next start on.
        """
        return self._hooks.setdefault(bus_name(name), BusHooks(bus_name(name)))

    def _known_type(self, type: str | EventType[Any]) -> EventType[Any] | None:
        """What is consumed or sent as one is in the description of this app, too."""
        if isinstance(type, str):
            return None
        known = self._types.setdefault(type.name, type)
        if known.model is not type.model:
            raise UsageError(f"{type.name} has two models: {known.model!r} and {type.model!r}")
        return type

    def _connect(self) -> None:
        """Know the buses of the settings. Raises ``SettingsError``; connects none."""
        named = self.settings.bus.items()
        found = {name: self._connector(each, self.bus(name)) for name, each in named}
        if unknown := self._hooks.keys() - found.keys():
            name = min(unknown)
            raise UsageError(f"app.bus({name!r}): no bus is called so; [bus.{name}] makes one")
        self._connected = Connectors(found, self._plain)
        for bus, out in self._named:
            self._refuse_unknown(bus, out=out)

    def _plain(self, kind: str) -> Connector:
        """A bus of this kind as it is by itself."""
        return self._connector(KINDS[kind](name=kind, kind=kind), BusHooks(kind))

    def _connector(self, settings: BusSettings, hooks: BusHooks) -> Connector:
        bounds = self.settings.limits
        limits = Limits(bounds.event, bounds.batch)
        kind = adapter(settings.kind)
        return Connector(settings, kind, hooks, limits, self.now, self.new_id)

    def _refuse_unknown(self, bus: str | None, *, out: bool) -> None:
        """What a consumer names and nobody knows. Raises ``UsageError``."""
        known = {OWN_NAME, *(self._connected.senders if out else self._connected.found)}
        if bus is not None and bus not in (known if out else known | set(NUMBERED)):
            does = "publishes to" if out else "is of"
            told = ", ".join(sorted(known))
            raise UsageError(
                f"a consumer {does} {bus!r}: [bus.{bus}] in the settings makes it; there is {told}"
            )

    def _take_in(self) -> None:
        for name, each in self._connected.found.items():
            self._intakes[name] = [self._intake(each, inlet) for inlet in each.inlets]

    def _intake(self, connector: Connector, inlet: Inlet) -> Intake:
        settings = connector.settings
        intake = Intake(inlet, connector, self._door, settings.most, settings.name)
        intake.start()
        return intake

    async def _take_no_more(self) -> None:
        """What is in hand goes back to its bus."""
        stops = [each.stop() for several in self._intakes.values() for each in several]
        await asyncio.gather(*stops)
        self._intakes.clear()

    async def at_work(self) -> None:
        """Returns when events are taken here: it has a share of the runs, and room."""
        await self._door.at_work()

    def producer(self, bus: str | int = OWN_NAME) -> Producer:
        """What sends events to one bus; ``memory``: to this engine's own triggers."""
        return Producer(self, bus_name(bus))

    def asyncapi(self) -> dict[str, Any]:
        """What this application receives and sends: an AsyncAPI 3.0 document."""
        documents = (
            self._registry.document(row.workflow, row.version) for row in self._registry.readable()
        )
        version = importlib.import_module("ostinato").__version__
        found = self._connected.found
        return Described(version, self.address, found, documents, self._types).document()

    async def buses(self) -> list[BusView]:
        """The buses of the settings, what has gone through each, and what waits to go out; also
        those that are in the settings no more, and that events wait for."""
        waiting = {} if self._service is None else await self.storage.backlog()
        return self._views(waiting)

    def _views(self, waiting: Mapping[str, int]) -> list[BusView]:
        if not self._connected.found:
            self._connect()
        found = self._connected.found
        known = [self._view(each, waiting.get(name, 0)) for name, each in found.items()]
        gone = sorted(waiting.keys() - found.keys() - {OWN})
        return known + [_gone(name, waiting[name]) for name in gone]

    def _counts(self) -> dict[str, dict[str, int]]:
        """Messages by bus, and by what became of them."""
        found = {}
        for name, each in self._connected.found.items():
            counts = Counter[str]()
            for intake in self._intakes.get(name, ()):
                counts += intake.counts
            found[name] = dict(counts + each.sender.counts if each.sender else counts)
        return found

    def _view(self, connector: Connector, waiting: int) -> BusView:
        sender = connector.sender
        counts = {} if sender is None else sender.counts
        return BusView(
            name=connector.name,
            kind=connector.settings.kind,
            receives=self._receives(connector),
            out=sender is not None,
            send=list(connector.settings.send),
            waiting=waiting,
            sent=counts.get("sent", 0),
            refused=counts.get("refused", 0),
            trouble=self._trouble_out(connector.name),
        )

    def _receives(self, connector: Connector) -> list[InView]:
        """Nothing yet, where nothing is taken in here."""
        at_work = self._intakes.get(connector.name)
        if at_work is not None:
            return [_in_view(each) for each in at_work]
        return [InView(inlet.name, "", 0, 0, 0, 0) for inlet in connector.inlets]

    def _trouble_out(self, name: str) -> str:
        lane = None if self._service is None else self._service.outbox.lanes.get(name)
        return "" if lane is None else lane.trouble


class Door:
    """What intakes and producers ask of an app."""

    def __init__(self, app: Buses) -> None:
        self._app = app

    async def at_work(self) -> int:
        app = self._app
        while True:
            await app._at_work.wait()
            if (service := app._service) is not None:
                await service.headroom.wait()
                return service.headroom.left
            app._at_work.clear()  # until it has a part of the runs

    async def accept(self, events: Sequence[Event]) -> Sequence[Accepted]:
        return await self._app.accept(events)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        await self._app.service.ask(lambda answer: Note(letters, answer))

    async def send(self, events: Sequence[Event], bus: str) -> None:
        """Events of nobody's run, to one bus alone: stored when this returns, and sent then."""
        if bus == OWN_NAME:
            await self.accept(events)
            return
        self._app._connected.sender(bus)
        self._app._check_sizes(events)
        service, now = self._app.service, self._app.now()
        outgoing = [Outgoing(event, service.engine.run_id(now), bus=bus) for event in events]
        await service.ask(lambda answer: Keep(answer, outgoing=outgoing))
        service.outbox.expect("", (bus,))
        service.engine.wake.set()


def _gone(name: str, waiting: int) -> BusView:
    """One that events wait for, and that is in the settings no more."""
    trouble = f"no bus is called so any more: [bus.{name}] in the settings makes one"
    return BusView(name, "", [], True, [], waiting, 0, 0, trouble)


def _in_view(intake: Intake) -> InView:
    counts = {name: intake.counts[name] for name in ("accepted", "duplicate", "dropped", "dead")}
    return InView(place=intake.inlet.name, trouble=intake.trouble, **counts)
