"""What is to be sent: published in the order it was stored, taken away once the bus has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from ostinato.core.routes import OWN
from ostinato.core.run_ids import partition_of
from ostinato.ports import Bus
from ostinato.runtime.engine import Engine
from ostinato.runtime.lane import Lane


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
