"""Messages of one bus, read and stored: events, or a dead letter of what cannot be one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from ostinato.core.cloudevents import Event
from ostinato.errors import NothingIsRunning, Overtaken, Refused, UsageError
from ostinato.ports import DeadLetter
from ostinato.ports.buses import Received
from ostinato.runtime.lots import Lot, Mouth
from ostinato.runtime.patience import Patience

FAULTS = (
    UsageError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError, Refused,
)  # fmt: skip
"""What no store that is away raises: somebody's adapter made what is no event."""

TRIES, RETRY = 3, 0.1
"""How often an adapter may fail on a message, and seconds before the second try."""


class Stores(Protocol):
    """What is asked of the app that keeps what comes in."""

    async def accept(self, events: Sequence[Event]) -> Sequence[Any]:
        """Store them, all or none; each answer says whether it was a ``duplicate``."""
        ...

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters; those that are stored already change nothing."""


class Taking:
    """``counts`` is what became of messages and their events."""

    def __init__(self, mouth: Mouth, stores: Stores) -> None:
        self.counts: Counter[str] = Counter()
        self._mouth = mouth
        self._stores = stores

    async def read(self, received: Sequence[Received]) -> Lot:
        """An adapter may ask somebody who is away for a moment: all that failed is tried again at
        once, so that many of them take no longer than one."""
        lot, patience = Lot(received, self._mouth), Patience(RETRY)
        for _ in range(TRIES - 1):
            if not await lot.read():
                return lot
            await asyncio.sleep(patience.lose())
        await lot.read()
        return lot

    async def store(self, lot: Lot) -> None:
        """All that is to be kept is stored when this returns. Raises what the store raises: then it
        may be called again with the same."""
        if not lot.answered and (events := lot.events):
            try:
                self._answered(lot, await self._stores.accept(events))
            except (NothingIsRunning, Overtaken):
                raise
            except FAULTS:
                await self._one_by_one(lot)
            lot.answered = True  # when what follows fails, this is not done again
        if letters := lot.letters():
            await self._stores.bury(letters)
        self.counts["dead"] += lot.failed
        self.counts["dropped"] += lot.dropped

    async def _one_by_one(self, lot: Lot) -> None:
        """Somebody's event is none that can be stored: its message is a dead letter, and the others
        go on."""
        for number, one in enumerate(lot.received):
            events = lot.events_of(number)
            try:
                if events:
                    one.answers = list(await self._stores.accept(events))
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
