"""A connection that comes back: while the server is away, who asks waits, and asks again.

What was never sent, and what changes nothing, is asked again by itself. What was sent and not
answered is ``Lost`` to who says that it may not be asked twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ostinato.errors import AdapterError, StoreError
from ostinato.storage.postgres import faults
from ostinato.storage.postgres.url import Address, connect
from ostinato.storage.postgres.wire import Ask, Fault, Lost, Row, Wire
from ostinato.telemetry.logger import logger

log = logger("ostinato.storage")

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds for which a server may be away before whoever asks is told."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0

_INDEXED = """
SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
SET enable_mergejoin = off; SET jit = off
"""
"""Short questions over an index: a plan that was made for tables that were empty must do."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a connection is for. ``indexed``: all that it asks is found by an index. ``stays``: it
    is there also when nobody asks; ``on_return`` is called when such a one is back.
    """

    name: str
    indexed: bool = True
    on_connect: Callable[[Wire], Any] | None = None
    stays: bool = False
    on_return: Callable[[Wire], None] = lambda wire: None


async def patiently(
    make: Callable[[], Awaitable[T]], name: str, patience: float, *, hopeful: bool = False
) -> T:
    """Again and again until it works, for at most so many seconds; what only a person can mend is
    raised at once, unless one is ``hopeful``. ``name`` is for the log."""
    loop = asyncio.get_running_loop()
    began, pause, said = loop.time(), FIRST_PAUSE, False
    while True:
        try:
            made = await make()
        except StoreError as error:
            passing = hopeful or error.details.get("sign") in faults.PASSING
            if not passing or loop.time() - began >= patience:
                raise
            if not said:
                log.warning("store.away", link=name, why=str(error))
                said = True
        else:
            if said:
                log.info("store.back", link=name)
            return made
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, LONGEST_PAUSE)


class Growth:
    """Bytes that this process has written, and those beyond which plans are too old.

    Statements stay planned, and a plan that was made for small tables may read them whole.
    """

    FIRST = 64 * 1024
    TIMES = 4

    def __init__(self) -> None:
        self.written = 0


class Link:
    def __init__(
        self,
        address: Address,
        purpose: Purpose,
        patience: float = PATIENCE,
        growth: Growth | None = None,
    ) -> None:
        self.patience = patience
        self._growth = growth or Growth()
        self._planned_until = Growth.FIRST
        self._address = address
        self._purpose = purpose
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[Wire] | None = None
        self._came = False
        self._closed = True

    def expect(self) -> None:
        """It connects when it is first asked."""
        self._closed = False

    async def open(self) -> None:
        """Raises at once what only a person can mend."""
        self.expect()
        await self._connected(hopeful=False)

    def close(self) -> None:
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def rows(self, ask: Ask) -> list[Row]:
        return (await self.ask(ask))[0]

    async def ask(self, *asks: Ask) -> list[list[Row]]:
        """Raises what ``faults.of_statement`` makes of the answer."""
        try:
            return await self.repeat(asks)
        except Fault as fault:
            raise self.told(fault) from fault

    async def repeat(self, asks: Sequence[Ask]) -> list[list[Row]]:
        """Until there is an answer, ``Fault`` included."""
        for _ in range(3):
            wire = await self._connected()
            try:
                return await wire.ask(*asks)
            except Lost as error:
                lost = error
            except Fault as fault:
                if fault.code not in faults.AGAIN_FROM_ANEW:
                    raise
                lost = Lost(fault.said)
        raise StoreError(f"{self._address.place}: {lost}; look at the server's log") from lost

    async def now(self, *asks: Ask) -> None:
        """If the server is there at this moment; else never."""
        if self._wire is not None and self._wire.broken is None:
            with suppress(Fault, Lost):
                await self._wire.ask(*asks)

    async def once(self, asks: Sequence[Ask]) -> list[list[Row]]:
        """Raises ``Lost`` when it was sent, and there was no answer."""
        wire = await self._connected()
        return await wire.ask(*asks)

    def told(self, fault: Fault) -> AdapterError:
        place = self._address.place
        return faults.of_statement(place, fault.code, fault.said, fault.constraint)

    async def _connected(self, hopeful: bool = True) -> Wire:
        """``hopeful``: it worked before, so it will again; for at most ``patience`` seconds."""
        if self._wire is not None and self._wire.broken is None:
            if self._growth.written > self._planned_until:
                self._plan_anew(self._wire)
            return self._wire
        if self._closed:
            raise StoreError(f"{self._address.place} is not open; call open() first")
        connecting = self._begin(hopeful)
        await asyncio.wait([connecting])  # who is cancelled here takes nobody along
        if connecting.cancelled():
            raise StoreError(f"{self._address.place} was closed meanwhile")
        return connecting.result()

    def _plan_anew(self, wire: Wire) -> None:
        """Before what is asked next; nobody waits for it."""
        self._planned_until = Growth.FIRST + Growth.TIMES * self._growth.written
        wire.send(Ask("DISCARD PLANS", kept=False))

    def _connected_or_not(self, task: asyncio.Task[Wire]) -> None:
        if self._connecting is task:
            self._connecting = None
        if task.cancelled() or task.exception() is not None:
            return
        if self._closed:
            task.result().close()
            return
        self._wire = task.result()
        if self._purpose.stays:
            self._wire.lost = self._return
            if self._came:
                self._purpose.on_return(self._wire)
            self._came = True

    def _return(self) -> None:
        """Whoever listens has to be there before somebody asks."""
        if not self._closed:
            self._begin(hopeful=True)

    def _begin(self, hopeful: bool) -> asyncio.Task[Wire]:
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(hopeful))
            self._connecting.add_done_callback(self._connected_or_not)
        return self._connecting

    async def _connect(self, hopeful: bool) -> Wire:
        return await patiently(self._make, self._purpose.name, self.patience, hopeful=hopeful)

    async def _make(self) -> Wire:
        wire = Wire(await connect(self._address, self._purpose.name))
        try:
            if self._purpose.indexed:
                await wire.ask(*[Ask(part, kept=False) for part in _INDEXED.split(";")])
            if self._purpose.on_connect is not None:
                await self._purpose.on_connect(wire)
        except (Fault, Lost) as error:
            wire.close()
            raise StoreError(f"{self._address.place}: {error}", sign="57P03") from error
        except BaseException:
            wire.close()
            raise
        return wire
