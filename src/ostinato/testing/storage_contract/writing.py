"""Batches: whole or nothing, fenced, in order; what is refused and what is unknown."""

from __future__ import annotations

from typing import Any

from ostinato.errors import Fenced, Overtaken, Refused, UnknownCommit
from ostinato.ports import Batch, EventQuery, LetterQuery, Page, RunQuery, Storage, TaskQuery
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    ended,
    event,
    head,
    letter,
    outgoing,
    place,
    record,
    reply,
    schedule,
    task,
    version,
    wait,
)


def full_batch(run_id: str = "r1", **members: Any) -> Batch:
    given: dict[str, Any] = {
        "events": [accepted()],
        "replies": [reply()],
        "records": [record(run_id), record(run_id, 2)],
        "new_heads": [head(run_id, uid="u1")],
        "waits": [wait(run_id)],
        "timers": {(run_id, "a", "retry"): NOW},
        "outgoing": [outgoing()],
        "versions": [version()],
        "dead_letters": [letter()],
        "schedules": [schedule()],
        "tasks": [task()],
    }
    return Batch(**given | members)


async def everything(storage: Storage) -> list[Any]:
    """All that one run's batch can leave behind."""
    return [
        await storage.history("r1"),
        await storage.runs(RunQuery(), Page()),
        await storage.events(EventQuery(), Page()),
        await storage.reply("POST /runs", "key", NOW),
        await storage.find_waits("PAID", ["k1"], None),
        await storage.due_timers(NOW, 9),
        await storage.outbox(9),
        await storage.versions(),
        await storage.dead_letters(LetterQuery(), Page()),
        await storage.schedules(),
        await storage.tasks(TaskQuery(), Page()),
    ]


