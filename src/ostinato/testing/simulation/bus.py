"""A bus that fails, loses its answer, sends twice and hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from msgspec import Raw

from ostinato.app import App
from ostinato.app.connectors import Connector, Connectors
from ostinato.app.hooks import BusHooks
from ostinato.bus import Adapter
from ostinato.bus.memory import MemoryBus
from ostinato.config import BusSettings
from ostinato.core.cloudevents import Event, Limits, Message
from ostinato.core.routes import OWN
from ostinato.errors import BusError, Refused, Unsent
from ostinato.ports.buses import Inlet, Outlet
from ostinato.testing.generate.vocabulary import BUS, EMITTED
from ostinato.testing.simulation.dock import AWAY, SLOW, DockInlet
from ostinato.testing.simulation.documents import UNWANTED

if TYPE_CHECKING:
    from ostinato.testing.simulation.process import Process
    from ostinato.testing.simulation.world import World

HANG = 20.0
"""Seconds until a connection that hangs is given up."""

WANTED = 4.0
"""Seconds after which the bus has learnt to take what nobody wanted."""


class FarAway(Connectors):
    """One bus that leads out of the world, by its name and with every event of one type; where the
    plan says so, messages come in by it."""

    def __init__(self, world: World, app: App, process: Process) -> None:
        settings = BusSettings(name=BUS, kind=BUS, send=EMITTED[:1], most=3)
        kind, hooks = cast(Adapter, _Kind(world, process)), BusHooks(BUS)
        hooks.adapt_to(AWAY, SLOW)(world.dock.adapt)
        super().__init__({BUS: Connector(settings, kind, hooks, Limits(), app.now, app.new_id)})


class _Kind:
    READS = "body"

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def inlets(self, settings: BusSettings) -> list[Inlet]:
        return [DockInlet(self._world.dock, self._process)] if self._world.plan.brings else []

    def outlet(self, settings: BusSettings) -> Outlet:
        return FarOutlet(UnreliableBus(MemoryBus(), self._world, BUS))

    def form(self, settings: BusSettings) -> str:
        return "bus"


class FarOutlet:
    """Some of a lot may fail alone."""

    def __init__(self, bus: UnreliableBus) -> None:
        self._bus = bus

    async def open(self) -> None:
        await asyncio.sleep(0)

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        events = [_event(message) for message in messages]
        try:
            await self._bus.send(events)
        except Unsent as error:
            pairs = ((event.source, event.id) for event in events)
            return [BusError(str(error)) if pair in error.events else None for pair in pairs]
        return [None] * len(messages)

    async def close(self) -> None:
        await asyncio.sleep(0)


def _event(message: Message) -> Event:
    told = message.headers
    data = Raw(message.body)
    return Event(told["EventId"], told["EventSource"], told["EventType"], 0, None, data)


class UnreliableBus:
    """Before a bus whose subscribers are the app's own triggers; or one that leads away, which has
    a name and no subscribers."""

    def __init__(self, inner: MemoryBus, world: World, name: str = OWN) -> None:
        self._inner = inner
        self._world = world
        self._name = name

    async def subscribe(
        self, type: str, deliver: Callable[[Sequence[Event]], Awaitable[Any]]
    ) -> None:
        await self._inner.subscribe(type, deliver)

    def order_of(self, event: Event) -> None:
        """Any of them may pass another."""

    async def send(self, events: Iterable[Event]) -> None:
        sent = list(events)
        kind = self._world.faults.next_send()
        await asyncio.sleep(self._world.chance.random() * 0.01)
        await self._fail_first(kind, sent)
        late = sent[len(sent) // 2 :] if kind == "bus.unsent" else []
        await self._deliver(sent[: len(sent) - len(late)])
        if late:
            pairs = frozenset((event.source, event.id) for event in late)
            raise Unsent("some are to come again (simulated)", pairs)
        if kind == "bus.twice":
            await self._deliver(sent)
        if kind == "bus.partial":
            raise ConnectionError("the bus did not answer (simulated)")

    async def _fail_first(self, kind: str, sent: list[Event]) -> None:
        if kind == "bus.hang":
            await asyncio.sleep(HANG)
            raise TimeoutError("the bus does not answer (simulated)")
        if kind == "bus.error":
            raise ConnectionError("the bus cannot be reached (simulated)")
        wanted = self._world.loop.time() > WANTED
        if not wanted and any(event.type == UNWANTED for event in sent):
            raise Refused("this bus does not take such events (simulated)")
        if kind == "bus.refuses" and len(sent) > 1:
            raise Refused("one of these is not what this bus takes (simulated)")
        if kind == "bus.partial":
            del sent[: len(sent) // 2]

    async def _deliver(self, sent: list[Event]) -> None:
        for event in sent:
            self._world.ledger.sent(event, self._name)
        await self._inner.send(sent)
