"""Processes that share a store: each reads what is in its partitions; and they tell each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import structs

from ostinato.core.run_ids import HUB, PARTITIONS, partition_of
from ostinato.errors import Outdated
from ostinato.ports import LEFT, Batch, Mail, Storage, StoredEvent
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.samples import (
    NOW,
    ended,
    event,
    head,
    mail,
    outgoing,
    record,
    version,
)
from ostinato.testing.storage_contract.shared import Ears, SharedHooks, members, take

ONE, OTHER = "r1", "r2"
MINE, THEIRS = frozenset({partition_of(ONE)}), frozenset({partition_of(OTHER)})
BOTH = MINE | THEIRS
FREE = frozenset(range(PARTITIONS)) - BOTH


class PartitionedPromises(SharedHooks):
    @asynccontextmanager
    async def _written(self, **rows: object) -> AsyncIterator[Storage]:
        async with self.processes(1) as (storage,):
            await take(storage, PARTITIONS)
            await storage.commit(Batch(epoch=await storage.join(), **rows))  # type: ignore[arg-type]
            yield storage

    async def test_events_of_who_does_not_know_what_was_deployed_are_refused(self) -> None:
        """Each deployment counts, also one that retires; the rest of such a batch is not kept."""
        async with self._written(versions=[version()]) as storage:
            first, epoch = await storage.deployed(), await storage.join()
            new = StoredEvent(event(), NOW, b"{}")
            taken = Batch(epoch=epoch, events=[new], records=[record()], known=first)
            await storage.commit(Batch(epoch=epoch, retired=[("order", 1)]))
            assert await storage.deployed() > first
            await raises(Outdated, storage.commit(taken))
            assert await storage.history("r1") == []
            await storage.commit(Batch(epoch=epoch, records=[record("r2")], known=first))
            taken.known = await storage.deployed()
            await storage.commit(taken)
            assert await storage.history("r1") == [record()]

    async def test_busy_runs_are_read_by_partitions(self) -> None:
        busy = [head(name, busy=True) for name in (ONE, OTHER)]
        async with self._written(new_heads=busy) as storage:
            assert await storage.busy_runs(MINE) == [ONE]
            assert await storage.busy_runs(BOTH) == [ONE, OTHER]
            assert await storage.busy_runs() == [ONE, OTHER]
            assert await storage.busy_runs(FREE) == []

    async def test_timers_are_read_by_partitions(self) -> None:
        set_to = {(ONE, "a", "retry"): NOW + 1, (OTHER, "a", "retry"): NOW}
        heads = [head(name) for name in (ONE, OTHER)]
        async with self._written(new_heads=heads, timers=set_to) as storage:
            for mine, due in ((MINE, [ONE]), (THEIRS, [OTHER]), (BOTH, [OTHER, ONE]), (FREE, [])):
                found = await storage.due_timers(NOW + 9, 9, partitions=mine)
                assert [one.run_id for one in found] == due
                found = await storage.due_timers(NOW + 9, 9, "order", mine)
                assert [one.run_id for one in found] == due
            [first] = await storage.due_timers(NOW + 9, 1, partitions=BOTH)
            assert first.run_id == OTHER
            nexts = [await storage.next_timer(mine) for mine in (MINE, THEIRS, BOTH, FREE)]
            assert nexts == [NOW + 1, NOW, NOW, None]

    async def test_what_is_sent_is_read_by_partitions(self) -> None:
        sent = [outgoing("a", OTHER), outgoing("b", ONE), outgoing("c", OTHER)]
        async with self._written(outgoing=sent) as storage:
            for mine, ids in ((MINE, "b"), (THEIRS, "ac"), (BOTH, "abc"), (FREE, "")):
                found = await storage.outbox(9, partitions=mine)
                assert [one.event.id for one in found] == list(ids)
            [first] = await storage.outbox(1, partitions=BOTH)
            assert first.event.id == "a"

    async def test_mail_is_read_where_it_lies(self) -> None:
        """In the partition of the run that is told, or in the one that it names."""
        to_run = structs.replace(mail("call"), to=ONE)
        elsewhere = structs.replace(mail("hangup"), to=ONE, partition=partition_of(OTHER))
        to_hub = Mail("done", "", "r3", "p/j", 1, b"{}", HUB)
        said = {one.line: one for one in (to_run, elsewhere, to_hub)}
        async with self._written(mail=said) as storage:
            assert await storage.mail(MINE) == [to_run]
            assert await storage.mail(THEIRS) == [elsewhere]
            assert await storage.mail(frozenset({HUB})) == [to_hub]
            assert await storage.mail() == [to_run, elsewhere, to_hub]
            assert [one.place for one in await storage.mail()] == [*MINE, *THEIRS, HUB]

    async def test_runs_that_are_over_are_read_by_partitions(self) -> None:
        over = [ended(ONE, ended_at=NOW + 2), ended(OTHER, ended_at=NOW + 1)]
        async with self._written(new_heads=over) as storage:
            for mine, ids in ((MINE, [ONE]), (THEIRS, [OTHER]), (BOTH, [OTHER, ONE]), (FREE, [])):
                asked = ("order", "succeeded", NOW + 9, 9)
                assert await storage.over_runs(*asked, partitions=mine) == ids
            first = await storage.over_runs("order", "succeeded", NOW + 9, 1, BOTH)
            assert first == [OTHER]
            assert await storage.over_runs("order", "succeeded", NOW + 2, 9, BOTH) == [OTHER]
            assert await storage.over_runs("order", "failed", NOW + 9, 9, BOTH) == []

    async def test_a_hint_arrives_at_the_others_and_not_at_who_gives_it(self) -> None:
        async with self.processes(3) as several:
            ears = [Ears(one) for one in several]
            first, second, _ = several
            await members(first).hint(["r1", "r2"])
            await members(first).hint([])
            await ears[1].until(lambda heard: heard == ["r1", "r2"])
            await ears[2].until(lambda heard: heard == ["r1", "r2"])
            await members(second).hint(["back"])
            await ears[0].until(lambda heard: heard == ["back"])
            await ears[2].until(lambda heard: heard == ["r1", "r2", "back"])

    async def test_a_hint_may_have_any_number_of_words(self) -> None:
        async with self.processes(2) as (first, second):
            ears = Ears(second)
            said = [f"ü{number:024}" for number in range(2_000)]
            await members(first).hint(iter(said))
            await ears.until(lambda heard: len(heard) == len(said))
            assert ears.heard == said

    async def test_who_takes_or_leaves_does_not_hint_at_itself(self) -> None:
        async with self.processes(2) as (first, second):
            ears = Ears(first)
            await take(first, 5)
            await members(first).give([1])
            await members(first).leave()
            await members(second).hint(["end"])
            await ears.until(lambda heard: "end" in heard)
            assert ears.heard == ["end"]
            await take(second, 2)
            await members(second).give([0, 1])
            await ears.until(lambda heard: heard == ["end", LEFT])
