"""Processes that share a store: one holds it, and the clock of the store says for how long.

class TestMySharedStorage(SharingContract):
    def place(self): return a new, empty place for data
    def make(self, place): return MyStorage(place), another process with each call
    async def pass_by(self, place, seconds): let this time go by at the store
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ostinato.errors import Fenced, UnknownCommit
from ostinato.ports import Batch, Members, Storage
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.samples import record

LEASE = 1_500


class SharingContract(ABC):
    @abstractmethod
    def place(self) -> Any:
        """A new, empty place for data: a path, an address."""

    @abstractmethod
    def make(self, place: Any) -> Storage:
        """Another process's way to the place, not yet open."""

    @abstractmethod
    async def pass_by(self, place: Any, seconds: float) -> None:
        """So much time goes by at the store."""

    @asynccontextmanager
    async def processes(self, count: int, place: Any = None) -> AsyncIterator[list[Storage]]:
        where = self.place() if place is None else place
        found = [self.make(where) for _ in range(count)]
        for storage in found:
            await storage.open()
            await members(storage).renew(LEASE, f"http://{members(storage).id}")
        try:
            yield found
        finally:
            for storage in found:
                await storage.close()

    async def test_one_process_holds_the_store(self) -> None:
        async with self.processes(2) as (first, second):
            assert await members(first).take()
            assert not await members(second).take()
            assert await members(first).take()
            roll = await members(second).renew(LEASE, "http://second")
            assert roll.holder is not None
            assert roll.holder.id == members(first).id
            assert roll.holder.address == f"http://{members(first).id}"
            assert {seat.id for seat in roll.seats} == {members(first).id, members(second).id}

    async def test_who_does_not_hold_it_writes_nothing(self) -> None:
        async with self.processes(2) as (first, second):
            await raises(Fenced, second.join())
            await members(first).take()
            await first.commit(Batch(epoch=await first.join(), records=[record()]))
            await raises(Fenced, second.join())
            assert await second.history("r1") == [record()]

    async def test_who_leaves_is_followed_at_once_and_others_hear_of_it(self) -> None:
        async with self.processes(2) as (first, second):
            heard = asyncio.Event()
            members(second).listen(heard.set)
            await members(first).take()
            epoch = await first.join()
            await members(first).leave()
            await members(first).leave()
            await asyncio.wait_for(heard.wait(), 10)
            await raises(Fenced, first.commit(Batch(epoch=epoch, records=[record()])))
            assert await members(second).take()
            await second.commit(Batch(epoch=await second.join(), records=[record()]))

    async def test_a_lease_that_is_over_is_taken_and_its_holder_is_told_once(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await members(first).take()
            epoch = await first.join()
            await self.pass_by(place, LEASE / 1000 + 0.1)
            await members(second).renew(LEASE, "http://second")
            assert await members(second).take()
            late = first.commit(Batch(epoch=epoch, records=[record()]))
            await raises((Fenced, UnknownCommit), late)  # its connection may have been cut, too
            await raises(Fenced, first.join())
            await raises(Fenced, members(first).renew(LEASE, "http://first"))
            roll = await members(first).renew(LEASE, "http://first")
            assert roll.holder is not None
            assert roll.holder.id == members(second).id
            assert not await members(first).take()
            await second.commit(Batch(epoch=await second.join(), records=[record()]))

    async def test_a_lease_that_is_renewed_is_not_taken(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await members(first).take()
            for _ in range(3):
                await self.pass_by(place, LEASE / 1000 * 0.6)
                await members(first).renew(LEASE, "http://first")
                await members(second).renew(LEASE, "http://second")
                assert not await members(second).take()

    async def test_a_holder_that_is_late_and_not_followed_goes_on(self) -> None:
        place = self.place()
        async with self.processes(1, place) as (only,):
            await members(only).take()
            epoch = await only.join()
            await self.pass_by(place, LEASE / 1000 + 0.1)
            await only.commit(Batch(epoch=epoch, records=[record()]))
            roll = await members(only).renew(LEASE, "http://only")
            assert roll.holder is not None
            assert not roll.holder.late

    async def test_a_clock_that_is_set_back_keeps_nobody_in_its_place(self) -> None:
        """No process can be relied on to say how long another one's lease may still be."""
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await members(first).take()
            await self.pass_by(place, -3_600)
            await members(second).renew(LEASE, "http://second")
            assert not await members(second).take()
            await self.pass_by(place, LEASE / 1000 + 0.1)
            await members(second).renew(LEASE, "http://second")
            assert await members(second).take()

    async def test_of_many_that_take_at_once_one_gets_it(self) -> None:
        async with self.processes(4) as several:
            got = await asyncio.gather(*[members(one).take() for one in several])
            assert sorted(got) == [False, False, False, True]


def members(storage: Storage) -> Members:
    assert storage.members is not None
    return storage.members
