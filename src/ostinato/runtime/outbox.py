"""What is to be sent: published in the order it was stored, taken away once the bus has it."""

from __future__ import annotations

import asyncio

from ostinato.errors import Unready
from ostinato.ports import Bus, Outgoing
from ostinato.runtime.engine import Engine
from ostinato.runtime.posts import Keep
from ostinato.telemetry.logger import logger

log = logger("ostinato.outbox")

MANY = 500
PAUSE = 1.0
"""Seconds before a bus that refused is tried again."""


class Outbox:
    """One sending at a time, beside the engine's loop: a slow bus holds nobody up."""

    def __init__(self, engine: Engine, bus: Bus) -> None:
        self.engine = engine
        self.bus = bus
        self._waiting = True  # an earlier process may have left something
        self._sending: asyncio.Task[None] | None = None

    def expect(self) -> None:
        self._waiting = True

    async def run_once(self, now: int) -> int:
        if not self._waiting or self._sending is not None:
            return 0
        self._waiting = False
        outgoing = await self.engine.storage.outbox(MANY)
        if outgoing:
            self._sending = asyncio.create_task(self._send(outgoing), name="ostinato-outbox")
        return len(outgoing)

    async def _send(self, outgoing: list[Outgoing]) -> None:
        try:
            await self.bus.send([one.event for one in outgoing])
            numbers = [one.number for one in outgoing]
            await self.engine.ask(lambda answer: Keep(answer, sent=numbers))
        except Unready:
            return  # sent, but that is not stored: it goes out again
        except Exception as error:  # a bus may fail in any way
            log.warning("outbox.delayed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE)
        finally:
            self._sending = None
            self._waiting = True  # there may be more
            self.engine.wake.set()

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
