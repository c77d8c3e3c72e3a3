"""Processes that share a store: each has some partitions, and only it writes about their runs.

class TestMySharedStorage(SharingContract):
    def place(self): return a new, empty place for data
    def make(self, place): return MyStorage(place), another process with each call
    async def pass_by(self, place, seconds): let this time go by at the store
"""

from __future__ import annotations

import asyncio

from ostinato.core.run_ids import HUB, PARTITIONS
from ostinato.errors import Fenced
from ostinato.ports import LEFT, Batch, Taken
from ostinato.testing.storage_contract.dying import DyingPromises
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.ordering import OrderPromises
from ostinato.testing.storage_contract.partitioned import PartitionedPromises
from ostinato.testing.storage_contract.samples import record
from ostinato.testing.storage_contract.shared import LEASE, Ears, come, members, take

HALF = PARTITIONS // 2
ALL = frozenset(range(PARTITIONS))


class SharingContract(DyingPromises, OrderPromises, PartitionedPromises):
    async def test_partitions_are_dealt_out(self) -> None:
        async with self.processes(2) as (first, second):
            one, other = await take(first, HALF), await take(second, PARTITIONS)
            assert (len(one), len(other), one | other) == (HALF, HALF, ALL)
            names = dict.fromkeys(one, members(first).id) | dict.fromkeys(other, members(second).id)
            assert await members(first).owners() == names
            assert await members(second).owners() == names

    async def test_the_hub_comes_first(self) -> None:
        async with self.processes(2) as (first, second):
            assert await take(first, 1) == {HUB}
            assert HUB not in await take(second, 1)

    async def test_who_does_not_want_the_hub_leaves_it_to_others(self) -> None:
        async with self.processes(2) as (first, second):
            taken = await members(first).take(PARTITIONS, hub=False)
            assert taken.partitions == ALL - {HUB}
            assert await take(second, 3) == {HUB}

    async def test_what_was_taken_is_told_once(self) -> None:
        async with self.processes(2) as (first, second):
            before = await take(first, 3)
            after = await take(first, 2)
            assert (len(before), len(after), len(before | after)) == (3, 2, 5)
            assert await members(first).take(0) == Taken()
            assert len(await take(second, PARTITIONS)) == PARTITIONS - 5
            assert await take(first, PARTITIONS) == set()

    async def test_of_many_that_take_at_once_each_partition_has_one(self) -> None:
        async with self.processes(4) as several:
            got = await asyncio.gather(*[take(one, 20) for one in several])
            assert sorted(map(len, got)) == [4, 20, 20, 20]
            assert frozenset().union(*got) == ALL
            names = [members(one).id for one in several]
            owners = {part: name for name, mine in zip(names, got, strict=True) for part in mine}
            assert await members(several[0]).owners() == owners

    async def test_the_roll_says_who_is_there_and_has_how_much(self) -> None:
        async with self.processes(2) as (first, second):
            roll = await come(second)
            assert (roll.hub, roll.free) == (None, PARTITIONS)
            await take(first, 40)
            await take(second, 4)
            roll = await members(second).renew(LEASE, "http://second", waits=True)
            assert (roll.hub, roll.free) == (members(first).id, PARTITIONS - 44)
            assert len(roll.seats) == 2
            one, other = roll.seat(members(first).id), roll.seat(members(second).id)
            assert one is not None
            assert other is not None
            assert one.address == f"http://{members(first).id}"
            assert (one.partitions, one.waits, one.late, one.since) == (40, False, False, roll.now)
            assert (other.address, other.partitions, other.waits) == ("http://second", 4, True)
            roll = await come(second)
            assert [seat.waits for seat in roll.seats] == [False, False]

    async def test_who_only_asks_for_the_roll_is_not_on_it(self) -> None:
        async with self.processes(2) as (first, second):
            await members(second).leave()
            await members(first).renew(LEASE, "http://first", stores=3)
            await take(first, 5)
            roll = await members(second).roll()
            assert (roll.hub, roll.free) == (members(first).id, PARTITIONS - 5)
            assert [(seat.id, seat.partitions, seat.stores) for seat in roll.seats] == [
                (members(first).id, 5, 3)
            ]
            roll = await members(first).renew(LEASE, "http://first", stores=2)
            assert [seat.stores for seat in roll.seats] == [2]

    async def test_who_has_nothing_joins_not(self) -> None:
        async with self.processes(2) as (first, second):
            await raises(Fenced, second.join())
            await take(first, PARTITIONS)
            await first.commit(Batch(epoch=await first.join(), records=[record()]))
            await raises(Fenced, second.join())
            assert await second.history("r1") == [record()]

    async def test_who_joins_fences_nobody_but_its_own_past(self) -> None:
        async with self.processes(2) as (first, second):
            await take(first, HALF)
            await take(second, HALF)
            one, other = await first.join(), await second.join()
            assert one != other
            await first.commit(Batch(epoch=one, records=[record("a")]))
            again = await first.join()
            assert again > one
            await raises(Fenced, first.commit(Batch(epoch=one, records=[record("a", 1)])))
            await second.commit(Batch(epoch=other, records=[record("b")]))
            await first.commit(Batch(epoch=again, records=[record("a", 1)]))

    async def test_an_epoch_is_that_of_one_process(self) -> None:
        async with self.processes(2) as (first, second):
            await take(first, HALF)
            await take(second, HALF)
            of_first, of_second = await first.join(), await second.join()
            await raises(Fenced, second.commit(Batch(epoch=of_first)))
            await raises(Fenced, first.commit(Batch(epoch=of_second)))

    async def test_what_is_given_is_free_and_nobodys_orphan(self) -> None:
        async with self.processes(2) as (first, second):
            ears = Ears(second)
            await take(first, PARTITIONS)
            epoch = await first.join()
            await members(first).give([3, 4, HUB])
            await ears.until(lambda heard: heard == [LEFT])
            assert await members(second).take(PARTITIONS) == Taken(frozenset({3, 4, HUB}))
            await first.commit(Batch(epoch=epoch, records=[record()]))
            await come(first)

    async def test_nobody_gives_what_another_has(self) -> None:
        async with self.processes(2) as (first, second):
            has = await take(first, 5)
            await members(second).give(has)
            assert set(await members(second).owners()) == has

    async def test_who_has_given_everything_is_there_as_before(self) -> None:
        async with self.processes(2) as (first, second):
            has = await take(first, 5)
            await first.join()
            await members(first).give(has)
            assert await take(second, 5) == has
            roll = await come(first)
            counts = {seat.id: seat.partitions for seat in roll.seats}
            assert counts == {members(first).id: 0, members(second).id: 5}
            await raises(Fenced, first.join())
            assert len(await take(first, 2)) == 2
            await first.commit(Batch(epoch=await first.join(), records=[record()]))

    async def test_what_was_given_may_be_taken_back(self) -> None:
        async with self.processes(1) as (only,):
            await take(only, PARTITIONS)
            await members(only).give([7])
            assert await members(only).take(9) == Taken(frozenset({7}))
