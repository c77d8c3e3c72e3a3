"""This process among those that share a store: each has its share of the partitions.

The lease is renewed three times before it would be over. Who has fewer partitions than its share
takes what is free, and what those had who are late by the store's clock; who has more gives some
back. Who was buried is told so by the fence, lays down everything, and comes again as if it were
new.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from ostinato.core.run_ids import PARTITIONS
from ostinato.errors import Fenced, StoreError
from ostinato.ports import LEFT, MISSED, Members, Partitions, Roll, Seat, Taken
from ostinato.runtime.lease import Lease
from ostinato.telemetry.logger import logger

log = logger("ostinato.membership")

TURNS = 3
"""Renewals in the time of one lease."""

TRUSTED = 0.75
"""Part of a lease after which nothing more is begun, by this process's own clock."""


class Work(Protocol):
    """What a process does with its partitions."""

    async def take_up(self, taken: Taken) -> None:
        """Go on with the runs in these, besides those that are here."""

    async def let_go(self, count: int) -> Partitions:
        """Have nothing to do any more with so many partitions, or fewer: these."""

    async def lay_down(self) -> None:
        """All are others' by now."""


class Membership:
    """``span`` is the length of a lease in seconds. ``heard`` gets the store's time (ms) and when
    it was asked (seconds, as the ``lease`` counts), ``news`` what others hint at. ``waits``: it
    takes nothing until it is told. ``stores`` is how many there are in the set, this one included.
    """

    def __init__(
        self,
        members: Members,
        span: float,
        address: Callable[[], str],
        lease: Lease,
        work: Work,
        *,
        heard: Callable[[int, float], None],
        news: Callable[[Sequence[str]], None],
        waits: bool = False,
        stores: int = 1,
    ) -> None:
        self.members = members
        self.lease = lease
        self.waits = waits
        self.owned: Partitions = frozenset()
        self.roll = Roll(0, ())
        self._stores = stores
        self._span = span
        self._address = address
        self._work = work
        self._heard = heard
        self._news = news
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._moving: asyncio.Task[None] | None = None
        self._rests_until = -inf

    @property
    def holds(self) -> bool:
        return bool(self.owned)

    async def come(self) -> None:
        """Be there, and know who else is."""
        self.members.listen(self._listen)
        await self._renew()

    def other(self) -> Seat | None:
        """A process that does work: the hub, if that is another one."""
        others = [
            seat
            for seat in self.roll.seats
            if seat.partitions and not seat.late and seat.id != self.members.id
        ]
        hub = [seat for seat in others if seat.id == self.roll.hub]
        return next(iter(hub + others), None)

    async def enter(self) -> Taken:
        """Take what can be had. Whoever asks takes it up itself."""
        taken = await self._take()
        if not (self.waits or self.owned):
            await self.members.hint([LEFT])  # who has more than its share looks at once
        if self.owned:
            await self._renew()
        return taken

    def begin(self) -> None:
        """Renew from now on, until ``close``."""
        self._task = asyncio.create_task(self._turn(), name="ostinato-membership")

    def _listen(self, words: Sequence[str]) -> None:
        if LEFT in words or MISSED in words:
            self.look()
        self._news(words)

    def look(self) -> None:
        """Something may have changed: do not wait for the next turn."""
        self._wake.set()

    def go(self) -> None:
        """It is told: from now on it takes what it can."""
        self.waits = False
        self.look()

    async def rest(self) -> None:
        """Take nothing more. What it has it keeps, until ``close``."""
        self.waits = True
        await _cancelled(self._moving)

    async def close(self) -> None:
        """Leave: the others go on at once. A store that fails notices it by itself."""
        await _cancelled(self._task)
        await _cancelled(self._moving)
        self.owned = frozenset()
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
                self._move()
            except Fenced as error:
                await self._lose(error)
            except StoreError as error:
                log.warning("lease.not_renewed", error=str(error))
            except Exception:
                log.exception("membership.broken")  # ours to mend; the lease goes on

    async def _renew(self) -> None:
        began, lease = self.lease.now(), round(self._span * 1000)
        try:
            async with asyncio.timeout(self._span / 2):
                self.roll = await self.members.renew(
                    lease, self._address(), waits=self.waits, stores=self._stores
                )
        except TimeoutError:
            said = f"the store does not answer within {self._span / 2:g} s"
            raise StoreError(f"{said}; look at its load, or make `lease` longer") from None
        self._heard(self.roll.now, began)
        if self.owned:
            self.lease.prolong(began + self._span * TRUSTED)

    # shares

    def share(self) -> int:
        """How many partitions this process should have: all shares together are all that there are,
        so whoever comes finds some. Who came first has one more where they do not come out even."""
        working = [one.id for one in self.roll.seats if not (one.waits or one.late)]
        least, more = divmod(PARTITIONS, max(1, len(working)))
        return least + (self.members.id in working[:more])

    def _move(self) -> None:
        """Beside the renewals: to take up or to let go may take longer than a lease."""
        if self.waits or (self._moving is not None and not self._moving.done()):
            return
        if self.lease.now() < self._rests_until:
            return
        late = any(seat.late and seat.partitions for seat in self.roll.seats)
        here = self.roll.seat(self.members.id)
        if here is not None and here.partitions > len(self.owned):
            self._moving = asyncio.create_task(self._recover(), name="ostinato-recover")
        elif late or (self.roll.free and len(self.owned) < self.share()):
            self._moving = asyncio.create_task(self._take_more(), name="ostinato-take")
        elif len(self.owned) > self.share():
            self._moving = asyncio.create_task(self._give(), name="ostinato-give")

    async def _take(self) -> Taken:
        if self.waits:
            return Taken()
        found = await self.members.take(max(0, self.share() - len(self.owned)))
        new = found.partitions - self.owned  # what was found again is at work here already
        if new:
            self.owned |= new
            log.info("partitions.taken", count=len(new), member=self.members.id)
        return Taken(new, found.orphans)

    async def _take_more(self) -> None:
        try:
            taken = await self._take()
        except Fenced:
            self.look()  # the next renewal says so, too
            return
        except StoreError as error:
            log.warning("partitions.not_taken", error=str(error))
            return
        if taken.partitions:
            self.look()  # the lease counts from the next renewal on
            await self._take_up(taken)

    async def _recover(self) -> None:
        """The store says that it has more: an answer was lost when they were taken or given."""
        with contextlib.suppress(StoreError, Fenced):
            owners = await self.members.owners()
            found = {each for each, id in owners.items() if id == self.members.id} - self.owned
            if found:
                self.owned |= found
                await self._take_up(Taken(frozenset(found), orphans=True))

    async def _take_up(self, taken: Taken) -> None:
        try:
            await self._work.take_up(taken)
        except Exception as error:
            log.error("partitions.given_up", error=f"{type(error).__name__}: {error}")
            self._rests_until = self.lease.now() + self._span
            await self._lay_down()
            with contextlib.suppress(StoreError, Fenced):
                await self.members.leave()  # whoever can, goes on; this one tries again later

    async def _give(self) -> None:
        given = await self._work.let_go(len(self.owned) - self.share())
        self.owned -= given
        if given:
            log.info("partitions.given", count=len(given))
            with contextlib.suppress(StoreError, Fenced):  # what is kept is found again
                await self.members.give(given)

    async def _lose(self, error: Fenced) -> None:
        log.error(
            "partitions.lost", error=str(error), hint="it was stopped or cut off for too long"
        )
        await _cancelled(self._moving)
        await self._lay_down()
        self.look()

    async def _lay_down(self) -> None:
        self.owned = frozenset()
        self.lease.end()
        await self._work.lay_down()


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None and task is not asyncio.current_task():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
