"""What is to be sent: published in the order it was stored, taken away once the bus has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter

from ostinato.core.routes import OWN
from ostinato.core.run_ids import partition_of
from ostinato.errors import (
    DefinitionError,
    NothingIsRunning,
    Problem,
    Refused,
    Unready,
    Unsent,
    UsageError,
)
from ostinato.ports import Bus, DamagedEvent, DeadLetter, Outgoing
from ostinato.runtime.damaged import unsent
from ostinato.runtime.engine import Engine
from ostinato.runtime.letters import encoded_reasons
from ostinato.runtime.patience import Patience, unless_silent
from ostinato.runtime.posts import Keep, Pair
from ostinato.telemetry.logger import logger

_kind_of_event = attrgetter("event.__class__")
_pair = attrgetter("event.source", "event.id")

log = logger("ostinato.outbox")

MANY = 500
HEAVY = 16 << 20
"""Bytes of events that are in hand at once, besides the first."""

SOON = 5.0
"""Seconds at most until those that a bus has not taken alone are tried again: others wait."""

PAUSE = 1.0
"""Seconds before a bus that refused is tried again."""


FAULTS = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError)
"""What somebody's code raises that meets an event which it cannot take; or a bus that is away."""

REFUSALS = (DefinitionError, UsageError, Refused)
"""What is wrong with an event itself: no later try would be taken. The rest is tried again."""


def _once_each(outgoing: list[Outgoing]) -> list[Outgoing]:
    """Up to the first whose name was there before: a bus says by names what it has not."""
    names: set[Pair] = set()
    for number, one in enumerate(outgoing):
        if _pair(one) in names:
            return outgoing[:number]
        names.add(_pair(one))
    return outgoing


class Outbox:
    """One lane for each bus: one that is slow or away holds up no other."""

    def __init__(self, engine: Engine, bus: Bus, buses: Mapping[str, Bus] | None = None) -> None:
        self.engine = engine
        self.own = Lane(engine, OWN, bus)
        self.lanes = {OWN: self.own}
        for name, other in (buses or {}).items():
            self.lanes[name] = Lane(engine, name, other)
        self._others = [lane for lane in self.lanes.values() if lane is not self.own]
        self.tell: Callable[[str, str], None] = lambda kind, about: None

    @property
    def waiting(self) -> bool:
        return self.own.waiting or any(lane.waiting for lane in self._others)

    @property
    def busy(self) -> bool:
        """Something is on its way to a bus that takes what it is sent."""
        return any(lane.sending is not None and not lane.trouble for lane in self.lanes.values())

    def expect(self, run_id: str = "", buses: Iterable[str] = ()) -> None:
        """Something of this run is to be sent; without ``buses``, by any of them."""
        if not run_id or self.engine.territory.has_run(run_id):
            self._look(buses or self.lanes)
        else:
            self.tell("outbox", str(partition_of(run_id)))

    def _look(self, buses: Iterable[str]) -> None:
        for name in buses:
            if lane := self.lanes.get(name):
                lane.waiting = True

    def hinted(self, partition: str) -> None:
        """Something lies there, as another process says."""
        self._look(self.lanes)
        self.engine.wake.set()

    async def run_once(self, now: int) -> int:
        return sum([await lane.run_once(now) for lane in self.lanes.values() if lane.waiting])

    async def rest(self, seconds: float) -> None:
        """Nothing more is sent. What is on its way may arrive, and be noted as sent."""
        for lane in self.lanes.values():
            lane.resting = True
        sending = [lane.sending for lane in self.lanes.values() if lane.sending is not None]
        if sending:
            await asyncio.wait(sending, timeout=seconds)

    async def close(self) -> None:
        for lane in self.lanes.values():
            await lane.close()


