"""What is kept of schedules: one row each, replaced whole, found when it is due."""

from __future__ import annotations

from ostinato.testing.storage_contract.hooks import Hooks, write
from ostinato.testing.storage_contract.samples import NOW, schedule


class SchedulePromises(Hooks):
    async def test_a_schedule_shows_what_it_was_given(self) -> None:
        full = schedule(
            waits_for="r1",
            last_for=NOW - 3,
            last_at=NOW - 2,
            last_run="r1",
            missed_for=NOW - 1,
            paused_at=NOW,
            paused_by="ann",
            paused_why="ä move",
        )
        bare = schedule("order/on/1", None)
        async with self.opened() as storage:
            await write(storage, schedules=[bare, full])
            assert await storage.schedules() == [full, bare]
            assert await storage.schedules([bare.id, "nobody/on/0", bare.id]) == [bare]
            assert await storage.schedules([]) == []

    async def test_schedules_come_due_oldest_first(self) -> None:
        async with self.opened() as storage:
            assert await storage.next_schedule() is None
            later, first, same = schedule("a", NOW + 5), schedule("c", 9), schedule("d", NOW + 5)
            await write(storage, schedules=[later, schedule("b", None), same, first])
            assert await storage.next_schedule() == 9
            assert await storage.due_schedules(NOW, 9) == [first]
            assert await storage.due_schedules(NOW + 5, 9) == [first, later, same]
            assert await storage.due_schedules(NOW + 5, 2) == [first, later]
            assert await storage.due_schedules(8, 9) == []

    async def test_a_schedule_is_replaced_by_its_id(self) -> None:
        async with self.opened() as storage:
            await write(storage, schedules=[schedule(), schedule("other")])
            moved = schedule(due_at=NOW + 7, last_run="r1")
            await write(storage, schedules=[schedule(due_at=1), moved])
            assert await storage.schedules() == [moved, schedule("other")]
            assert await storage.due_schedules(NOW + 9, 9) == [schedule("other"), moved]
            await write(storage, schedules=[schedule(due_at=None)])
            assert await storage.due_schedules(NOW + 9, 9) == [schedule("other")]

    async def test_dropped_schedules_are_gone_and_may_come_back(self) -> None:
        async with self.opened() as storage:
            await write(storage, schedules=[schedule("a"), schedule("b")])
            await write(
                storage, dropped_schedules=["a", "b", "nobody"], schedules=[schedule("b", 5)]
            )
            assert await storage.schedules() == [schedule("b", 5)]
            assert await storage.next_schedule() == 5

    async def test_schedules_are_there_after_reopening(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            await write(storage, schedules=[schedule()])
        async with self.opened(place) as storage:
            assert await storage.due_schedules(NOW, 9) == [schedule()]
