"""Removal: what is old is found in lots, gone for every reader at once, and nothing else goes."""

from __future__ import annotations

from ostinato.errors import Fenced
from ostinato.ports import Batch, EventQuery, LetterQuery, Page, Removal, RunQuery, Storage
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    ended,
    event,
    head,
    letter,
    outgoing,
    record,
    reply,
    wait,
)


class RemovingPromises(Hooks):
    async def test_a_run_that_has_ended_again_since_stays(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[head("r1")], heads={"r1": ended("r1")})
            removal = Removal(runs=["r1"], rows=9, ended_before=NOW + 9)
            await write(storage, removal=removal)
            assert await storage.head("r1") is not None
            await write(storage, removal=Removal(runs=["r1"], ended_before=NOW + 10))
            assert await storage.head("r1") is None

    async def test_runs_that_ended_before_come_oldest_first(self) -> None:
        async with self.opened() as storage:
            heads = [ended(f"r{n}", ended_at=NOW + 9 - n) for n in range(4)]
            others = [ended("f1", "failed"), ended("b1", workflow="bill"), head("o1")]
            await write(storage, new_heads=[*heads, *others])
            assert await storage.over_runs("order", "succeeded", NOW + 9, 9) == ["r3", "r2", "r1"]
            assert await storage.over_runs("order", "succeeded", NOW + 9, 2) == ["r3", "r2"]
            assert await storage.over_runs("order", "failed", NOW + 10, 9) == ["f1"]
            assert await storage.over_runs("order", "running", NOW + 10, 9) == []

    async def test_a_removed_run_is_gone_whole_and_alone(self) -> None:
        async with self.opened() as storage:
            records = [record(run, seq) for run in ("r1", "r2") for seq in range(5)]
            timers = {("r1", "a", "retry"): NOW, ("r2", "a", "retry"): NOW + 1}
            await write(
                storage, new_heads=[ended("r1"), ended("r2")], records=records, timers=timers,
                waits=[wait("r1"), wait("r2")], outgoing=[outgoing(run_id="r1")],
                dead_letters=[letter(run_id="r1")],
            )  # fmt: skip
            await write(storage, removal=Removal(runs=["r1", "r9"], rows=2))
            await _assert_only(storage, "r2")
            await _sweep(storage, 2)
            await _assert_only(storage, "r2")
            assert await storage.history("r2") == records[5:]
            assert len(await storage.outbox(9)) == 1  # what was to be sent still is
            assert await storage.dead_letter("l1") == letter(run_id="r1")

    async def test_what_is_left_of_removed_runs_goes_also_after_reopening(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            records = [record(seq=seq) for seq in range(9)]
            await write(storage, new_heads=[ended()], records=records)
            await write(storage, removal=Removal(runs=["r1"]))
        async with self.opened(place) as storage:
            assert await storage.history("r1") == []
            await _sweep(storage, 4)
            assert await storage.history("r1") == []

    async def test_a_run_that_goes_on_is_not_removed(self) -> None:
        async with self.opened() as storage:
            await write(
                storage, new_heads=[ended("r1", "failed"), head("r2")],
                records=[record("r1"), record("r2")], waits=[wait("r2")],
            )  # fmt: skip
            removal = Removal(runs=["r1", "r2"], rows=9)
            await write(storage, heads={"r1": head("r1")}, removal=removal)
            assert [one.run_id for one in await storage.runs(RunQuery(), Page())] == ["r2", "r1"]
            assert await storage.history("r1") == [record("r1")]
            assert await storage.find_waits("PAID", ["k1"], None) == [wait("r2")]
            assert not await storage.unswept()

    async def test_the_oldest_open_run_of_each_workflow_is_known(self) -> None:
        async with self.opened() as storage:
            heads = [
                ended("r1"), head("r2", started_at=NOW + 2), head("r3", started_at=NOW + 1),
                head("b1", workflow="bill", status="waiting"), ended("c1", workflow="call"),
            ]  # fmt: skip
            await write(storage, new_heads=heads)
            assert await storage.oldest_open() == {"order": NOW + 1, "bill": NOW}

    async def test_events_are_judged_in_the_order_they_came_and_the_newest_stays(self) -> None:
        async with self.opened() as storage:
            await write(storage, events=[accepted("e1", NOW + 3), accepted("e2", keys=())])
            await write(storage, events=[accepted("e3")])
            first, second = await storage.aged_events(0, 9)
            assert (first.id, first.received_at, first.keyed) == ("e1", NOW + 3, True)
            assert (second.source, second.id, second.type, second.keyed) == (
                "shop", "e2", "PAID", False
            )  # fmt: skip
            assert await storage.aged_events(first.place, 9) == [second]
            assert await storage.aged_events(0, 1) == [first]
            pairs = [("shop", name) for name in ("e1", "e2", "e3", "e9")]
            await write(storage, removal=Removal(events=pairs))
            assert [one.event.id for one in await storage.events(EventQuery(), Page())] == ["e3"]

    async def test_a_removed_event_is_not_found_and_not_known(self) -> None:
        async with self.opened() as storage:
            await write(storage, events=[accepted("e1", keys=("k1", "k2")), accepted("e2")])
            await write(storage, waits=[wait(since=NOW)])
            await write(storage, removal=Removal(events=[("shop", "e1")]))
            assert await storage.known_events([("shop", "e1")]) == {}
            assert await storage.events_by_id("e1") == []
            assert [one.id for one in await storage.early_events("PAID", "k1", 0, "r1")] == ["e2"]
            assert await storage.early_events("PAID", "k2", 0, "r1") == []
            assert await storage.missed() == [(wait(since=NOW), event("e2"))]
            await write(storage, events=[accepted("e1", NOW + 9)])
            assert len(await storage.early_events("PAID", "k1", 0, "r1")) == 2

    async def test_order_is_kept_after_a_removal(self) -> None:
        async with self.opened() as storage:
            await write(storage, events=[accepted("e1"), accepted("e2")])
            await write(storage, removal=Removal(events=[("shop", "e1")]))
            await write(storage, waits=[wait(since=None)])
            await write(storage, events=[accepted("e3")])
            assert await storage.missed() == [(wait(since=None), event("e3"))]

    async def test_replies_go_once_they_have_expired(self) -> None:
        async with self.opened() as storage:
            await write(storage, replies=[reply("a"), reply("b", NOW + 1)])
            assert await storage.expired_replies(NOW + 99, 9) == []
            (first,) = await storage.expired_replies(NOW + 100, 9)
            assert first == ("POST /runs", "a")
            both = [first, ("POST /runs", "b")]
            await write(storage, removal=Removal(at=NOW + 100, replies=both))
            assert await storage.reply("POST /runs", "a", NOW) is None
            assert await storage.reply("POST /runs", "b", NOW + 1) is not None

    async def test_dead_letters_go_by_age(self) -> None:
        async with self.opened() as storage:
            await write(storage, dead_letters=[letter("b", NOW + 1), letter("a", NOW)])
            assert await storage.aged_letters(NOW + 2, 9) == ["a", "b"]
            assert await storage.aged_letters(NOW + 1, 9) == ["a"]
            await write(storage, removal=Removal(dead_letters=["a", "gone"]))
            left = await storage.dead_letters(LetterQuery(), Page())
            assert [one.id for one in left] == ["b"]

    async def test_a_stale_writer_removes_nothing(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[ended()], records=[record()])
            await storage.join()
            await raises(Fenced, storage.commit(Batch(removal=Removal(runs=["r1"], rows=9))))
            assert await storage.history("r1") == [record()]


async def _assert_only(storage: Storage, run_id: str) -> None:
    assert [one.run_id for one in await storage.runs(RunQuery(), Page())] == [run_id]
    assert await storage.head("r1") is None
    assert await storage.history("r1") == []
    assert [one.run_id for one in await storage.find_waits("PAID", ["k1"], None)] == [run_id]
    assert [one.run_id for one in await storage.due_timers(NOW + 1, 9)] == [run_id]


async def _sweep(storage: Storage, rows: int) -> None:
    for _ in range(9):
        if not await storage.unswept():
            return
        await write(storage, removal=Removal(rows=rows))
    raise AssertionError("records of a removed run stay for ever")
