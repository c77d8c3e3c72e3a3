"""What comes in by a bus: fetched, read, stored, and only then acknowledged.

A message that cannot be read is a dead letter, and the next one goes on. A bus or a store that is
away is waited for, for ever. At a stop, what is in hand and not stored goes back to the bus.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from ostinato.core.cloudevents import Event
from ostinato.errors import (
    BusError,
    NothingIsRunning,
    OstinatoError,
    Overtaken,
    Refused,
    StoreError,
    Unready,
    UsageError,
)
from ostinato.ports import DeadLetter
from ostinato.ports.buses import Inlet, Received
from ostinato.runtime.lots import Lot, Mouth
from ostinato.runtime.patience import Patience, unless_silent
from ostinato.telemetry.logger import logger

log = logger("ostinato.intake")

FAULTS = (
    UsageError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError, Refused,
)  # fmt: skip
"""What no store that is away raises: somebody's adapter made what is no event."""

TRIES, RETRY = 3, 0.1
"""How often an adapter may fail on a message, and seconds before the second try."""

BACK = 5.0
"""Seconds in which a stop gives back what is in hand; else the bus finds that out by itself."""


class Takes(Protocol):
    """What an intake asks of the app that it works for."""

    async def at_work(self) -> int:
        """Wait until this process takes events, and has room for them: for so many."""
        ...

    async def accept(self, events: Sequence[Event]) -> Sequence[Any]:
        """Store them, all or none; each answer says whether it was a ``duplicate``."""
        ...

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters; those that are stored already change nothing."""


class Intake:
    """One inlet, and one lot of messages at a time: so those of one key stay in their order."""

    def __init__(self, inlet: Inlet, mouth: Mouth, takes: Takes, most: int = 500) -> None:
        self.inlet = inlet
        self.most = most
        self.counts: Counter[str] = Counter()
        self.trouble = ""
        """Why nothing comes in now; empty when all is well."""
        self._mouth = mouth
        self._takes = takes
        self._patience = Patience()
        self._hand: list[Received] = []
        self._task: asyncio.Task[None] | None = None

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
                log.exception("intake.broken", inlet=self.inlet.name)
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
        lot = Lot(received, self._mouth)
        await self._read(lot)
        patience = Patience(0.1, 5.0)
        while True:
            try:
                await self._store(lot)
                break
            except (StoreError, Unready, NothingIsRunning) as error:
                log.warning("intake.delayed", inlet=self.inlet.name, error=str(error))
                await asyncio.sleep(patience.lose())
                await self._takes.at_work()
        self.counts["dead"] += lot.failed
        self.counts["dropped"] += lot.dropped
        await self.inlet.done(received)

    async def _store(self, lot: Lot) -> None:
        if events := lot.events:
            try:
                self._answered(lot, await self._takes.accept(events))
            except (NothingIsRunning, Overtaken):
                raise
            except FAULTS:
                await self._one_by_one(lot)
        if letters := lot.letters():
            await self._takes.bury(letters)

    async def _read(self, lot: Lot) -> None:
        """An adapter may ask somebody who is away for a moment: all that failed is tried again at
        once, so that many of them take no longer than one."""
        patience = Patience(RETRY)
        for _ in range(TRIES - 1):
            if not await lot.read():
                return
            await asyncio.sleep(patience.lose())
        await lot.read()

    async def _one_by_one(self, lot: Lot) -> None:
        """Somebody's event is none that can be stored: its message is a dead letter, and the others
        go on."""
        for number, one in enumerate(lot.received):
            events = lot.events_of(number)
            try:
                if events:
                    one.answers = list(await self._takes.accept(events))
                    self._count(one.answers)
            except (NothingIsRunning, Overtaken):
                raise
            except FAULTS as error:
                lot.fail(number, error)
            await asyncio.sleep(0)

    def _answered(self, lot: Lot, answers: Sequence[Any]) -> None:
        lot.answer(answers)
        self._count(answers)

    def _count(self, answers: Sequence[Any]) -> None:
        repeated = sum(answer.duplicate for answer in answers)
        self.counts["duplicate"] += repeated
        self.counts["accepted"] += len(answers) - repeated

    def _well(self) -> None:
        if self.trouble:
            log.info("intake.back", inlet=self.inlet.name)
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
            log.error("intake.away", inlet=self.inlet.name, error=why)
        self.trouble = why

    async def _let_go(self) -> None:
        """Nothing is in hand any more, and nothing is connected."""
        hand, self._hand = self._hand, []
        try:
            async with asyncio.timeout(BACK):
                if hand:
                    await self.inlet.again(hand)
                await self.inlet.close()
        except Exception as error:
            log.warning("intake.not_closed", inlet=self.inlet.name, error=str(error))
