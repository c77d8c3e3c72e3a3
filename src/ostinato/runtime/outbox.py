"""What is to be sent: published in the order it was stored, taken away once the bus has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import attrgetter

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
from ostinato.runtime.posts import Keep, Pair
from ostinato.telemetry.logger import logger

_kind_of_event = attrgetter("event.__class__")
_pair = attrgetter("event.source", "event.id")

log = logger("ostinato.outbox")

MANY = 500
HEAVY = 16 << 20
"""Bytes of events that are in hand at once, besides the first."""

PAUSE = 1.0
"""Seconds before a bus that refused is tried again."""


REFUSALS = (DefinitionError, UsageError, Refused)
"""What is wrong with an event itself: no later try would be taken. The rest is tried again."""


class Outbox:
    """One sending at a time, beside the engine's loop: a slow bus holds nobody up."""

    def __init__(self, engine: Engine, bus: Bus) -> None:
        self.engine = engine
        self.bus = bus
        self.waiting = False
        self.tell: Callable[[str, str], None] = lambda kind, about: None
        self._sending: asyncio.Task[None] | None = None
        self._left: frozenset[Pair] = frozenset()  # they stand in front, and hold nobody up

    def expect(self, run_id: str = "") -> None:
        """Something of this run is to be sent."""
        if not run_id or self.engine.territory.has_run(run_id):
            self.waiting = True
        else:
            self.tell("outbox", str(partition_of(run_id)))

    def hinted(self, partition: str) -> None:
        """Something lies there, as another process says."""
        self.waiting = True
        self.engine.wake.set()

    async def run_once(self, now: int) -> int:
        if not self.waiting or self._sending is not None:
            return 0
        self.waiting = False
        try:
            outgoing = await self._read()
        except BaseException:
            self.waiting = True  # what could not be read is there still
            raise
        if outgoing:
            self._sending = asyncio.create_task(self._send(outgoing), name="ostinato-outbox")
        return len(outgoing)

    async def _read(self) -> list[Outgoing]:
        lots = 1 + len(self._left) // MANY
        many, owned = len(self._left) + MANY, self.engine.territory.owned
        return await self.engine.storage.outbox(many, HEAVY * lots, owned)

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
                await asyncio.sleep(PAUSE)
        except (Unready, NothingIsRunning):
            return  # sent, but that is not stored: it goes out again
        except Exception as error:  # a bus may fail in any way
            log.warning("outbox.delayed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE)
        finally:
            self._sending = None
            self.waiting = True  # there may be more
            self.engine.wake.set()

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
            await self.bus.send([one.event for one in outgoing])
        except NothingIsRunning:  # it is stopping: nothing is wrong with the events
            raise
        except Unsent as error:
            log.warning("outbox.delayed", error=str(error), events=len(error.events))
            self._left = error.events
            return []
        except REFUSALS:
            pass
        else:
            return []
        dead: list[DeadLetter] = []
        for one in outgoing:
            try:
                await self.bus.send([one.event])
            except NothingIsRunning:
                raise
            except REFUSALS as error:
                dead.append(self._letter(one, error))
        return dead

    def _letter(self, one: Outgoing, error: Exception) -> DeadLetter:
        event, reason = one.event, f"{type(error).__name__}: {error}"
        log.error("outbox.refused", run=one.run_id, type=event.type, id=event.id, error=reason)
        reasons = encoded_reasons([Problem(reason)])
        now = self.engine.clock.now()
        return DeadLetter(
            self.engine.identity.event_id(now), now, "outgoing", one.run_id, event.source, event.id,
            reasons, event, one.run_id or None,
        )  # fmt: skip

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
