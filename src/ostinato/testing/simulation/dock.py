"""A bus outside that brings messages: one is owed until it is stored, or buried, and acknowledged.

What a dead process had in hand comes again, to whoever asks next; so does what a paused one has,
which then may come twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core.cloudevents import Message
from ostinato.errors import BusError
from ostinato.ports import Batch
from ostinato.ports.buses import Received
from ostinato.testing.generate.vocabulary import BUS
from ostinato.testing.history_checker import Violation
from ostinato.testing.simulation.store import POISON

if TYPE_CHECKING:
    from ostinato.testing.simulation.process import Process
    from ostinato.testing.simulation.world import World

WAIT = 3.0
"""Virtual seconds that a fetch waits for its first message."""

TROUBLE = 0.1
"""The share of calls that fail, until all is calm."""

PLACE = "dock"

AWAY, SLOW = "dock.away", "dock.slow"
"""Places whose messages an adapter reads, for long; whom it asks is away twice."""

LONG = 0.02
"""Seconds: longer than messages are read in one go."""


class Dock:
    """``stored`` are the ids of events that are kept, ``buried`` of messages that are letters."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = Random(f"dock:{world.seed}")
        self.more = asyncio.Event()
        self.brought: dict[str, Message] = {}
        self.stored: set[str] = set()
        self.buried: set[str] = set()
        self._waiting: deque[Message] = deque()
        self._tried: Counter[str] = Counter()
        self._hands: dict[Process, list[Received]] = {}

    def bring(self, message: Message) -> None:
        self.brought[message.id] = message
        self._waiting.append(message)
        self.more.set()

    def kept(self, batch: Batch) -> None:
        self.stored.update(one.event.id for one in batch.events)
        self.buried.update(one.event_id for one in batch.dead_letters if one.target == BUS)

    def adapt(self, message: Message) -> dict[str, Any]:
        """What an application does with messages of some places."""
        self._tried[message.id] += 1
        self.world.loop.compute(LONG)
        if message.place == AWAY and self._tried[message.id] < 3:
            raise ConnectionError("who is asked is away (simulated)")
        return dict(msgspec.json.decode(message.body))

    async def fetch(self, process: Process, most: int) -> list[Received]:
        self._take_back()
        if not self._waiting:
            self.more.clear()
            try:
                async with asyncio.timeout(WAIT):
                    await self.more.wait()
            except TimeoutError:
                return []
        count = min(len(self._waiting), most, self.chance.randint(1, 4))
        taken = [Received(self._waiting.popleft(), self) for _ in range(count)]
        self._hands.setdefault(process, []).extend(taken)
        return taken

    def done(self, process: Process, received: Sequence[Received]) -> None:
        for one in received:
            if one.message.id not in self.stored | self.buried:
                text = f"{one.message.id} is acknowledged, and neither stored nor buried"
                self.world.ledger.breaks("bus.early", text)
        self._drop(process, received)

    def again(self, process: Process, received: Sequence[Received]) -> None:
        self._drop(process, received)
        self._waiting.extendleft(one.message for one in reversed(received))
        self.more.set()

    def leave(self, process: Process) -> None:
        if held := self._hands.pop(process, None):
            self.again(process, held)

    def _drop(self, process: Process, received: Sequence[Received]) -> None:
        gone = set(map(id, received))
        held = self._hands.get(process, [])
        self._hands[process] = [one for one in held if id(one) not in gone]

    def _take_back(self) -> None:
        for process in list(self._hands):
            if process.state != "running":
                self.leave(process)

    def left(self) -> Iterator[Violation]:
        """What is owed still, once all is quiet."""
        for id in self.brought.keys() - self.stored - self.buried:
            yield Violation(
                "", -1, "bus.lost", f"{id} was brought, and is neither stored nor buried"
            )
        self._take_back()
        owed = len(self._waiting) + sum(map(len, self._hands.values()))
        if owed:
            text = f"{owed} messages are there, or in hand, and nobody acknowledges them"
            yield Violation("", -1, "bus.left", text)

    def trouble(self) -> bool:
        return not self.world.is_calm and self.chance.random() < TROUBLE


class DockInlet:
    """Of one process."""

    name = PLACE

    def __init__(self, dock: Dock, process: Process) -> None:
        self._dock = dock
        self._process = process

    async def open(self) -> None:
        await self._pass("open")

    async def fetch(self, most: int) -> Sequence[Received]:
        await self._pass("fetch")
        return await self._dock.fetch(self._process, most)

    async def done(self, received: Sequence[Received]) -> None:
        await self._pass("done")
        self._dock.done(self._process, received)

    async def again(self, received: Sequence[Received]) -> None:
        await self._pass("again")
        self._dock.again(self._process, received)

    async def close(self) -> None:
        self._dock.leave(self._process)
        await self._pass("close")

    async def _pass(self, what: str) -> None:
        await asyncio.sleep(self._dock.chance.random() * 0.01)
        if self._dock.trouble():
            raise BusError(f"the bus does not {what} (simulated)")


def message_of(number: int, kind: str) -> Message:
    """``kind``: fine, broken, another content under the id of the one before, refused by the store,
    or one for an adapter: away, slow."""
    id = f"dock-{number - 1 if kind == 'other' else number}"
    data = {"n": number, "note": POISON.decode()} if kind == "refused" else {"n": number}
    event = {"type": "BROUGHT", "id": id, "data": data}
    body = b"{oops" if kind == "broken" else msgspec.json.encode(event)
    return Message(place={"away": AWAY, "slow": SLOW}.get(kind, PLACE), body=body, id=id)
