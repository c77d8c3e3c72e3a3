"""Several write at once: who commits late, who takes away what another uses, who was stopped."""

import asyncio
import contextlib
import re
from itertools import pairwise

import psycopg
import pytest

from ostinato.errors import Fenced, StoreError, UnknownCommit
from ostinato.ports import MISSED, Batch, Removal, Taken
from ostinato.storage.postgres import PostgresStorage, questions, statements, statements_jobs
from ostinato.storage.postgres.link import Growth
from ostinato.storage.postgres.wire import Ask
from ostinato.storage.values import RECORD, cut, text_of
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    ended,
    event,
    head,
    outgoing,
    record,
    wait,
)
from ostinato.testing.storage_contract.shared import Ears
from ostinato.testing.storage_contract.values import LARGE, facts

pytestmark = pytest.mark.real

KEY = """
INSERT INTO ostinato.event_key (type, values_key, received_at, number, era)
VALUES ('PAID', 'k1', 0, %s, (SELECT number FROM ostinato.era))
"""
EVENT = """
INSERT INTO ostinato.event (id, source, type, time, data, received_at, answer, era)
SELECT %s, 'shop', 'PAID', 0, '1', 0, '', number FROM ostinato.era RETURNING number
"""


@contextlib.asynccontextmanager
async def opened(url):
    storage = PostgresStorage(url)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


@pytest.fixture
def other(new_database):
    """A place, and another process's connection to it."""
    url = new_database()
    with psycopg.connect(url) as db:
        yield url, db


def _add_event(db, name):
    (number,) = db.execute(EVENT, (name,)).fetchone()
    db.execute(KEY, (number,))


async def missed(storage):
    return [(found.run_id, one.id) for found, one in await storage.missed()]


async def test_an_event_of_a_late_committer_came_after_the_wait(other):
    url, db = other
    async with opened(url) as storage:
        _add_event(db, "late")
        await storage.commit(Batch(waits=[wait(since=None)]))
        await storage.commit(Batch(events=[accepted("soon")]))
        assert await missed(storage) == [("r1", "soon")]
        db.commit()
        assert await missed(storage) == [("r1", "late"), ("r1", "soon")]
        await storage.commit(Batch(waits=[wait("r2", since=None)]))
        assert await missed(storage) == [("r1", "late"), ("r1", "soon")]


async def test_what_a_late_committer_sends_is_found_behind_what_was_sent(other):
    url, db = other
    async with opened(url) as storage:
        db.execute(
            "INSERT INTO ostinato.outbox (run_id, event, partition) VALUES ('', %s, 0)",
            (b'{"id":"late","source":"s","type":"t","time":0,"subject":null,"data":1}',),
        )
        await storage.commit(Batch(outgoing=[outgoing("soon")]))
        [first] = await storage.outbox(9)
        await storage.commit(Batch(sent=[first.number]))
        assert await storage.outbox(9) == []
        db.commit()
        [late] = await storage.outbox(9)
        assert (late.event.id, late.number < first.number) == ("late", True)


async def test_tables_that_were_brought_from_another_server_keep_their_order(other):
    """Its transactions had higher numbers than those of this one will have for long."""
    url, db = other
    async with opened(url) as storage:
        await storage.commit(Batch(waits=[wait("old", since=None)]))
        await storage.commit(Batch(events=[accepted("old")]))
    far = "((pg_current_xact_id()::text::bigint + 1000000000)::text)"
    for table in ("event", "event_key"):
        db.execute(f"UPDATE ostinato.{table} SET by = {far}::xid8")
    seen = f"({far} || ':' || {far} || ':')::pg_snapshot"
    db.execute(f"UPDATE ostinato.wait SET by = {far}::xid8, opened = {seen}")
    db.commit()
    for _ in range(2):
        async with opened(url) as storage:
            pass
    async with opened(url) as storage:
        await storage.commit(Batch(waits=[wait("new", since=None)]))
        await storage.commit(Batch(events=[accepted("new")]))
        assert await missed(storage) == [("old", "old"), ("new", "new"), ("old", "new")]