class WritingPromises(Hooks):
    async def test_a_batch_is_kept_whole(self) -> None:
        async with self.opened() as storage:
            await storage.commit(full_batch())
            kept = await everything(storage)
            assert all(kept)
            assert kept[:3] == [
                [record(), record(seq=2)],
                [head(uid="u1")],
                [accepted()],
            ]

    async def test_an_empty_batch_is_taken(self) -> None:
        async with self.opened() as storage:
            await storage.commit(Batch())

    async def test_a_stale_epoch_is_refused_whole(self) -> None:
        async with self.opened() as storage:
            old, new = await storage.join(), await storage.join()
            assert new > old
            before = await everything(storage)
            await raises(Fenced, storage.commit(full_batch(epoch=old)))
            assert await everything(storage) == before
            await storage.commit(full_batch(epoch=new))

    async def test_an_epoch_nobody_was_given_is_refused(self) -> None:
        async with self.opened() as storage:
            epoch = await storage.join()
            await raises(Fenced, storage.commit(full_batch(epoch=epoch + 1)))

    async def test_a_record_given_twice_is_refused_whole(self) -> None:
        async with self.opened() as storage:
            await write(storage, records=[record()])
            before = await everything(storage)
            await raises(Refused, storage.commit(full_batch()))
            assert await everything(storage) == before

    async def test_the_same_batch_given_twice_changes_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.commit(full_batch())
            before = await everything(storage)
            await raises(Refused, storage.commit(full_batch()))
            assert await everything(storage) == before

    async def test_who_was_not_first_is_told_so(self) -> None:
        async with self.opened() as storage:
            await storage.commit(Batch(places=[place()], **_firsts("r1", "one")))
            for second in (
                Batch(events=[accepted(type="OTHER")]),
                Batch(new_heads=[head("r2", uid="u1")]),
                Batch(replies=[reply(digest="d2")]),
                Batch(versions=[version(digest="other")]),
                Batch(places=[place(run_id="r2")]),
            ):
                await raises(Overtaken, storage.commit(second))
            for wrong in (Batch(records=[record()]), Batch(new_heads=[head()])):
                assert not isinstance(await raises(Refused, storage.commit(wrong)), Overtaken)

    async def test_doubles_within_one_batch_are_refused(self) -> None:
        async with self.opened() as storage:
            for double in (
                Batch(records=[record(), record()]),
                Batch(events=[accepted(), accepted()]),
                Batch(new_heads=[head(), head()]),
                Batch(new_heads=[head("r1", uid="u"), head("r2", uid="u")]),
                Batch(replies=[reply(), reply()]),
                Batch(dead_letters=[letter(), letter()]),
            ):
                await raises(Refused, storage.commit(double))
            assert not any(await everything(storage))

    async def test_values_no_store_can_hold_are_refused(self) -> None:
        async with self.opened() as storage:
            for bad in (
                Batch(records=[record("r\ud800")]),
                Batch(records=[record(seq=2**63)]),
                Batch(records=[record(data={1})]),  # type: ignore[arg-type]
                Batch(timers={("r1", "a", "retry"): 2**63}),
                Batch(schedules=[schedule(due_at=2**63)]),
                Batch(schedules=[schedule(paused_why="\ud800")]),
                Batch(events=[accepted(subject="\udfff")]),
                Batch(events=[accepted(extensions={"a": "\udfff"})]),
                Batch(outgoing=[outgoing("o\ud800")]),
            ):
                await raises(Refused, storage.commit(bad))
            assert not any(await everything(storage))
            await storage.commit(full_batch())

    async def test_one_poisoned_run_among_a_thousand_is_found_by_halving(self) -> None:
        async with self.opened() as storage:
            poisoned = [record(f"r{n:04}") for n in range(1000)]
            poisoned[613] = record("r0613", seq=2**63)
            assert (await raises(Refused, write(storage, records=poisoned))).message
            assert await storage.history("r0000") == []
            refused = await _halve(storage, poisoned)
            assert refused == ["r0613"]
            assert await storage.history("r0614") == [record("r0614")]

    async def test_a_head_of_a_run_that_never_started_is_refused(self) -> None:
        async with self.opened() as storage:
            await raises(Refused, write(storage, heads={"r9": ended("r9")}, records=[record()]))
            assert await storage.history("r1") == []

    async def test_an_event_is_known_once_however_it_comes_again(self) -> None:
        async with self.opened() as storage:
            await write(storage, events=[accepted()])
            await raises(Refused, write(storage, events=[accepted(at=NOW + 1, type="OTHER")]))
            await write(storage, events=[accepted(source="elsewhere")])

    async def test_after_an_unknown_commit_that_was_lost_the_store_goes_on(self) -> None:
        async with self.opened() as storage:
            self.break_next_commit(storage, "lost")
            await raises(UnknownCommit, storage.commit(full_batch()))
            assert not any(await everything(storage))
            epoch = await storage.join()
            await storage.commit(full_batch(epoch=epoch))
            assert all(await everything(storage))

    async def test_after_an_unknown_commit_that_was_kept_the_store_goes_on(self) -> None:
        async with self.opened() as storage:
            self.break_next_commit(storage, "kept")
            await raises(UnknownCommit, storage.commit(full_batch()))
            assert all(await everything(storage))
            epoch = await storage.join()
            await raises(Refused, storage.commit(full_batch(epoch=epoch)))
            await write(storage, epoch=epoch, records=[record("r1", 3)])
            assert len(await storage.history("r1")) == 3

    async def test_outgoing_numbers_rise_even_after_an_unknown_commit(self) -> None:
        async with self.opened() as storage:
            await write(storage, outgoing=[outgoing("o1")])
            first = (await storage.outbox(1))[0].number
            self.break_next_commit(storage, "kept")
            await raises(UnknownCommit, write(storage, outgoing=[outgoing("o2")], sent=[first]))
            await write(storage, outgoing=[outgoing("o3")])
            numbers = [item.number for item in await storage.outbox(9)]
            assert numbers == sorted({first + 1, *numbers})
            assert [item.event for item in await storage.outbox(9)] == [
                event("o2", type="run.ended"),
                event("o3", type="run.ended"),
            ]


def _firsts(run_id: str, digest: str) -> dict[str, Any]:
    """What one process may take before another does."""
    return {
        "events": [accepted()],
        "records": [record(run_id)],
        "new_heads": [head(run_id, uid="u1")],
        "replies": [reply()],
        "versions": [version(digest=digest)],
    }


async def _halve(storage: Storage, records: list[Any]) -> list[str]:
    """What an engine does with a refused batch."""
    try:
        await write(storage, records=records)
    except Refused:
        if len(records) == 1:
            return [records[0].run_id]
        middle = len(records) // 2
        return await _halve(storage, records[:middle]) + await _halve(storage, records[middle:])
    return []
