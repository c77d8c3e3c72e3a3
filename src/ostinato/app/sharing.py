"""An app on a store that others share: it goes on where the one before it has ended."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ostinato.app.deploying import Deploying
from ostinato.app.reading import Reading
from ostinato.core.state import State
from ostinato.errors import NothingIsRunning, StoreLocked, Unloadable
from ostinato.ports import Roll, Seat, Storage
from ostinato.runtime.clock import StoreClock
from ostinato.runtime.lease import Lease
from ostinato.runtime.membership import Membership


class Sharing(Deploying, Reading):
    """``_membership`` is None on a store of one process."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._membership: Membership | None = None

    @property
    def stands_by(self) -> bool:
        """Open, and another process does the work; this one reads, and waits for its turn."""
        return self._membership is not None and self._service is None

    async def _state(self, run_id: str, message: str = "") -> State:
        """Its workflow may have been deployed since by the process that does the work."""
        try:
            return await super()._state(run_id, message)
        except Unloadable:
            if not self.stands_by:
                raise
            await self._read_workflows(self.storage)
            return await super()._state(run_id, message)

    async def members(self) -> Roll:
        """Who is at the store, as this process has seen it last; nobody else ever on SQLite."""
        if self._membership is None:
            alone = Seat("here", self.address, _version(), self.now(), holds=True)
            return Roll(self.now(), (alone,))
        return self._membership.roll

    def promote(self) -> None:
        """End ``standby``: take the store as soon as nobody holds it."""
        if self._membership is not None:
            self._membership.go()

    async def _enter(self, storage: Storage) -> bool:
        """Whether this process may use the store as its own from now on."""
        if storage.members is None:
            return True
        settings = self.settings
        self._membership = Membership(
            storage.members,
            settings.lease.total_seconds(),
            lambda: self.address,
            Lease(self._steady),
            heard=self._hear_time,
            take_up=self._go_on,
            lay_down=self._lay_down,
            waits=settings.standby,
        )
        held = await self._membership.enter()
        self._membership.begin()
        return held

    def _hear_time(self, now: int) -> None:
        if isinstance(self._clock, StoreClock):
            self._clock.hear(now)

    @abstractmethod
    async def _take_up(self) -> None:
        """Know the workflows, and make the engine."""

    async def _go_on(self) -> None:
        """What the one before has left goes on here."""
        await self._take_up()
        await self.service.start()

    async def _lay_down(self) -> None:
        """Another goes on with everything."""
        service, self._service = self._service, None
        if service is not None:
            await service.abandon()

    async def _leave(self) -> None:
        membership, self._membership = self._membership, None
        if membership is not None:
            await membership.close()

    def _held_by_another(self) -> StoreLocked:
        holder = None if self._membership is None else self._membership.roll.holder
        who = "another process" if holder is None else f"process {holder.id} at {holder.address}"
        address = None if holder is None else holder.address
        said = f"{who} holds the store; talk to that one, or stop it"
        return StoreLocked(said, address=address)

    def _nobody(self) -> NothingIsRunning:
        if not self.stands_by or self._membership is None:
            return super()._nobody()
        holder = self._membership.roll.holder
        if holder is None:
            return NothingIsRunning("this process stands by, and nobody holds the store yet")
        said = f"this process stands by: {holder.address} does the work, ask there"
        return NothingIsRunning(said, address=holder.address)


def _version() -> str:
    from ostinato import __version__

    return __version__