@pytest.mark.parametrize("table", ["event", "run"])
async def test_so_do_runs_and_what_comes_after_them(other, table):
    url, db = other
    async with opened(url) as storage:
        await storage.commit(Batch(new_heads=[head()], events=[accepted("old", keys=())]))
    db.execute(f"UPDATE ostinato.{table} SET by = (by::text::bigint + 1000000000)::text::xid8")
    db.commit()
    async with opened(url) as storage:
        await storage.commit(Batch(events=[accepted("new")]))
        await storage.commit(Batch(new_heads=[head("r2")]))
        found = [await storage.early_events("PAID", "k1", 0, run_id) for run_id in ("r1", "r2")]
        assert found == [[event("new")], []]


async def test_an_event_of_a_late_committer_is_told_to_a_wait_that_could_not_see_it(other):
    url, db = other
    async with opened(url) as storage:
        _add_event(db, "late")
        await storage.commit(Batch(waits=[wait(since=None)]))
        db.commit()
        await storage.commit(Batch(waits=[wait("r2", since=None)]))
        found = await storage.find_waits("PAID", ["k1"], ("shop", "late"))
        assert found == [wait(since=None)]


async def test_a_value_that_another_uses_from_now_on_is_not_swept(other):
    """Who sweeps sees no use of it, as the other has not committed: it stays until he has."""
    url, db = other
    data = facts(LARGE)
    async with opened(url) as storage:
        await storage.commit(Batch(new_heads=[ended("r1")], records=[record(data=data)]))
        await storage.commit(Batch(removal=Removal(runs=["r1"], ended_before=NOW + 99)))
        found = cut(data, 16_384, RECORD)
        ((digest, value),) = found.values.items()
        db.execute(
            "INSERT INTO ostinato.value (digest, data) VALUES (%s, %s) "
            "ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest", (digest, value)
        )  # fmt: skip
        db.execute("INSERT INTO ostinato.value_use VALUES ('run/r2', %s)", (digest,))
        row = ("r2", found.rest, text_of(found.holes))
        db.execute("INSERT INTO ostinato.history VALUES (%s, 0, 1, 1, %s, %s)", row)
        await storage.commit(Batch(removal=Removal(rows=9)))
        db.commit()
        for _ in range(3):
            await storage.commit(Batch(removal=Removal(rows=9)))
        [kept] = await storage.history("r2")
        assert kept.data == data
        assert not await storage.unswept()


async def test_who_was_stopped_in_the_middle_of_a_batch_is_turned_out(other):
    """Half of its batch is at the server, which waits for the rest and holds what it has locked."""
    url, _ = other
    async with opened(url) as first, opened(url) as second:
        for storage in (first, second):
            await storage.members.renew(10, "here")
        assert (await first.members.take(9)).partitions
        epoch = await first.join()
        half = [statements.FENCE.encode(), [first.member.encode(), epoch.to_bytes(8)]]
        stopped = first._writer._wire._pq
        stopped.send_query_params(half[0], half[1], None, [1, 1], 1)
        stopped.send_flush_request()
        stopped.flush()
        with psycopg.connect(url, autocommit=True) as db:
            while not await _lease_is_over(db):
                await second.members.renew(10, "here")
            await _until_locked(db, first.member)
            assert (await second.members.take(9)).orphans
        batch = Batch(epoch=epoch, records=[record()])
        with contextlib.suppress(UnknownCommit):  # its connection is gone, and it hears of that now
            await raises(Fenced, first.commit(batch))
        await raises(Fenced, first.commit(batch))
        await second.commit(Batch(epoch=await second.join(), records=[record("r2")]))
        assert await second.history("r1") == []


async def test_what_was_taken_is_told_also_when_the_answer_was_lost(other):
    """And that its last process has left, too: once, by the next call that is answered."""
    url, _ = other
    async with opened(url) as first, opened(url) as second:
        for storage in (first, second):
            await storage.members.renew(60_000, "here")
        assert len((await first.members.take(3)).partitions) == 3
        await first.members.leave()
        repeat = second._watch.repeat

        async def answer_nothing(asks):
            second._watch.repeat = repeat
            await repeat(asks)
            raise StoreError("the connection was lost")

        second._watch.repeat = answer_nothing
        await raises(StoreError, second.members.take(2))
        assert set(await second.members.owners()) == {0, 1}
        assert await second.members.take(0) == Taken(frozenset({0, 1}), orphans=True)
        assert await second.members.take(0) == Taken()
        assert await second.members.take(2) == Taken(frozenset({2, 3}), orphans=True)
        assert await second.members.take(1) == Taken(frozenset({4}))


