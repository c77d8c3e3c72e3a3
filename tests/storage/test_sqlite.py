"""The threads and connections of the SQLite store, and the plans of its statements."""

import asyncio
import contextlib
import sqlite3
import threading
import time

import pytest
from msgspec import Raw

from ostinato.errors import StoreError, UnknownCommit
from ostinato.ports import Batch, Outgoing, Page, RunQuery, TaskQuery
from ostinato.storage.sqlite import (
    SqliteStorage,
    connection,
    lists,
    schema,
    statements,
    transaction,
)
from ostinato.storage.sqlite.pace import Pace, _rows, is_small
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    event,
    head,
    record,
    version,
    wait,
)

MANY = [record(f"r{n}") for n in range(100)]


@pytest.fixture
async def storage(tmp_path):
    storage = SqliteStorage(tmp_path / "store.db")
    await storage.open()
    yield storage
    await storage.close()


class Held:
    """Holds a COMMIT until it is let go; the wait has a bound, so a failing test ends."""

    def __init__(self, storage):
        self.begun, self.go = threading.Event(), threading.Event()
        storage.finish = self

    def __call__(self, db):
        self.begun.set()
        assert self.go.wait(10)
        transaction.finish(db)

    async def wait_begun(self):
        assert await asyncio.to_thread(self.begun.wait, 10)


async def test_a_commit_is_durable_when_it_returns(storage):
    for _ in range(2):
        pragmas = [storage._main.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS]
        assert pragmas == ["wal", 2, 1000]
        storage.finish = fail
        with pytest.raises(UnknownCommit):
            await storage.commit(Batch(records=[record()]))
        storage.finish = transaction.finish
        assert await storage.history("r1") == []


PRAGMAS = ["journal_mode", "synchronous", "busy_timeout"]


def fail(db):
    raise sqlite3.OperationalError("disk I/O error")


async def test_a_small_batch_is_committed_on_the_callers_thread(storage):
    assert await committing_thread(storage, Batch(records=MANY[:10])) == threading.get_ident()


async def test_a_big_batch_is_committed_on_another_thread(storage):
    assert await committing_thread(storage, Batch(records=MANY)) != threading.get_ident()


async def test_few_rows_with_many_bytes_are_a_big_batch():
    big = b"x" * 300_000
    assert not is_small(Batch(records=[record(data=big)]))
    assert not is_small(Batch(events=[accepted(data=big)]))
    assert is_small(Batch(records=[record()], events=[accepted()], versions=[version()]))


def test_every_list_of_a_batch_counts():
    for name in Batch.__struct_fields__:
        empty = getattr(Batch(), name)
        if isinstance(empty, list | dict):
            rows = [None] * 64 if isinstance(empty, list) else dict.fromkeys(range(64))
            assert _rows(Batch(**{name: rows})) == 64, name
    assert not is_small(Batch(matched=[("o", "r")] * 64))


def test_a_slow_disk_moves_commits_to_the_thread_and_one_slow_commit_does_not():
    pace, small = Pace(), Batch(records=[record()])
    pace.learn(small, 0.5)
    assert pace.allows_inline(small)
    for _ in range(50):
        pace.learn(small, 0.003)
    assert not pace.allows_inline(small)
    for _ in range(50):
        pace.learn(small, 0.0001)
    assert pace.allows_inline(small)


async def committing_thread(storage, given):
    threads = []

    def finish(db):
        threads.append(threading.get_ident())
        transaction.finish(db)

    storage.finish = finish
    await storage.commit(given)
    return threads[0]


async def test_the_engine_reads_on_while_a_thread_commits(storage):
    held = Held(storage)
    commit = asyncio.create_task(storage.commit(Batch(records=MANY)))
    await held.wait_begun()
    assert await storage.history("r1") == []
    assert await storage.next_timer() is None
    held.go.set()
    await commit
    assert await storage.history("r1") == [record("r1")]


async def test_two_transactions_never_overlap(storage):
    open_now, most = 0, 0

    def finish(db):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        transaction.finish(db)
        open_now -= 1

    storage.finish = finish
    batches = [Batch(records=[record(f"{n}/{m}") for m in range(n % 3 * 50)]) for n in range(60)]
    await asyncio.gather(*map(storage.commit, batches), storage.join(), return_exceptions=True)
    assert most == 1


async def test_a_commit_waits_for_one_whose_caller_was_cancelled(storage):
    held = Held(storage)
    cancelled = asyncio.create_task(storage.commit(Batch(records=MANY)))
    await held.wait_begun()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    following = asyncio.create_task(storage.commit(Batch(records=[record("r1", 5)])))
    await asyncio.sleep(0)
    assert not following.done()
    held.go.set()
    await following
    assert [item.seq for item in await storage.history("r1")] == [0, 5]


