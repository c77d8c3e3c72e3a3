"""An app on a store that others share: each does its part of the work, and goes on where another
has ended."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from typing import Any

from ostinato.app.deploying import Deploying
from ostinato.app.marks import refuse_fewer, refuse_part
from ostinato.app.reading import Reading
from ostinato.core.run_ids import HUB, PARTITIONS
from ostinato.core.state import State
from ostinato.definitions import read
from ostinato.errors import (
    NothingIsRunning,
    OstinatoError,
    SettingsError,
    StoreLocked,
    Unloadable,
)
from ostinato.ports import Partitions, Roll, Seat, Storage, Taken
from ostinato.ports.members import NONE
from ostinato.runtime.clock import StoreClock
from ostinato.runtime.lease import Lease
from ostinato.runtime.membership import Membership
from ostinato.runtime.news import News
from ostinato.telemetry.logger import logger

log = logger("ostinato.app")


class Sharing(Deploying, Reading):
    """``_membership`` is None on a store of one process. ``ended`` is set when it may never work
    again, and ``ended_by`` says why."""

    _stores = 1
    """How many the set has that it works with."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._membership: Membership | None = None
        self._news: News | None = None
        self._bringing: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self.ended = asyncio.Event()
        self.ended_by: OstinatoError | None = None

    @property
    def stands_by(self) -> bool:
        """Open, and others do the work; this one reads, and has no part of the runs yet."""
        return self._membership is not None and self._service is None

    def _idle(self) -> str:
        """Why it does nothing."""
        if self._membership is None:
            return "not started"
        if self.ended_by is not None:
            return str(self.ended_by)
        return "standing by" if self._membership.waits else "joining"

    async def _state(self, run_id: str, message: str = "") -> State:
        """Its workflow may have been deployed since by another process."""
        try:
            return await super()._state(run_id, message)
        except Unloadable:
            if not await self._learn_deployed():
                raise
            return await super()._state(run_id, message)

    async def members(self) -> Roll:
        """Who is at the store, as this process has seen it last; nobody else ever on SQLite."""
        if self._membership is None:
            alone = Seat("here", self.address, _version(), self.now(), PARTITIONS)
            return Roll(self.now(), (alone,), "here")
        return self._membership.roll

    def promote(self) -> bool:
        """End ``standby``: take this process's share of the runs. Whether it stood by."""
        if self._membership is None or not self._membership.waits:
            return False
        self._membership.go()
        return True

    async def _enter(self, storage: Storage, *, alone: bool) -> Taken | None:
        """What this process may go on with; None: everything, on a store that nobody shares.

        Raises ``StoreLocked`` when it is to be ``alone``, and is not.
        """
        if storage.members is None:
            return None
        settings, lease = self.settings, Lease(self._steady)
        self._news = News(storage.members)
        self._membership = Membership(
            storage.members,
            settings.lease.total_seconds(),
            lambda: self.address,
            lease,
            _Share(self),
            heard=self._hear_time,
            news=self._news.heard,
            waits=settings.standby,
            stores=self._stores,
        )
        await self._membership.come()
        if alone and (other := self._membership.other()) is not None:
            raise self._held_by(other)
        taken = await self._membership.enter()
        if taken.partitions:
            await self._check_set()
        return taken

    async def _refuse_part(self) -> None:
        await refuse_part(self.storage, self.settings.store_shown)

    async def _check_set(self) -> None:
        """Whether it may work with what it has just taken. Raises as ``refuse_fewer``, and ends
        where it never may again."""
        try:
            await refuse_fewer(self.storage, self._stores, self.settings.store_shown)
            await self._refuse_part()
        except SettingsError as error:
            self._end(error)
            raise

    def _end(self, error: OstinatoError) -> None:
        """Take nothing any more: this needs a person."""
        self.ended_by = error
        self.ended.set()
        if self._membership is not None:
            self._membership.waits = True

    def _stay(self) -> None:
        if self._membership is not None:
            self._membership.begin()

    def _hear_time(self, now: int, asked: float) -> None:
        if isinstance(self._clock, StoreClock):
            self._clock.hear(now, asked)

    @abstractmethod
    async def _begin_to_work(self, taken: Taken | None) -> None:
        """Know the workflows, and make the engine."""

    # what membership asks for

    async def _take_up(self, taken: Taken) -> None:
        async with self._beginning:
            first = self._service is None
            if first:
                await self._check_set()
                await self._begin_to_work(taken)
        if not first:
            await self.service.moves.take(taken)
            return
        await self.service.start(taken)
        self._at_work.set()
        bring = self._try_to_bring(HUB in taken.partitions)
        self._bringing = asyncio.create_task(bring, name="ostinato-deploy")

    async def _try_to_bring(self, leads: bool) -> None:
        """Beside what membership does: whoever leads may have died, and is to be followed."""
        try:
            await self._bring_documents(leads)
        except OstinatoError as error:
            log.error("documents.not_deployed", error=str(error))

    async def _bring_documents(self, leads: bool) -> None:
        """Its own, where another process deploys what all are to know."""
        if not leads and self._documents:
            await self.deploy_documents([read(data) for data in self._documents])

    async def _let_go(self, count: int) -> Partitions:
        return NONE if self._service is None else await self._service.moves.give(count)

    async def _lay_down(self) -> None:
        """Others go on with everything."""
        service, self._service = self._service, None
        self._at_work.clear()
        if service is not None:
            await service.abandon()
        with contextlib.suppress(OstinatoError, TimeoutError):  # it looks again when it has taken
            async with asyncio.timeout(self.settings.lease.total_seconds() / 2):
                await self._check_set()

    async def _leave(self) -> None:
        if self._bringing is not None:
            self._bringing.cancel()
        membership, self._membership = self._membership, None
        if membership is not None:
            await membership.close()

    def _held_by(self, other: Seat) -> StoreLocked:
        said = f"process {other.id} at {other.address} works on the store"
        return StoreLocked(f"{said}; talk to that one, or stop it", address=other.address)

    def _nobody(self) -> NothingIsRunning:
        if not self.stands_by or self._membership is None:
            return super()._nobody()
        if self.ended_by is not None:
            return NothingIsRunning(str(self.ended_by))
        does = "stands by" if self._membership.waits else "has no part of the runs yet"
        other = self._membership.other()
        where = "nobody does the work yet" if other is None else f"ask {other.address}"
        address = None if other is None else other.address
        return NothingIsRunning(f"this process {does}; {where}", address=address)


class _Share:
    """What membership asks for: no verbs of the app."""

    def __init__(self, app: Sharing) -> None:
        self.take_up = app._take_up
        self.let_go = app._let_go
        self.lay_down = app._lay_down


def _version() -> str:
    from ostinato import __version__

    return __version__
