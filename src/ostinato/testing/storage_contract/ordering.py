"""Processes that share a store: what came first is known by its order, and not by their clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ostinato.core.run_ids import PARTITIONS
from ostinato.ports import Batch, Removal, Storage
from ostinato.testing.storage_contract.samples import NOW, accepted, head, wait
from ostinato.testing.storage_contract.shared import SharedHooks, take

STARTED = {"event_source": "shop", "event_id": "order"}
SLOW, FAST = NOW - 500, NOW + 500
"""The time as a process takes it whose clock is slow, or fast."""


class Two:
    """Two processes: each writes in its turn, and ``first`` is asked."""

    def __init__(self, first: tuple[Storage, int], second: tuple[Storage, int]) -> None:
        self._turns = [first, second]
        self.first = first[0]

    async def write(self, **rows: Any) -> None:
        storage, epoch = self._turns[0]
        self._turns.reverse()
        await storage.commit(Batch(epoch=epoch, **rows))

    async def early(self, run_id: str = "r1", since: int = NOW - 1_000) -> list[str]:
        found = await self.first.early_events("PAID", "k1", since, run_id)
        return [event.id for event in found]

    async def missed(self) -> list[tuple[str, str]]:
        return [(found.run_id, event.id) for found, event in await self.first.missed()]


class OrderPromises(SharedHooks):
    @asynccontextmanager
    async def two(self) -> AsyncIterator[Two]:
        async with self.processes(2) as (first, second):
            await take(first, PARTITIONS // 2)
            await take(second, PARTITIONS // 2)
            yield Two((first, await first.join()), (second, await second.join()))

    async def test_what_came_before_a_run_is_not_early_whatever_the_clocks_say(self) -> None:
        async with self.two() as two:
            await two.write(events=[accepted("before", FAST)])
            await two.write(new_heads=[head()], events=[accepted("with", SLOW + 1)])
            await two.write(events=[accepted("after", SLOW)])
            assert await two.early() == ["after", "with"]
            assert await two.early(since=SLOW + 1) == ["with"]

    async def test_a_change_of_the_run_is_not_its_beginning(self) -> None:
        async with self.two() as two:
            await two.write(new_heads=[head()])
            await two.write(events=[accepted("after", SLOW)])
            await two.write(heads={"r1": head(doing="p/j")})
            assert await two.early() == ["after"]

    async def test_a_run_begins_with_the_event_that_started_it(self) -> None:
        """It may be on its way to the process that has the run."""
        order = accepted("order", FAST, (), type="ORDER")
        async with self.two() as two:
            await two.write(events=[accepted("before", FAST)])
            await two.write(events=[accepted("with", NOW), order])
            await two.write(events=[accepted("between", SLOW)])
            await two.write(new_heads=[head(**STARTED)])
            await two.write(events=[accepted("after", NOW + 1)])
            assert await two.early() == ["between", "with", "after"]

    async def test_an_event_that_has_the_name_of_the_first_is_no_beginning(self) -> None:
        """The first was forgotten, and then it came again."""
        order = accepted("order", NOW, (), type="ORDER")
        async with self.two() as two:
            await two.write(events=[order], new_heads=[head(**STARTED)])
            await two.write(events=[accepted("after", NOW)])
            await two.write(removal=Removal(events=[("shop", "order")]))
            assert await two.early() == ["after"]
            await two.write(events=[order])
            await two.write(events=[accepted("later", NOW)])
            assert await two.early() == ["after", "later"]

    async def test_of_a_run_that_nobody_knows_everything_is_early(self) -> None:
        async with self.two() as two:
            await two.write(events=[accepted()])
            assert await two.early("r9") == ["e1"]

    async def test_what_came_before_a_run_was_not_missed(self) -> None:
        order = accepted("order", FAST, (), type="ORDER")
        async with self.two() as two:
            await two.write(events=[accepted("before", FAST)])
            await two.write(events=[order])
            await two.write(events=[accepted("between", SLOW)])
            waits = [wait(since=SLOW), wait("r2", since=SLOW), wait("r3", since=None)]
            heads = [head(**STARTED), head("r2"), head("r3")]
            await two.write(new_heads=heads, waits=waits)
            assert await two.missed() == [("r1", "between")]
            await two.write(events=[accepted("after", SLOW - 1)])
            assert await two.missed() == [
                ("r1", "between"), ("r1", "after"), ("r2", "after"), ("r3", "after"),
            ]  # fmt: skip

    async def test_an_event_of_one_does_not_find_the_later_wait_of_another(self) -> None:
        async with self.two() as two:
            await two.write(waits=[wait("r1", since=None)])
            await two.write(events=[accepted()])
            await two.write(waits=[wait("r2", since=None)])
            found = await two.first.find_waits("PAID", ["k1"], ("shop", "e1"))
            assert found == [wait("r1", since=None)]
