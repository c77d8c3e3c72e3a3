"""What is kept of runs: history, heads, who holds a uid, timers."""

from __future__ import annotations

from ostinato.errors import Refused
from ostinato.ports import Page, RunQuery
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import NOW, ended, head, record, timer


class RunPromises(Hooks):
    async def test_history_is_in_order_and_pages(self) -> None:
        async with self.opened() as storage:
            await write(storage, records=[record(seq=7), record("r2"), record(seq=0)])
            await write(storage, records=[record(seq=9, data=b"x" * 100_000), record(seq=8)])
            history = await storage.history("r1")
            assert [item.seq for item in history] == [0, 7, 8, 9]
            assert history[3] == record(seq=9, data=b"x" * 100_000)
            assert [item.seq for item in await storage.history("r1", after=6, limit=2)] == [7, 8]
            assert [item.seq for item in await storage.history("r1", after=5, limit=2)] == [0, 7]
            assert await storage.history("nobody") == []

    async def test_a_head_shows_what_it_was_given(self) -> None:
        full = head(
            uid="u",
            doing="undo",
            waiting_for="event",
            busy=True,
            ended_at=NOW,
            error_name="Failed",
            error_message="it broke",
            event_source="shop",
            event_id="e1",
        )
        async with self.opened() as storage:
            await write(storage, new_heads=[full, head("r2")])
            assert await storage.head("r1") == full
            assert await storage.head("r2") == head("r2")
            assert await storage.head("r3") is None

    async def test_a_head_moves_on_but_stays_the_same_run(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head(uid="u", event_id="e1", busy=True)])
            moved = ended(workflow="other", uid="v", started_at=0, version=2, error_name="E")
            await write(storage, heads={"r1": moved})
            kept = ended(uid="u", event_id="e1", version=2, error_name="E")
            assert await storage.head("r1") == kept

    async def test_a_run_may_start_and_move_on_in_one_batch(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head(uid="u")], heads={"r1": ended(uid="u")})
            assert await storage.head("r1") == ended(uid="u")

    async def test_history_stays_when_a_run_ends(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head()], records=[record()])
            await write(storage, heads={"r1": ended()}, records=[record(seq=1)])
            assert len(await storage.history("r1")) == 2

    async def test_busy_runs_are_those_whose_head_says_so(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head("r1", busy=True), head("r2"), head("r3")])
            await write(storage, heads={"r3": head("r3", busy=True), "r2": ended("r2")})
            assert await storage.busy_runs() == ["r1", "r3"]
            await write(storage, heads={"r1": head("r1"), "r3": head("r3")})
            assert await storage.busy_runs() == []

    async def test_a_uid_is_held_by_one_open_run_of_a_workflow(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head("r1", uid="u"), head("r2", workflow="b", uid="u")])
            await raises(Refused, write(storage, new_heads=[head("r3", uid="u")]))
            assert await storage.head("r3") is None
            pairs = [("order", "u"), ("b", "u"), ("order", "v")]
            assert await storage.open_runs(pairs) == {pairs[0]: "r1", pairs[1]: "r2"}

    async def test_a_uid_is_free_again_after_the_end(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head("r1", uid="u")])
            await write(storage, heads={"r1": ended("r1", uid="u")})
            assert await storage.open_runs([("order", "u")]) == {}
            await write(storage, new_heads=[head("r2", uid="u")])
            assert await storage.open_runs([("order", "u")]) == {("order", "u"): "r2"}

    async def test_a_uid_passes_from_an_ending_run_to_a_new_one_in_one_batch(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head("r1", uid="u")])
            end = {"r1": ended("r1", uid="u")}
            await write(storage, new_heads=[head("r2", uid="u")], heads=end)
            assert await storage.open_runs([("order", "u")]) == {("order", "u"): "r2"}
            await raises(Refused, write(storage, heads={"r1": head("r1", uid="u")}))

    async def test_thousands_of_uids_are_asked_for_at_once(self) -> None:
        async with self.opened() as storage:
            heads = [head(f"r{n:05}", uid=f"u{n}") for n in range(5000)]
            await write(storage, new_heads=heads)
            found = await storage.open_runs([("order", f"u{n}") for n in range(7000)])
            assert found == {("order", f"u{n}"): f"r{n:05}" for n in range(5000)}

    async def test_many_runs_may_stand_in_line_behind_the_one_that_is_open(self) -> None:
        async with self.opened() as storage:
            line = [head(f"r{n}", uid="u", status="pending", waiting_for="uid") for n in (2, 3)]
            await write(storage, new_heads=[head("r1", uid="u"), *line])
            assert await storage.open_runs([("order", "u")]) == {("order", "u"): "r1"}
            await raises(Refused, write(storage, heads={"r2": head("r2", uid="u")}))
            turn = {"r1": ended("r1", uid="u"), "r2": head("r2", uid="u")}
            await write(storage, heads=turn)
            assert await storage.open_runs([("order", "u")]) == {("order", "u"): "r2"}
            await write(storage, heads={"r2": ended("r2", uid="u")})
            assert await storage.open_runs([("order", "u")]) == {}

    async def test_runs_without_a_uid_do_not_meet(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head("r1"), head("r2")])
            assert await storage.count_runs(RunQuery()) == 2

    async def test_timers_come_due_oldest_first(self) -> None:
        async with self.opened() as storage:
            assert await storage.next_timer() is None
            times = {("r1", "a", "retry"): NOW + 5, ("r1", "b", "due"): NOW, ("r2", "a", "due"): 9}
            await write(storage, timers=times)
            assert await storage.next_timer() == 9
            due = [timer("r2", "a", "due", 9), timer("r1", "b", "due", NOW)]
            assert await storage.due_timers(NOW, 9) == due
            assert await storage.due_timers(NOW, 1) == due[:1]
            assert await storage.due_timers(8, 9) == []

    async def test_due_timers_are_those_of_a_workflow(self) -> None:
        async with self.opened() as storage:
            times = {("r1", "a", "due"): 8, ("r2", "a", "due"): 9, ("r2", "b", "due"): NOW + 1}
            await write(storage, new_heads=[head("r1"), head("r2", workflow="bill")], timers=times)
            assert await storage.due_timers(NOW, 1, "bill") == [timer("r2", "a", "due", 9)]
            assert await storage.due_timers(NOW, 9, "nobody") == []

    async def test_timers_are_moved_and_cleared_in_one_batch(self) -> None:
        async with self.opened() as storage:
            one, two, never = ("r1", "a", "retry"), ("r1", "a", "due"), ("r9", "x", "due")
            await write(storage, timers={one: NOW, two: NOW + 1})
            await write(storage, timers={one: NOW + 7, two: None, never: None})
            assert await storage.next_timer() == NOW + 7
            assert await storage.due_timers(NOW + 9, 9) == [timer(due_at=NOW + 7)]
            await write(storage, timers={one: NOW + 7})
            assert len(await storage.due_timers(NOW + 9, 9)) == 1

    async def test_a_list_of_runs_sees_a_change_at_once(self) -> None:
        async with self.opened() as storage:
            for number in range(5):
                await write(storage, new_heads=[head(f"r{number}")])
                assert len(await storage.runs(RunQuery(), Page())) == number + 1
