"""One bus's way out: what is to be sent is read, sent, and taken away once the bus has it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import attrgetter

from ostinato.core.routes import OWN
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
from ostinato.runtime.late import Late
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
"""Seconds at most before others are sent when a bus has taken none of a whole lot."""

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


def _time() -> float:
    return asyncio.get_running_loop().time()


class Lane:
    """One sending at a time, beside the engine's loop.

    What the bus has not taken alone is late: it comes again after a pause of its own, what is of
    the same order waits behind it, and everything else goes on.
    """

    def __init__(self, engine: Engine, name: str, bus: Bus) -> None:
        self.engine = engine
        self.name = name
        self.bus = bus
        self.waiting = False
        self.resting = False
        self.trouble = ""
        self.sending: asyncio.Task[None] | None = None
        self._patience = Patience(PAUSE, PAUSE if name == OWN else 30.0)
        self._late = Late()
        self._alarm: asyncio.TimerHandle | None = None

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
        elif self._late:
            self._come_back()
        return len(outgoing)

    async def _read(self) -> list[Outgoing]:
        resting = self._late.resting(_time()) if self._late else []
        due = len(self._late) - len(resting)
        many = min(MANY, due) if self._late.is_full else MANY
        if not many:
            return []
        owned = self.engine.territory.owned
        found = await self.engine.storage.outbox(many, HEAVY, owned, self.name, resting)
        if due:
            self._forget(found, resting)
        return found

    def _forget(self, found: Sequence[Outgoing], resting: Sequence[int]) -> None:
        """Those that are due and not there any more: another process has them by now."""
        there = {*resting, *(one.number for one in found)}
        last = found[-1].number if found else None
        gone = [n for n in self._late if n not in there and (last is None or n < last)]
        self._late.win(gone)

    def _come_back(self) -> None:
        """When the first of those that are late is due."""
        if self._alarm is not None:
            self._alarm.cancel()
        due = self._late.next_due()
        if due is not None:
            self._alarm = asyncio.get_running_loop().call_at(due, self._ring)

    def _ring(self) -> None:
        self.waiting = True
        self.engine.wake.set()

    async def _send(self, outgoing: list[Outgoing]) -> None:
        try:
            readable, dead = self._readable(outgoing)
            free = self._free(readable) if self._late else readable
            if free:
                dead += await self._sent(free)
            numbers = [one.number for one in outgoing if one.number not in self._late]
            if numbers:
                await self.engine.ask(lambda answer: Keep(answer, sent=numbers, dead_letters=dead))
                self._patience.regain()
            elif len(outgoing) == MANY:  # nothing of so many was taken
                await asyncio.sleep(min(self._patience.lose(), SOON))
        except (Unready, NothingIsRunning):
            return  # sent, but that is not stored: it goes out again
        except Exception as error:  # a bus may fail in any way
            self._delayed(f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._patience.lose())
        finally:
            self.sending = None
            self._ring()  # there may be more

    def _free(self, outgoing: list[Outgoing]) -> list[Outgoing]:
        """Those that pass none of their order; the others wait with it."""
        beside, free = {one.number for one in outgoing}, list[Outgoing]()
        for one in outgoing:
            order = self.bus.order_of(one.event)
            if order is not None and self._late.holds(order, beside):
                self._late.lose(one.number, order, _time(), tried=False)
                beside.discard(one.number)
            else:
                free.append(one)
        return free

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
            with unless_silent(self._delayed):
                await self.bus.send([one.event for one in outgoing])
        except NothingIsRunning:  # it is stopping: nothing is wrong with the events
            raise
        except Unsent as error:
            return self._partly(outgoing, error)
        except (*REFUSALS, *FAULTS):
            dead = await self._one_by_one(outgoing)
        else:
            dead = []
        if self._late:
            self._late.win(one.number for one in outgoing)
        if not self._late:
            self.trouble = ""
        return dead

    def _partly(self, outgoing: list[Outgoing], error: Unsent) -> list[DeadLetter]:
        if error.events:
            self._delayed(str(error), events=len(error.events))
        time, dead = _time(), list[DeadLetter]()
        for one in outgoing:
            if (pair := _pair(one)) in error.events:
                self._late.lose(one.number, self.bus.order_of(one.event), time, tried=True)
                continue
            self._late.win([one.number])
            if pair in error.refused:
                dead.append(self._letter(one, error.refused[pair]))
        return dead

    def _delayed(self, why: str, **about: int) -> None:
        """The same trouble is told once."""
        if why != self.trouble:
            log.warning("outbox.delayed", bus=self.name, error=why, **about)
        self.trouble = why
        self.engine.wake.set()  # who waits until all is sent need not wait for this

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
        if self._alarm is not None:
            self._alarm.cancel()
        if self.sending is not None:
            self.sending.cancel()
            await asyncio.gather(self.sending, return_exceptions=True)