async def test_who_is_buried_while_it_joins_gets_no_epoch(other):
    """It waits for the one that buries, and finds then that it is another."""
    url, db = other
    async with opened(url) as storage:
        await storage.members.renew(60_000, "here")
        await storage.members.take(1)
        burying = "UPDATE ostinato.member SET epoch = epoch + 1, life = life + 1 WHERE id = %s"
        db.execute(burying, (storage.member,))
        joining = asyncio.ensure_future(storage.join())
        with psycopg.connect(url, autocommit=True) as onlooker:
            while not onlooker.execute(WAITING).fetchone():
                await asyncio.sleep(0)
        db.commit()
        await raises(Fenced, joining)
        await raises(Fenced, storage.members.renew(60_000, "here"))
        assert await storage.join() > 0


async def test_who_was_cut_off_looks_for_what_it_may_have_missed_and_so_do_the_others(other):
    url, db = other
    async with opened(url) as first, opened(url) as second:
        ears = [Ears(storage) for storage in (first, second)]
        for _ in range(2):
            [(pid,)] = await first._watch.rows(Ask("SELECT pg_backend_pid()"))
            db.execute("SELECT pg_terminate_backend(%s)", (pid,))
            for each in ears:
                await each.until(lambda heard: heard == [MISSED])
                each.heard.clear()


async def test_news_that_another_program_sends_are_no_hints(other):
    url, db = other
    async with opened(url) as storage:
        ears = Ears(storage)
        for payload in ("", "left", f"{storage.member},mine", "somebody,r1,r2"):
            db.execute("SELECT pg_notify('ostinato', %s)", (payload,))
            db.commit()
        await ears.until(lambda heard: heard == ["r1", "r2"])


WAITING = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def _lease_is_over(db):
    await asyncio.sleep(0)
    over = "SELECT bool_or(expires_at <= ostinato.clock_ms()) FROM ostinato.lease"
    return db.execute(over).fetchone()[0]


async def _until_locked(db, member):
    while db.execute(
        "SELECT 1 FROM ostinato.member WHERE id = %s FOR UPDATE SKIP LOCKED", (member,)
    ).fetchone():
        await asyncio.sleep(0)


BY_ROWS = {"Seq Scan", "Join Filter"}
WHOLE = {"SCHEDULES", "TURNS", "PLACES", "BUCKETS", "VERSIONS", "OLDEST_OPEN", "SOME", "COUNTS"}
"""What reads all that there is."""


NEW = """
UPDATE pg_class SET relpages = 0, reltuples = -1 WHERE relnamespace = 'ostinato'::regnamespace
"""
ONE_ROW = re.compile(r"\b(era|deployed)\b")
STATEMENT = re.compile(r"\s*(SELECT|WITH|UPDATE|DELETE|INSERT)")


def _constants(module):
    for name, text in vars(module).items():
        if isinstance(text, str) and name[0] != "_" and STATEMENT.match(text):
            yield name, text


CONSTANTS = {
    name: text
    for module in (questions, statements, statements_jobs)
    for name, text in _constants(module)
}


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_what_is_asked_is_found_by_an_index(name, new_database):
    """Also when it is planned for tables that are new, as a plan may be old."""
    text = CONSTANTS[name]
    count = max(map(int, re.findall(r"\$(\d+)", text)), default=0)
    with psycopg.connect(new_database(), autocommit=True) as db:
        db.execute(NEW)
        db.execute("SET search_path = ostinato; SET plan_cache_mode = force_generic_plan")
        db.execute(
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
        )
        db.execute(f"PREPARE asked AS {text}".encode())
        arguments = f" ({', '.join(['NULL'] * count)})" if count else ""
        plan = "\n".join(row[0] for row in db.execute(f"EXPLAIN EXECUTE asked{arguments}".encode()))
    if name not in WHOLE and not ONE_ROW.search(text):
        assert not [part for part in BY_ROWS if part in plan], plan


async def test_plans_are_made_anew_as_tables_grow_and_ever_more_seldom(other):
    url, _ = other
    made = []
    async with opened(url) as storage:
        writer = storage._writer
        plan = writer._plan_anew
        writer._plan_anew = lambda wire: (made.append(storage._growth.written), plan(wire))
        for seq in range(60):
            await storage.commit(Batch(records=[record(seq=seq, data=b"x" * 15_000)]))
        assert len(await storage.history("r1")) == 60
    assert 2 <= len(made) <= 4
    assert all(later > Growth.TIMES * before for before, later in pairwise(made))
