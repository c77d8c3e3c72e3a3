"""Processes that share a store, and are late, leave, or are buried by another."""

from __future__ import annotations

from ostinato.core.run_ids import HUB, PARTITIONS
from ostinato.errors import Fenced, UnknownCommit
from ostinato.ports import LEFT, Batch, Storage, Taken
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.samples import head, record, timer
from ostinato.testing.storage_contract.shared import Ears, SharedHooks, come, members, take


class DyingPromises(SharedHooks):
    async def test_who_leaves_is_followed_at_once_and_the_others_hear_of_it(self) -> None:
        async with self.processes(2) as (first, second):
            ears = Ears(second)
            has = await take(first, PARTITIONS)
            epoch = await first.join()
            await members(first).leave()
            await ears.until(lambda heard: heard == [LEFT])
            await raises(Fenced, first.commit(Batch(epoch=epoch, records=[record()])))
            await raises(Fenced, first.join())
            assert await members(second).take(PARTITIONS) == Taken(has, orphans=True)
            await second.commit(Batch(epoch=await second.join(), records=[record()]))
            assert [seat.id for seat in (await come(second)).seats] == [members(second).id]

    async def test_leaving_twice_is_harmless_and_who_has_left_may_come_again(self) -> None:
        async with self.processes(2) as (first, second):
            await take(first, 3)
            await members(first).leave()
            await members(first).leave()
            roll = await come(first)
            assert (roll.free, [seat.partitions for seat in roll.seats]) == (PARTITIONS, [0, 0])
            assert await members(first).take(3) == Taken(frozenset({0, 1, 2}), orphans=True)
            await first.commit(Batch(epoch=await first.join(), records=[record()]))
            assert len(await take(second, PARTITIONS)) == PARTITIONS - 3

    async def test_a_lease_that_is_over_is_taken(self) -> None:
        place = self.place()
        async with self.processes(3, place) as (first, second, third):
            ears = Ears(third)
            has = await take(first, 10)
            await self.too_late(place)
            await come(second)
            roll = await come(third)
            assert {seat.id for seat in roll.seats if seat.late} == {members(first).id}
            assert roll.hub == members(first).id
            taken = await members(second).take(10)
            assert taken == Taken(has, orphans=True)
            assert set(await members(third).owners()) == has
            await ears.until(lambda heard: heard == [LEFT])
            roll = await come(third)
            assert {seat.id for seat in roll.seats} == {members(second).id, members(third).id}
            assert roll.hub == members(second).id

    async def test_who_was_buried_is_told_once_and_comes_again_as_new(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await take(first, 10)
            epoch = await first.join()
            await self._bury(place, second)
            await raises(Fenced, members(first).take(9))
            await raises(Fenced, first.join())
            await raises(Fenced, come(first))
            roll = await come(first)
            seat = roll.seat(members(first).id)
            assert seat is not None
            assert (seat.partitions, seat.late) == (0, False)
            await raises(Fenced, first.join())
            assert len(await take(first, 2)) == 2
            again = await first.join()
            assert again > epoch
            await raises((Fenced, UnknownCommit), first.commit(Batch(epoch=epoch)))
            await first.commit(Batch(epoch=again, records=[record()]))
            await come(first)

    async def test_a_batch_of_who_was_buried_is_refused_whole(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await take(first, PARTITIONS)
            epoch = await first.join()
            await self._bury(place, second)
            batch = Batch(
                epoch=epoch, records=[record()], new_heads=[head()],
                timers={("r1", "a", "retry"): timer().due_at},
            )  # fmt: skip
            await raises((Fenced, UnknownCommit), first.commit(batch))  # or its connection was cut
            await raises(Fenced, first.commit(batch))
            assert await second.history("r1") == []
            assert (await second.head("r1"), await second.next_timer()) == (None, None)
            await take(second, 1)
            await second.commit(Batch(epoch=await second.join(), records=[record()]))

    async def test_a_lease_that_is_renewed_is_not_taken(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await take(first, PARTITIONS)
            for _ in range(3):
                await self.pass_by(place, 0.9)
                await come(first)
                await come(second)
                assert await members(second).take(PARTITIONS) == Taken()

    async def test_who_is_late_and_was_not_buried_goes_on(self) -> None:
        place = self.place()
        async with self.processes(1, place) as (only,):
            await take(only, 3)
            epoch = await only.join()
            await self.too_late(place)
            await only.commit(Batch(epoch=epoch, records=[record()]))
            assert await take(only, 1) == {3}
            roll = await come(only)
            assert [(seat.partitions, seat.late) for seat in roll.seats] == [(4, False)]

    async def test_only_who_has_something_is_buried(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await self.too_late(place)
            await come(second)
            assert await members(second).take(PARTITIONS - 1) == Taken(frozenset(range(63)))
            await come(first)
            assert await take(first, 1) == {63}

    async def test_who_was_late_for_long_is_forgotten_unless_it_has_something(self) -> None:
        place = self.place()
        async with self.processes(3, place) as (first, second, third):
            await take(first, 1)
            for _ in range(12):
                await self.too_late(place)
            roll = await come(third)
            assert {seat.id for seat in roll.seats} == {members(first).id, members(third).id}
            assert len((await come(second)).seats) == 3

    async def test_a_clock_that_is_set_back_keeps_nobody_in_its_place(self) -> None:
        """No process can be relied on to say how long another one's lease may still be."""
        place = self.place()
        async with self.processes(2, place) as (first, second):
            has = await take(first, PARTITIONS)
            await self.pass_by(place, -3_600)
            await come(second)
            assert await members(second).take(PARTITIONS) == Taken()
            await self.too_late(place)
            await come(second)
            assert await members(second).take(PARTITIONS) == Taken(has, orphans=True)

    async def test_who_buries_is_told_also_when_it_takes_nothing(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await take(first, 1)
            await self.too_late(place)
            await come(second)
            taken = await members(second).take(PARTITIONS, hub=False)
            assert (HUB in taken.partitions, taken.orphans) == (False, True)
            assert await members(second).take(0) == Taken()

    async def test_orphans_wait_for_who_takes_them(self) -> None:
        """Whoever takes a partition of the dead is told, also when the one that buried died."""
        place = self.place()
        async with self.processes(3, place) as (first, second, third):
            has = await take(first, 10)
            await self._bury(place, second)
            await members(second).leave()
            await come(third)
            assert await members(third).take(4) == Taken(frozenset({0, 1, 2, 3}), orphans=True)
            assert await members(third).take(6) == Taken(has - {0, 1, 2, 3}, orphans=True)
            assert not (await members(third).take(6)).orphans

    async def test_orphans_of_who_died_with_orphans_are_orphans(self) -> None:
        place = self.place()
        async with self.processes(3, place) as (first, second, third):
            has = await take(first, 2)
            await members(first).leave()
            assert await members(second).take(2) == Taken(has, orphans=True)
            await self._bury(place, third)
            assert await members(third).take(2) == Taken(has, orphans=True)

    async def test_an_orphan_that_was_given_away_since_is_none(self) -> None:
        async with self.processes(3) as (first, second, third):
            has = await take(first, 2)
            await members(first).leave()
            assert (await members(second).take(2)).orphans
            await members(second).give(has)
            assert await members(third).take(2) == Taken(has)

    async def test_what_nobody_ever_had_are_no_orphans(self) -> None:
        place = self.place()
        async with self.processes(2, place) as (first, second):
            await take(first, 1)
            await members(first).leave()
            taken = await members(second).take(5, hub=False)
            assert taken == Taken(frozenset({1, 2, 3, 4, 5}))

    async def _bury(self, place: object, by: Storage) -> None:
        """All others are late, and this one comes by; it takes nothing."""
        await self.too_late(place)
        await come(by)
        assert await members(by).take(0) == Taken(orphans=True)
