"""Large values: read back whole, kept once, as long as a row uses them and no longer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from msgspec import Raw

from ostinato.errors import Fenced, Refused
from ostinato.ports import Batch, EventQuery, LetterQuery, Outgoing, Page, Removal, Reply, Storage
from ostinato.testing.storage_contract.hooks import Hooks, raises, write
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    ended,
    event,
    letter,
    outgoing,
    record,
    reply,
    wait,
)

LARGE = b'"' + b"x" * 20_000 + b'"'
OTHER = b'{"y":"' + b"y" * 20_000 + b'"}'


def facts(*values: bytes) -> bytes:
    """A record of one fact for each value."""
    return b"[" + b",".join(b'["job.ready","p/j",%b,1]' % value for value in values) + b"]"


class ValuePromises(Hooks):
    async def test_a_record_is_read_back_whole(self) -> None:
        async with self.opened() as storage:
            wide = b'{"index": 3, "order": %b}' % LARGE
            given = [b"1", LARGE, b'{"index":3,"order":%b}' % LARGE, wide, b"[%b,2]" % OTHER]
            records = [record(seq=seq, data=facts(*given[:seq])) for seq in range(6)]
            await write(storage, records=records)
            assert await storage.history("r1") == records
            assert await storage.history("r1", 2, 1) == [records[3]]
            assert self.count_values(storage) == 3  # and what is written with blanks, as it is

    async def test_equal_values_are_kept_once(self) -> None:
        async with self.opened() as storage:
            runs = [f"r{number}" for number in range(9)]
            shared = [b'{"index":%d,"order":%b}' % (number, LARGE) for number in range(9)]
            await write(storage, records=[record(run, data=facts(*shared)) for run in runs])
            await write(storage, events=[accepted("e1", data=Raw(LARGE))])
            await write(storage, dead_letters=[letter(event=event(data=Raw(LARGE)))])
            await write(storage, outgoing=[Outgoing(event(data=Raw(LARGE)))])
            await write(storage, replies=[_reply("a", LARGE)])
            assert self.count_values(storage) == 1
            assert await storage.history("r8") == [record("r8", data=facts(*shared))]

    async def test_every_row_is_read_back_whole(self) -> None:
        async with self.opened() as storage:
            large = event(data=Raw(LARGE))
            kept = accepted(data=Raw(LARGE))
            dead, told = letter(event=large), _reply("a", b"r1\n" + LARGE)
            opened = wait(since=None, key="paid")
            await write(storage, waits=[opened])
            await write(
                storage, events=[kept], dead_letters=[dead], replies=[told],
                outgoing=[Outgoing(large, "r1")],
            )  # fmt: skip
            assert await storage.known_events([("shop", "e1")]) == {("shop", "e1"): kept}
            assert await storage.events_by_id("e1") == [kept]
            assert await storage.events(EventQuery(), Page()) == [kept]
            assert await storage.early_events("PAID", "k1", 0, "r1") == [kept.event]
            assert await storage.missed() == [(opened, kept.event)]
            assert await storage.dead_letter("l1") == dead
            assert await storage.dead_letters(LetterQuery(text="paid"), Page()) == [dead]
            assert await storage.reply("POST /runs", "a", NOW) == told
            assert await storage.outbox(9) == [Outgoing(large, "r1", 1)]

    async def test_the_outbox_is_read_up_to_so_many_bytes(self) -> None:
        async with self.opened() as storage:
            sizes = (40_000, 10, 40_000, 40_000, 10, 10)
            events = [event(f"o{n}", data=Raw(b'"%b"' % (b"x" * n))) for n in sizes]
            await write(storage, outgoing=[Outgoing(one, "r1") for one in events])
            for size, count in ((1, 1), (60_000, 2), (100_000, 3), (10**6, 6)):
                found = await storage.outbox(9, size)
                assert [item.event for item in found] == events[:count]
            assert len(await storage.outbox(4, 10**6)) == 4
            assert len(await storage.outbox(9)) == 6
            await write(storage, sent=[item.number for item in await storage.outbox(4)])
            assert len(await storage.outbox(9, 1)) == 1

    async def test_a_batch_says_what_is_large(self) -> None:
        async with self.opened() as storage:
            records = [record(seq=seq, data=facts(b'"%b"' % (b"x" * 200))) for seq in range(2)]
            await write(storage, records=records[:1])
            assert self.count_values(storage) == 0
            await write(storage, inline=99, records=records[1:], events=[accepted()])
            assert self.count_values(storage) == 1
            assert await storage.history("r1") == records

    async def test_a_value_goes_with_the_last_that_uses_it(self) -> None:
        async with self.opened() as storage:
            heads = [ended(run) for run in ("r1", "r2")]
            records = [record(run, data=facts(LARGE, OTHER)) for run in ("r1", "r2")]
            data = Raw(LARGE)
            await write(
                storage, new_heads=heads, records=records, replies=[_reply("a", LARGE)],
                events=[accepted("e1", data=data), accepted("e2")],
                dead_letters=[letter(event=event(data=data))],
                outgoing=[Outgoing(event(data=data))],
            )  # fmt: skip
            steps: list[tuple[int, dict[str, Any]]] = [
                (2, {"removal": Removal(runs=["r1"], rows=9)}),
                (1, {"removal": Removal(runs=["r2"], rows=9)}),
                (1, {"removal": Removal(events=[("shop", "e1")])}),
                (1, {"removal": Removal(dead_letters=["l1"])}),
                (1, {"sent": [1]}),
                (0, {"removal": Removal(at=NOW + 100, replies=[("POST /runs", "a")])}),
            ]
            for left, doing in steps:
                await write(storage, **doing)
                if left == 2:
                    assert await storage.history("r2") == records[1:]
                await _sweep(storage)
                assert self.count_values(storage) == left, doing

    async def test_what_stays_keeps_its_values(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[ended("r1")], records=[record(data=facts(LARGE))])
            await write(storage, events=[accepted(data=Raw(LARGE))], replies=[_reply("a", LARGE)])
            await write(storage, outgoing=[outgoing(), Outgoing(event(data=Raw(LARGE)))], sent=[9])
            removal = Removal(
                at=NOW + 99, rows=9, runs=["r9"], events=[("shop", "e1")], dead_letters=["l9"],
                replies=[("POST /runs", "a")],
            )  # fmt: skip
            await write(storage, removal=removal, sent=[1])
            assert await storage.history("r1") == [record(data=facts(LARGE))]
            assert await storage.known_events([("shop", "e1")])  # the newest stays
            assert await storage.reply("POST /runs", "a", NOW) is not None
            assert [one.number for one in await storage.outbox(9)] == [2]

    async def test_a_value_that_is_used_again_before_it_is_swept_stays(self) -> None:
        async with self.opened() as storage:
            await write(storage, new_heads=[ended("r1")], records=[record(data=facts(LARGE))])
            await write(storage, removal=Removal(runs=["r1"]))
            again = record("r2", data=facts(LARGE))
            await write(storage, records=[again], removal=Removal(rows=9))
            await _sweep(storage)
            assert await storage.history("r2") == [again]

    async def test_a_reply_that_takes_the_place_of_an_expired_one_frees_its_value(self) -> None:
        async with self.opened() as storage:
            await write(storage, replies=[_reply("a", LARGE)])
            await write(storage, replies=[_reply("a", OTHER, NOW + 100)])
            await _sweep(storage)
            assert self.count_values(storage) == 1
            assert await storage.reply("POST /runs", "a", NOW + 100) is not None

    async def test_a_refused_batch_keeps_no_value(self) -> None:
        async with self.opened() as storage:
            await write(storage, records=[record()])
            twice = [record("r2", data=facts(LARGE)), record()]
            await raises(Refused, storage.commit(Batch(records=twice)))
            await storage.join()
            stale = Batch(events=[accepted(data=Raw(LARGE))])
            await raises(Fenced, storage.commit(stale))
            assert self.count_values(storage) == 0

    async def test_values_are_there_after_reopening(self) -> None:
        place = self.place()
        async with self.opened(place) as storage:
            await write(storage, new_heads=[ended()], records=[record(data=facts(LARGE))])
        async with self.opened(place) as storage:
            assert await storage.history("r1") == [record(data=facts(LARGE))]
            await write(storage, removal=Removal(runs=["r1"]))
        async with self.opened(place) as storage:
            await _sweep(storage)
            assert self.count_values(storage) == 0


def _reply(key: str, answer: bytes, at: int = NOW) -> Reply:
    return replace(reply(key, at), answer=answer)


async def _sweep(storage: Storage) -> None:
    for _ in range(9):
        if not await storage.unswept():
            return
        await write(storage, removal=Removal(rows=9))
    raise AssertionError("what nobody uses stays for ever")
