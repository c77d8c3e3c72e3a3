"""One owner at a time, and nothing is lost between two of them."""

from __future__ import annotations

from ostinato.errors import Fenced, StoreError, StoreLocked
from ostinato.ports import Batch, Page, RunQuery
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import outgoing, record
from ostinato.testing.storage_contract.writing import everything, full_batch


class OwningPromises(Hooks):
    async def test_a_second_owner_is_turned_away_at_once(self) -> None:
        """Where processes share it, it may open the store, and writes nothing."""
        place = self.place()
        async with self.opened(place) as storage:
            second = self.make(place)
            if storage.members is None:
                assert (await raises(StoreLocked, second.open())).message
            else:
                await second.open()
                await raises(Fenced, second.join())
                await second.close()
            await write(storage, records=[record()])
        async with self.opened(place) as third:
            assert await third.history("r1") == [record()]

    async def test_opening_and_closing_twice_are_harmless(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            await storage.open()
            await write(storage, records=[record()])
            assert await storage.history("r1") == [record()]
            await storage.close()
        async with self.opened(place) as storage:
            assert await storage.history("r1") == [record()]

    async def test_a_store_that_was_closed_opens_again(self) -> None:
        storage = self.make(self.place())
        for seq in range(3):
            await storage.open()
            await write(storage, records=[record(seq=seq)])
            await storage.close()
        await storage.open()
        assert len(await storage.history("r1")) == 3
        await storage.close()

    async def test_reopening_sees_everything(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            await storage.commit(full_batch())
            before = await everything(storage)
        async with self.opened(place) as storage:
            assert await everything(storage) == before

    async def test_epochs_rise_over_reopening(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            old = await storage.join()
        async with self.opened(place) as storage:
            new = await storage.join()
            assert new > old
            await raises(Fenced, storage.commit(Batch(epoch=old)))

    async def test_outgoing_numbers_rise_over_reopening(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            await write(storage, outgoing=[outgoing("o1"), outgoing("o2")])
            numbers = [item.number for item in await storage.outbox(9)]
            await write(storage, sent=numbers)
        async with self.opened(place) as storage:
            await write(storage, outgoing=[outgoing("o3")])
            assert (await storage.outbox(9))[0].number > max(numbers)

    async def test_a_store_that_is_not_open_says_so(self) -> None:
        storage = self.make(self.place())
        await raises(StoreError, storage.commit(Batch()))
        await raises(StoreError, storage.history("r1"))
        await raises(StoreError, storage.runs(RunQuery(), Page()))
        await raises(StoreError, storage.join())
        await storage.close()
