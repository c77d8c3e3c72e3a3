"""This process among those that share a store: one holds it, the others stand by.

The lease is renewed three times before it would be over. Who stands by takes the store as soon as
its holder has left, or is late by the store's clock. Who has lost it is told so by the fence, lays
down everything, and stands by again as if it had just come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from ostinato.errors import Fenced, StoreError
from ostinato.ports import Members, Roll
from ostinato.runtime.lease import Lease
from ostinato.telemetry.logger import logger

log = logger("ostinato.membership")

TURNS = 3
"""Renewals in the time of one lease."""

TRUSTED = 0.75
"""Part of a lease after which its holder begins nothing more, by its own clock."""

Change = Callable[[], Awaitable[None]]


class Membership:
    """``span`` is the length of a lease in seconds. ``take_up`` is awaited when this process has
    come to hold the store, ``lay_down`` when it has lost it. ``heard`` gets the store's time (ms).
    ``waits``: it takes nothing until it is told.
    """

    def __init__(
        self,
        members: Members,
        span: float,
        address: Callable[[], str],
        lease: Lease,
        *,
        heard: Callable[[int], None],
        take_up: Change,
        lay_down: Change,
        waits: bool = False,
    ) -> None:
        self.members = members
        self.lease = lease
        self.holds = False
        self.waits = waits
        self.roll = Roll(0, ())
        self._span = span
        self._address = address
        self._heard = heard
        self._take_up = take_up
        self._lay_down = lay_down
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.taking: asyncio.Task[None] | None = None

    async def enter(self) -> bool:
        """Come, and take the store if that can be. Whoever asks takes up what it finds then."""
        self.members.listen(self.look)
        await self._renew()
        if not self.waits and await self.members.take():
            self.holds = True
            await self._renew()
        return self.holds

    def begin(self) -> None:
        """Renew from now on, until ``close``."""
        self._task = asyncio.create_task(self._turn(), name="ostinato-membership")

    def look(self) -> None:
        """Something may have changed: do not wait for the next turn."""
        self._wake.set()

    def go(self) -> None:
        """It is told: from now on it takes the store when it can."""
        self.waits = False
        self.look()

    async def rest(self) -> None:
        """Take nothing more. What it holds it goes on to hold, until ``close``."""
        self.waits = True
        await _cancelled(self.taking)

    async def close(self) -> None:
        """Leave: who stands by goes on at once. A store that fails notices it by itself."""
        await _cancelled(self._task)
        await _cancelled(self.taking)
        self.holds = False
        with contextlib.suppress(StoreError, Fenced, TimeoutError):
            async with asyncio.timeout(self._span):
                await self.members.leave()

    async def _turn(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):  # wait_for may lose a cancellation
                async with asyncio.timeout(self._span / TURNS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._renew()
                if not (self.holds or self.waits) and await self.members.take():
                    self._begin_to_hold()
                    await self._renew()
            except Fenced as error:
                await self._lose(error)
            except StoreError as error:
                log.warning("lease.not_renewed", error=str(error))
            except Exception:
                log.exception("membership.broken")  # ours to mend; the lease goes on

    async def _renew(self) -> None:
        began = self.lease.now()
        try:
            async with asyncio.timeout(self._span / 2):
                self.roll = await self.members.renew(round(self._span * 1000), self._address())
        except TimeoutError:
            said = f"the store does not answer within {self._span / 2:g} s"
            raise StoreError(f"{said}; look at its load, or make `lease` longer") from None
        self._heard(self.roll.now)
        if self.holds:
            self.lease.prolong(began + self._span * TRUSTED)

    def _begin_to_hold(self) -> None:
        """Beside the renewals: it may take longer than a lease."""
        self.holds = True
        log.info("store.taken", member=self.members.id)
        self.taking = asyncio.create_task(self._hold(), name="ostinato-take-up")

    async def _hold(self) -> None:
        try:
            await self._take_up()
        except Exception as error:
            log.error("store.given_up", error=f"{type(error).__name__}: {error}")
            self.holds = False
            await self._lay_down()
            await self.members.leave()  # whoever can, goes on; this one tries again

    async def _lose(self, error: Fenced) -> None:
        log.error("store.lost", error=str(error), hint="it was stopped or cut off for too long")
        self.holds = False
        self.lease.end()
        await _cancelled(self.taking)
        await self._lay_down()
        self.look()


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