@pytest.mark.parametrize(
    ("bytes_each", "size", "given", "queries"),
    [
        (10, 1_000_000, 40, ["outbox"]),  # small ones cost one query, as if nobody counted
        (20_000, 50_000, 2, ["outbox", "BEGIN", "outbox", "value", "value", "value", "ROLLBACK"]),
    ],
)
async def test_no_more_of_the_outbox_is_read_than_is_asked_for(
    storage, bytes_each, size, given, queries
):
    many = [Outgoing(event(f"o{n}", data=Raw(_text(n, bytes_each))), "r") for n in range(40)]
    await storage.commit(Batch(epoch=await storage.join(), outgoing=many))
    asked = []
    storage._main.set_trace_callback(asked.append)
    assert len(await storage.outbox(40, size)) == given
    named = [one.split(" FROM ")[1].split()[0] if " FROM " in one else one for one in asked]
    assert named == queries


def _text(number, length):
    """Each another one: what is equal is kept once."""
    return f'"{number:0{length}}"'.encode()


async def test_a_long_list_stalls_nobody(storage, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def slow(db, query, page):
        begun.set()
        assert go.wait(10)
        return []

    monkeypatch.setattr(lists, "runs", slow)
    listing = asyncio.create_task(storage.runs(RunQuery(), Page()))
    assert await asyncio.to_thread(begun.wait, 10)
    await storage.commit(Batch(records=[record()]))
    assert await storage.history("r1") == [record()]
    go.set()
    assert await listing == []


async def test_closing_ends_a_list_that_nobody_waits_for(storage):
    endless = "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT * FROM n) SELECT count(*) FROM n"
    begun = threading.Event()

    def count(db):
        begun.set()
        return db.execute(endless).fetchone()

    listing = asyncio.create_task(storage._list(count))
    assert await asyncio.to_thread(begun.wait, 10)
    await storage.close()
    with pytest.raises(StoreError):
        await listing


async def test_twenty_thousand_waiting_runs_open_quickly(tmp_path):
    storage = SqliteStorage(tmp_path / "store.db")
    await storage.open()
    await storage.commit(waiting_runs(20_000))
    await storage.close()
    started = time.perf_counter()
    await storage.open()
    assert await storage.busy_runs() == ["r00007"]
    assert len(await storage.missed()) == 1
    await storage.close()
    assert time.perf_counter() - started < 2


def waiting_runs(count):
    names = [f"r{n:05}" for n in range(count)]
    return Batch(
        events=[accepted(keys=("k9",))],
        new_heads=[head(name, busy=name == "r00007", waiting_for="event") for name in names],
        waits=[wait(name, values_key=f"k{n}") for n, name in enumerate(names)],
    )


# "SCAN" without an index, or a sort of all there is, grows with the store.
# Once at the start; columns alone.
NOT_ASKED = (
    "VERSIONS",
    "HEAD",
    "SCHEDULE",
    "SCHEDULES",
    "TURNS",
    "PLACES",
    "BUCKETS",
    "MAIL",
    "LETTER",
    "TASK",
    "OPEN_STATUSES",
)

READS = [name for name in vars(statements) if name.isupper() and name not in NOT_ASKED]


@pytest.mark.parametrize("name", READS)
def test_no_statement_scans_a_table(name, tmp_path):
    sql = getattr(statements, name)
    if sql.startswith("event."):
        return
    with contextlib.closing(connection.writer(tmp_path / "store.db")) as db:
        schema.migrate(tmp_path, db, schema.shipped())
        plan = db.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")).fetchall()
    steps = [row[3] for row in plan]
    scans = [step for step in steps if step.startswith("SCAN") and step not in SMALL]
    assert scans == []


# Keys that were asked for; waits that are open, once at the start; the outbox in its own order,
# and what waits in it by bus, from the index alone, when somebody asks.
SMALL = {
    "SCAN asked VIRTUAL TABLE INDEX 1:",
    "SCAN found VIRTUAL TABLE INDEX 1:",
    "SCAN removed",
    "SCAN loose",
    "SCAN value_loose",
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    "SCAN asked",
    "SCAN wait USING INDEX wait_looks_for",
    "SCAN outbox",
    "SCAN outbox USING COVERING INDEX outbox_bus",
}


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (TaskQuery(status=("pending",)), "task_pending"),
        (TaskQuery(overdue_at=NOW), "task_pending"),
        (TaskQuery(status=("pending",), assignee="ann"), "task_of"),
        (TaskQuery(run_id="r1"), "task_run"),
        (TaskQuery(), "task_newest"),
    ],
    ids=str,
)
def test_open_tasks_are_listed_without_a_look_at_those_that_have_ended(query, index, tmp_path):
    with contextlib.closing(connection.writer(tmp_path / "store.db")) as db:
        schema.migrate(tmp_path, db, schema.shipped())
        asked = []
        db.set_trace_callback(asked.append)
        lists.tasks(db, query, Page())
        (plan,) = db.execute(f"EXPLAIN QUERY PLAN {asked[-1]}").fetchall()[:1]
    assert f"USING INDEX {index}" in plan[3]
