"""A bus that fails, loses its answer, sends twice and hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ostinato.bus.memory import MemoryBus
from ostinato.core.cloudevents import Event
from ostinato.errors import Refused, Unsent
from ostinato.testing.simulation.documents import UNWANTED

if TYPE_CHECKING:
    from ostinato.testing.simulation.world import World

HANG = 20.0
"""Seconds until a connection that hangs is given up."""

WANTED = 4.0
"""Seconds after which the bus has learnt to take what nobody wanted."""


class UnreliableBus:
    """Before a bus whose subscribers are the app's own triggers."""

    def __init__(self, inner: MemoryBus, world: World) -> None:
        self._inner = inner
        self._world = world

    async def subscribe(
        self, type: str, deliver: Callable[[Sequence[Event]], Awaitable[Any]]
    ) -> None:
        await self._inner.subscribe(type, deliver)

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
            self._world.ledger.sent(event)
        await self._inner.send(sent)
