"""What comes in by a bus: fetched, read, stored, and only then acknowledged.

A message that cannot be read is a dead letter, and the next one goes on. A bus or a store that is
away is waited for, for ever. At a stop, what is in hand and not stored goes back to the bus.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Protocol

from ostinato.errors import BusError, NothingIsRunning, OstinatoError, StoreError, Unready
from ostinato.ports.buses import Inlet, Received
from ostinato.runtime.lots import Mouth
from ostinato.runtime.patience import Patience, unless_silent
from ostinato.runtime.taking import Stores, Taking
from ostinato.telemetry.logger import logger

log = logger("ostinato.intake")

BACK = 5.0
"""Seconds in which a stop gives back what is in hand; else the bus finds that out by itself."""


class Takes(Stores, Protocol):
    """What an intake asks of the app that it works for."""

    async def at_work(self) -> int:
        """Wait until this process takes events, and has room for them: for so many."""
        ...


class Intake:
    """One inlet, and one lot of messages at a time: so those of one key stay in their order."""

    def __init__(
        self, inlet: Inlet, mouth: Mouth, takes: Takes, most: int = 500, bus: str = ""
    ) -> None:
        self.inlet = inlet
        self.most = most
        self.bus = bus
        self.trouble = ""
        """Why nothing comes in now; empty when all is well."""
        self._taking = Taking(mouth, takes)
        self._takes = takes
        self._patience = Patience()
        self._hand: list[Received] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def counts(self) -> Counter[str]:
        return self._taking.counts

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"ostinato-intake-{self.inlet.name}")

    async def stop(self) -> None:
        """What is being stored may still be stored; nothing new is fetched."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                with unless_silent(self._tell):
                    await self.inlet.open()
                await self._take_on()
            except (BusError, OSError, TimeoutError) as error:
                await self._wait(error)
            except Exception as error:  # an adapter's fault: the others go on
                log.exception("intake.broken", bus=self.bus, inlet=self.inlet.name)
                await self._wait(error)
            finally:
                await self._let_go()

    async def _take_on(self) -> None:
        while True:
            room = await self._takes.at_work()
            self._hand = list(await self.inlet.fetch(min(self.most, room)))
            self._well()
            if self._hand:
                await self._take(self._hand)
                self._hand = []

    async def _take(self, received: Sequence[Received]) -> None:
        """Until it is stored: a store that is away is waited for."""
        lot = await self._taking.read(received)
        patience = Patience(0.1, 5.0)
        while True:
            try:
                await self._taking.store(lot)
                break
            except (StoreError, Unready, NothingIsRunning) as error:
                log.warning("intake.delayed", bus=self.bus, inlet=self.inlet.name, error=str(error))
                await asyncio.sleep(patience.lose())
                await self._takes.at_work()
        await self.inlet.done(received)

    def _well(self) -> None:
        if self.trouble:
            log.info("intake.back", bus=self.bus, inlet=self.inlet.name)
        self.trouble = ""
        self._patience.regain()

    async def _wait(self, error: Exception) -> None:
        why = str(error) if isinstance(error, OstinatoError) else f"{type(error).__name__}: {error}"
        self._tell(why)
        await self._let_go()
        await asyncio.sleep(self._patience.lose())

    def _tell(self, why: str) -> None:
        """The same trouble is told once."""
        if why != self.trouble:
            log.error("intake.away", bus=self.bus, inlet=self.inlet.name, error=why)
        self.trouble = why

    async def _let_go(self) -> None:
        """Nothing is in hand any more, and nothing is connected."""
        hand, self._hand = self._hand, []
        if hand:
            await self._try(self.inlet.again(hand))
        await self._try(self.inlet.close())

    async def _try(self, giving: Awaitable[None]) -> None:
        """The one may fail, and the other is to be done."""
        try:
            async with asyncio.timeout(BACK):
                await giving
        except Exception as error:
            why = str(error) or type(error).__name__
            log.warning("intake.not_closed", bus=self.bus, inlet=self.inlet.name, error=why)