class Lane:
    """One sending at a time, beside the engine's loop."""

    def __init__(self, engine: Engine, name: str, bus: Bus) -> None:
        self.engine = engine
        self.name = name
        self.bus = bus
        self.waiting = False
        self.resting = False
        self.trouble = ""
        self._patience = Patience(PAUSE, PAUSE if name == OWN else 30.0)
        self.sending: asyncio.Task[None] | None = None
        self._left: frozenset[Pair] = frozenset()  # they stand in front, and hold nobody up

    async def run_once(self, now: int) -> int:
        if not self.waiting or self.sending is not None or self.resting:
            return 0
        self.waiting = False
        try:
            outgoing = await self._read()
        except BaseException:
            self.waiting = True  # what could not be read is there still
            raise
        if outgoing := _once_each(outgoing):
            self.sending = asyncio.create_task(
                self._send(outgoing), name=f"ostinato-outbox-{self.name}"
            )
        return len(outgoing)

    async def _read(self) -> list[Outgoing]:
        lots = 1 + len(self._left) // MANY
        many, owned = len(self._left) + MANY, self.engine.territory.owned
        return await self.engine.storage.outbox(many, HEAVY * lots, owned, self.name)

    async def _send(self, outgoing: list[Outgoing]) -> None:
        try:
            readable, dead = self._readable(outgoing)
            if readable:
                dead += await self._sent(readable)
            left = self._left
            numbers = [one.number for one in outgoing if _pair(one) not in left]
            if numbers:
                await self.engine.ask(lambda answer: Keep(answer, sent=numbers, dead_letters=dead))
            if left:
                await asyncio.sleep(min(self._patience.lose(), SOON))
            else:
                self._patience.regain()
        except (Unready, NothingIsRunning):
            return  # sent, but that is not stored: it goes out again
        except Exception as error:  # a bus may fail in any way
            self._delayed(f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._patience.lose())
        finally:
            self.sending = None
            self.waiting = True  # there may be more
            self.engine.wake.set()

    def _delayed(self, why: str, **about: int) -> None:
        """The same trouble is told once."""
        if why != self.trouble:
            log.warning("outbox.delayed", bus=self.name, error=why, **about)
        self.trouble = why
        self.engine.wake.set()  # who waits until all is sent need not wait for this

    def _readable(self, outgoing: list[Outgoing]) -> tuple[list[Outgoing], list[DeadLetter]]:
        """What can be sent, and letters for what is damaged: hardly ever one."""
        if DamagedEvent not in map(_kind_of_event, outgoing):
            return outgoing, []
        readable = [one for one in outgoing if _kind_of_event(one) is not DamagedEvent]
        damaged = [one for one in outgoing if _kind_of_event(one) is DamagedEvent]
        return readable, [unsent(self.engine, one) for one in damaged]

    async def _sent(self, outgoing: list[Outgoing]) -> list[DeadLetter]:
        """All at once; when that is refused, one by one, and what is refused alone is dead."""
        try:
            self._left = frozenset()
            with unless_silent(self._delayed):
                await self.bus.send([one.event for one in outgoing])
        except NothingIsRunning:  # it is stopping: nothing is wrong with the events
            raise
        except Unsent as error:
            if error.events:
                self._delayed(str(error), events=len(error.events))
            self._left = error.events
            refused = error.refused
            return [
                self._letter(one, refused[_pair(one)]) for one in outgoing if _pair(one) in refused
            ]
        except (*REFUSALS, *FAULTS):
            return await self._one_by_one(outgoing)
        else:
            self.trouble = ""
            return []

    async def _one_by_one(self, outgoing: list[Outgoing]) -> list[DeadLetter]:
        """A fault that others do not meet is that of its event; one that all meet is the bus's."""
        dead: list[DeadLetter] = []
        odd: list[tuple[Outgoing, Exception]] = []
        for one in outgoing:
            try:
                await self.bus.send([one.event])
            except NothingIsRunning:
                raise
            except Unsent as error:
                if not error.refused:
                    raise
                dead.append(self._letter(one, error.refused[_pair(one)]))
            except REFUSALS as error:
                dead.append(self._letter(one, error))
            except FAULTS as error:
                odd.append((one, error))
        if odd and len(odd) + len(dead) == len(outgoing):
            raise odd[0][1]
        return [*dead, *(self._letter(one, error) for one, error in odd)]

    def _letter(self, one: Outgoing, error: Exception) -> DeadLetter:
        event, reason = one.event, f"{type(error).__name__}: {error}"
        about = {"run": one.run_id, "bus": self.name, "type": event.type, "id": event.id}
        log.error("outbox.refused", error=reason, **about)
        reasons = encoded_reasons([Problem(reason)])
        now = self.engine.clock.now()
        return DeadLetter(
            self.engine.identity.event_id(now), now, "outgoing", self.name or one.run_id,
            event.source, event.id, reasons, event, one.run_id or None,
        )  # fmt: skip

    async def close(self) -> None:
        if self.sending is not None:
            self.sending.cancel()
            await asyncio.gather(self.sending, return_exceptions=True)
