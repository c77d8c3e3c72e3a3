"""Moving house: every kind of row of one store, in another one, with the same answers."""

import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from msgspec import Raw

from ostinato.app.moving import move_store, unmove_store
from ostinato.errors import ConflictError, StoreError, StoreLocked, UnknownCommit, UsageError
from ostinato.ports import (
    Batch,
    EventQuery,
    JobQuery,
    LetterQuery,
    Page,
    Removal,
    RunQuery,
    Settled,
    TaskQuery,
)
from ostinato.storage import moving
from ostinato.storage.moving import KINDS, TABLES
from ostinato.storage.postgres import PostgresStorage, moving_sql
from ostinato.storage.postgres.moving import PostgresTarget
from ostinato.storage.sqlite import SqliteStorage
from ostinato.storage.sqlite import moving as sqlite_moving
from ostinato.storage.sqlite import schema as sqlite_schema
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.operations import operation
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    claim,
    ended,
    event,
    head,
    job,
    letter,
    mail,
    outgoing,
    place,
    record,
    reply,
    schedule,
    task,
    task_end,
    turn,
    version,
    wait,
)

LARGE = b'{"a":"%s","b":"%s"}' % (b"x" * 70, b"y" * 70)
PEOPLE = b'{"candidates":["ann","bob"],"form":"%s"}' % (b"f" * 70)


@asynccontextmanager
async def opened(storage):
    await storage.open()
    try:
        if storage.members is not None:
            await storage.members.renew(9_000, "here")
            assert await storage.members.take()
        yield storage
    finally:
        if storage.members is not None:
            await storage.members.leave()
        await storage.close()


async def commit(storage, **members):
    await storage.commit(Batch(epoch=await storage.join(), inline=60, **members))


async def fill(storage):
    """Every table has rows, large values and holes included; some rows have gone again."""
    await commit(storage, events=[accepted("early"), accepted("odd", keys=("k1", "k2"))])
    await commit(
        storage,
        events=[accepted("e1", data=Raw(LARGE)), accepted("plain", keys=())],
        replies=[reply("small"), reply('a/b"c')],
        records=[record(f"r{n}", seq) for n in (1, 2, 3) for seq in (0, 2)]
        + [record("r1", 4, b'[["job.ready",{"a":%b}]]' % LARGE)],
        new_heads=[
            head("r1", uid="ü1"),
            head("r2", busy=True, error_message="no\tway"),
            ended("r3"),
        ],
        waits=[wait("r1", since=None), wait("r2", "p/é", since=NOW), wait("r3", since=None)],
        timers={("r1", "a", "retry"): NOW, ("r2", "b", "timeout"): NOW + 5},
        outgoing=[outgoing("o1"), outgoing("o2", "r2")],
        versions=[version(), version(2), version(1, "other")],
        dead_letters=[letter(event=event("e1", data=Raw(LARGE))), letter("l2", event=None)],
        schedules=[schedule(), schedule("s2", None, paused_at=NOW, paused_why="lunch")],
        tasks=[task(), task("t2", asked=PEOPLE), task("t3", run_id="r2")],
        turns={("r1", "p/j"): turn(), ("r2", "p/j"): turn("r2", priority=9)},
        places=[place(), place(n=1, run_id="r2")],
        buckets={"b1": NOW, "b2": NOW + 1},
        mail={one.line: one for one in (mail(), mail("answer", "r2"), mail(key="p/k"))},
        operations=[operation("op1"), operation("op2")],
        matched=[("op1", "r1"), ("op1", "r2"), ("op1", "r3")],
        settled=[Settled("op1", "r1", "done", "")],
        jobs=[job(), job("j2", NOW + 1), job("j3", topic="b", brief=LARGE)],
    )
    await commit(storage, events=[accepted("late"), accepted("none", keys=("k9",))])
    await commit(
        storage,
        tasks=[task_end(answer=LARGE)],
        retired=[("order", 1)],
        sent=[(await storage.outbox(1))[0].number],
        removal=Removal(runs=["r3"]),
    )
    [claimed] = await storage.claim_jobs(claim(most=1, lease=9_000))
    assert claimed.worker == "w1"


async def answers(storage):
    """All that can be asked, but numbers that a store gives by itself."""
    all_ = Page(100)
    return {
        "histories": [await storage.history(f"r{n}") for n in (1, 2, 3)],
        "runs": await storage.runs(RunQuery(), all_),
        "busy": await storage.busy_runs(),
        "open": await storage.open_runs([("order", "ü1")]),
        "timers": await storage.due_timers(NOW + 99, 9),
        "schedules": await storage.schedules(),
        "waits": await storage.find_waits("PAID", ["k1"]),
        "early": await storage.early_events("PAID", "k1", 0),
        "missed": await storage.missed(),
        "events": await storage.events(EventQuery(), all_),
        "replies": [await storage.reply("POST /runs", key, NOW) for key in ("small", 'a/b"c')],
        "outbox": await storage.outbox(9),
        "versions": await storage.versions(),
        "places": await storage.places(),
        "turns": await storage.turns(),
        "buckets": await storage.buckets(),
        "mail": await storage.mail(),
        "jobs": await storage.jobs(JobQuery(), all_),
        "leases": await storage.due_leases(NOW + 10_000, 9),
        "letters": await storage.dead_letters(LetterQuery(), all_),
        "tasks": await storage.tasks(TaskQuery(), all_),
        "for bob": await storage.tasks(TaskQuery(candidate="bob"), all_),
        "operations": [await storage.operation(one) for one in ("op1", "op2")],
        "tally": await storage.operation_tally("op1"),
        "left": await storage.operation_runs("op1", "", 9),
        "unswept": await storage.unswept(),
    }


def storage_of(url):
    path = url.removeprefix("sqlite:///")
    return PostgresStorage(url) if path == url else SqliteStorage(path)


@pytest.fixture
def urls(tmp_path, request):
    """Of two stores, by name; nothing is in them."""

    def urls(*names):
        return [
            f"sqlite:///{tmp_path}/{name}-{at}.db"
            if name == "sqlite"
            else request.getfixturevalue("new_database")()
            for at, name in enumerate(names)
        ]

    return urls


async def filled(url):
    async with opened(storage_of(url)) as storage:
        await fill(storage)
        found = await answers(storage)
    assert all(found.values()), [name for name, rows in found.items() if not rows]
    return found


PAIRS = [
    ("sqlite", "postgres"),
    ("postgres", "sqlite"),
    ("postgres", "postgres"),
    ("sqlite", "sqlite"),
]


@pytest.mark.real
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_everything_is_answered_as_before(urls, pair):
    source, target = urls(*pair)
    before = await filled(source)
    view = await move_store(source, target, faulty=True)
    empty = {name for name, count in view.rows.items() if not count}
    assert empty == {"value_loose"}
    async with opened(storage_of(target)) as storage:
        assert await answers(storage) == before


# what is moved


def _in_sqlite(file):
    db = sqlite_moving.connection.writer(file)
    sqlite_schema.migrate(file, db, sqlite_schema.shipped())
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    tables = [name for (name,) in db.execute(named)]
    found = {
        table: {row[1] for row in db.execute(f"PRAGMA table_info({table})")} for table in tables
    }
    db.close()
    return found


def _in_postgres(url):
    asked = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s"
    found = {}
    with psycopg.connect(url) as db:
        for table, column in db.execute(asked, ("ostinato",)):
            found.setdefault(table, set()).add(column)
    return found


def _known(derived, stays, absent=None):
    columns = {
        kind.name: {*kind.columns, *derived.get(kind.name, ())}
        - {*(absent or {}).get(kind.name, ())}
        for kind in TABLES
    }
    return columns | dict.fromkeys(stays)


@pytest.mark.real
def test_no_table_and_no_column_is_forgotten(tmp_path, new_database):
    """A new one is added to ``KINDS``, or to ``STAYS`` with the reason."""
    for there, known in (
        (_in_sqlite(tmp_path / "o.db"), _known({}, sqlite_moving.STAYS, sqlite_moving.ABSENT)),
        (_in_postgres(new_database()), _known(moving_sql.DERIVED, moving_sql.STAYS)),
    ):
        assert there.keys() == known.keys()
        for table, columns in known.items():
            assert columns is None or there[table] - {"after"} == columns - {"after"}, table


@pytest.mark.real
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_numbers_go_on(urls, pair):
    """What was sent, claimed or seen has its number for good."""
    source, target = urls(*pair)
    async with opened(storage_of(source)) as storage:
        await commit(storage, outgoing=[outgoing(f"o{n}") for n in range(5)], jobs=[job()])
        await commit(storage, sent=[one.number for one in await storage.outbox(9)])
        await commit(storage, mail={mail().line: mail()}, turns={("r1", "p/j"): turn()})
    await move_store(source, target, faulty=True)
    async with opened(storage_of(target)) as storage:
        await commit(
            storage,
            outgoing=[outgoing("next")],
            jobs=[job("j2")],
            mail={mail(key="p/k").line: mail(key="p/k")},
            turns={("r2", "p/j"): turn("r2")},
            events=[accepted("e2")],
        )
        assert [one.number for one in await storage.outbox(9)] == [6]
        assert [one.id for one in await storage.claim_jobs(claim())] == ["j1", "j2"]
        assert [one.key for one in await storage.mail()] == ["p/j", "p/k"]
        assert [one.run_id for one in await storage.turns()] == ["r1", "r2"]


def renumber(url, more):
    with sqlite3.connect(url.removeprefix("sqlite:///")) as db:
        for table, column in (("event", "number"), ("event_key", "number"), ("wait", "after")):
            db.execute(f"UPDATE {table} SET {column} = {column} + {more}")


def era(url):
    if url.startswith("sqlite"):
        return 0
    with psycopg.connect(url) as db:
        return db.execute("SELECT number FROM ostinato.era").fetchone()[0]


@pytest.mark.real
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_what_came_after_a_wait_is_missed_and_nothing_else(urls, pair):
    source, target = urls(*pair)
    async with opened(storage_of(source)) as storage:
        await commit(storage, events=[accepted("before", at=NOW + 5)])
        await commit(storage, waits=[wait(since=None)], events=[accepted("with", at=NOW + 4)])
        await commit(storage, events=[accepted("after", at=NOW + 3)])
        await commit(storage, waits=[wait("r2", since=None)])
    if pair[0] == "sqlite":
        renumber(source, 10_000_000)  # far more events than the target has seen transactions
    await move_store(source, target, faulty=True)
    eras = {era(target)}
    for again in ("one", "two"):  # a server that starts again is in the same era
        async with opened(storage_of(target)) as storage:
            await commit(storage, events=[accepted(again, at=NOW + 2)])
            await commit(storage, waits=[wait("r3", since=None)])
            eras.add(era(target))
    assert len(eras) == 1
    async with opened(storage_of(target)) as storage:
        assert [(one.run_id, told.id) for one, told in await storage.missed()] == [
            ("r1", "with"), ("r1", "after"), ("r1", "one"), ("r2", "one"),
            ("r1", "two"), ("r2", "two"),
        ]  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("to", ["sqlite", "postgres"])
async def test_transactions_that_overtook_each_other(urls, to):
    """Two processes store events: one has the lower number, and was seen later."""
    source, target = urls("postgres", to)
    async with opened(storage_of(source)) as storage:
        await commit(storage, events=[accepted(f"e{n}") for n in range(1, 6)])
        await commit(storage, waits=[wait(since=None), wait("r2", since=None, values_key="k9")])
    with psycopg.connect(source, autocommit=True) as db:  # e2 and e4 were on their way meanwhile
        db.execute("SET search_path = ostinato")
        base = db.execute("SELECT max(by::text::int8) FROM event_key").fetchone()[0]
        db.execute(f"UPDATE event_key SET by = ({base} + number)::text::xid8")
        ran = f"{base + 2}:{base + 6}:{base + 2},{base + 4}"
        db.execute("UPDATE wait SET by = %s::xid8, opened = %s::pg_snapshot", (str(base + 9), ran))
    async with opened(storage_of(source)) as storage:
        before = [(one.run_id, told.id) for one, told in await storage.missed()]
    assert before == [("r1", "e2"), ("r1", "e4")]
    await move_store(source, target, faulty=True)
    async with opened(storage_of(target)) as storage:
        found = [(one.run_id, told.id) for one, told in await storage.missed()]
        assert found == before
        known = await storage.known_events([("shop", f"e{n}") for n in range(1, 6)])
        assert len(known) == 5


@pytest.mark.real
async def test_people_are_found_though_their_names_are_many(urls):
    source, target = urls("sqlite", "postgres")
    many = b'{"candidates":[%s]}' % b",".join(b'"p%d"' % n for n in range(99))
    async with opened(storage_of(source)) as storage:
        await commit(storage, tasks=[task(asked=many)])
    await move_store(source, target)
    async with opened(storage_of(target)) as storage:
        [found] = await storage.tasks(TaskQuery(candidate="p7"), Page())
        assert found.asked == many


# what is refused


@pytest.mark.real
@pytest.mark.parametrize("name", ["sqlite", "postgres"])
async def test_a_store_in_use_is_not_moved(urls, name):
    source, other = urls(name, "sqlite")
    async with opened(storage_of(source)) as storage:
        await commit(storage, records=[record()])
        for pair in ((source, other), (other, source)):
            if pair[0] == other:
                async with opened(storage_of(other)) as empty:
                    await empty.join()
            error = await raises(StoreLocked, move_store(*pair))
            assert "in use" in error.message
            assert "stop it" in error.message
    assert (await move_store(source, other, faulty=True)).rows["history"] == 1


@pytest.mark.real
@pytest.mark.parametrize("name", ["sqlite", "postgres"])
async def test_a_target_that_holds_something_is_left_alone(urls, name):
    source, target = urls("sqlite", name)
    for url in (source, target):
        async with opened(storage_of(url)) as storage:
            await commit(storage, records=[record(), record(seq=2)], events=[accepted()])
    error = await raises(ConflictError, move_store(source, target, faulty=True))
    assert "1 event, 1 event_key, 2 history" in error.message
    async with opened(storage_of(source)) as storage:
        assert len(await storage.history("r1")) == 2


async def test_what_names_no_two_stores_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/o.db"
    assert "no store here" in (await raises(StoreError, move_store(url, f"{url}2"))).message
    assert not (tmp_path / "o.db").exists()
    async with opened(storage_of(url)) as storage:
        await commit(storage, records=[record()])
    same = f"sqlite:///{tmp_path}/../{tmp_path.name}/o.db"
    assert "both source and target" in (await raises(UsageError, move_store(url, same))).message
    error = await raises(StoreError, move_store(url, f"sqlite:///{tmp_path}/none/o.db"))
    assert "a directory that exists" in error.message
    (tmp_path / "text").write_text("a text of somebody" * 99)
    await raises(StoreError, move_store(url, f"sqlite:///{tmp_path}/text"))
    assert (tmp_path / "text").read_text().startswith("a text of somebody")


@pytest.mark.real
async def test_tables_of_a_newer_version_are_not_touched(urls):
    source, target = urls("sqlite", "postgres")
    async with opened(storage_of(source)) as storage:
        await commit(storage, records=[record()])
    file = source.removeprefix("sqlite:///")
    with sqlite3.connect(file) as db:
        db.execute("INSERT INTO migration (number, name, checksum) VALUES (99, 'x', 'x')")
    assert "newer Ostinato" in (await raises(StoreError, move_store(source, target))).message
    with sqlite3.connect(file) as db:
        db.execute("DELETE FROM migration WHERE number = 99")
    with psycopg.connect(target, autocommit=True) as db:
        note = "INSERT INTO ostinato.migration (number, half, name, checksum) VALUES (%s,%s,%s,%s)"
        db.execute(note, (99, "post", "x", "x"))
        assert "newer Ostinato" in (await raises(StoreError, move_store(source, target))).message
        db.execute("DELETE FROM ostinato.migration WHERE number = 99")


@pytest.mark.real
async def test_a_row_that_the_target_cannot_hold_is_named(urls):
    source, target = urls("sqlite", "postgres")
    async with opened(storage_of(source)) as storage:
        await commit(storage, new_heads=[head(error_message="a\0b")])
        await commit(storage, timers={("r1", "p/\0", "retry"): NOW})
    error = await raises(StoreError, move_store(source, target, faulty=True))
    assert "timer run_id = 'r1', key = 'p/\\x00'" in error.message
    with sqlite3.connect(source.removeprefix("sqlite:///")) as db:
        db.execute("DELETE FROM timer")
        db.execute("UPDATE run SET started_at = 'noon'")
    error = await raises(StoreError, move_store(source, target, faulty=True))
    assert "run run_id = 'r1': started_at holds str, not int" in error.message
    with sqlite3.connect(source.removeprefix("sqlite:///")) as db:
        db.execute("UPDATE run SET started_at = 1")
    await move_store(source, target, faulty=True)
    async with opened(storage_of(target)) as storage:
        assert (await storage.head("r1")).error_message == "a\ufffdb"


@pytest.mark.real
async def test_a_value_that_is_another_one_by_now_is_noticed(urls):
    source, target = urls("sqlite", "postgres")
    async with opened(storage_of(source)) as storage:
        await commit(storage, events=[accepted(data=Raw(LARGE))])
    with sqlite3.connect(source.removeprefix("sqlite:///")) as db:
        db.execute("UPDATE value SET data = x'20'")
    error = await raises(StoreError, move_store(source, target))
    assert "is not what it was" in error.message


@pytest.mark.real
async def test_histories_that_are_wrong_are_not_moved_unless_it_is_said(urls):
    source, target = urls("sqlite", "postgres")
    async with opened(storage_of(source)) as storage:
        await commit(storage, new_heads=[head("r1"), head("r2")], records=[record("r1")])
        await commit(storage, records=[record("r9")])
    error = await raises(ConflictError, move_store(source, target))
    for said in ("r1", "r2 #-1 history.lost", "r9 #-1 head.lost", "--faulty"):
        assert said in error.message
    async with opened(storage_of(target)) as storage:
        assert await storage.runs(RunQuery(), Page()) == []
    view = await move_store(source, target, faulty=True)
    assert len(view.violations) >= 3


# what breaks off


def breaks(monkeypatch, kind, method, error, when="history"):
    """The named method fails when it comes to that table."""
    real = getattr(kind, method)

    async def broken(self, *args):
        if not args or args[0].name == when:
            raise error
        return await real(self, *args)

    monkeypatch.setattr(kind, method, broken)


def is_there(url):
    return url.startswith("sqlite") and Path(url.removeprefix("sqlite:///")).exists()


def target_of(name):
    return sqlite_moving.SqliteTarget if name == "sqlite" else PostgresTarget


@pytest.mark.real
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("method", ["write", "finish"])
async def test_what_broke_off_has_never_been(urls, pair, method, monkeypatch):
    source, target, empty = urls(*pair, "sqlite")
    before = await filled(source)
    with monkeypatch.context() as patch:
        breaks(patch, target_of(pair[1]), method, StoreError("the disk is full"))
        await raises(StoreError, move_store(source, target, faulty=True))
    assert not is_there(target)
    async with opened(storage_of(target)) as storage, opened(storage_of(empty)) as nothing:
        assert await answers(storage) == await answers(nothing)
    async with opened(storage_of(source)) as storage:
        assert await answers(storage) == before
    await move_store(source, target, faulty=True)
    async with opened(storage_of(target)) as storage:
        assert await answers(storage) == before


@pytest.mark.real
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_who_dies_before_the_last_word_moves_again(urls, pair, monkeypatch):
    """Between the word of the source and that of the target: neither can be started."""
    source, target = urls(*pair)
    before = await filled(source)
    with monkeypatch.context() as patch:
        breaks(patch, target_of(pair[1]), "finish", UnknownCommit("nobody knows"))
        await raises(StoreError, move_store(source, target, faulty=True))
    error = await raises(StoreError, storage_of(source).open())
    assert "was moved to" in error.message
    view = await move_store(source, target, faulty=True)
    assert not view.again
    async with opened(storage_of(target)) as storage:
        assert await answers(storage) == before


@pytest.mark.real
async def test_a_copy_that_is_not_the_same_is_noticed(urls, monkeypatch):
    source, target = urls("sqlite", "postgres")
    await filled(source)
    real = target_of("postgres").write

    async def careless(self, kind, rows, value):
        if kind.name == "timer":
            rows = [(*row[:3], row[3] + 1) for row in rows[1:]] + [rows[0]]
        await real(self, kind, rows, value)

    with monkeypatch.context() as patch:
        patch.setattr(target_of("postgres"), "write", careless)
        error = await raises(StoreError, move_store(source, target, faulty=True))
    assert "timer run_id = 'r2', key = 'b', kind = 'timeout'" in error.message
    async with opened(storage_of(target)) as storage:
        assert await storage.versions() == []


# afterwards


@pytest.mark.real
@pytest.mark.parametrize("name", ["sqlite", "postgres"])
async def test_what_was_moved_is_not_started_by_mistake(urls, name):
    source, target = urls(name, "sqlite")
    before = await filled(source)
    await move_store(source, target, faulty=True)
    error = await raises(StoreError, storage_of(source).open())
    assert target in error.message
    assert "migrate-store --undo --from" in error.message
    assert (await unmove_store(source)).to == target
    assert await unmove_store(source) is None
    async with opened(storage_of(source)) as storage:
        assert await answers(storage) == before


@pytest.mark.real
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_moving_again_looks_and_changes_nothing(urls, pair):
    source, target = urls(*pair)
    await filled(source)
    first = await move_store(source, target, faulty=True)
    again = await move_store(source, target, faulty=True)
    assert (first.again, again.again, again.rows) == (False, True, first.rows)
    elsewhere = urls("sqlite")[0].replace("sqlite-0", "else")
    error = await raises(ConflictError, move_store(source, elsewhere))
    assert "what it holds is old" in error.message
    async with opened(storage_of(target)) as storage:
        await commit(storage, records=[record("r1", 9)])
    error = await raises(ConflictError, move_store(source, target, faulty=True))
    assert "has gone on since" in error.message


@pytest.mark.real
async def test_there_and_back_again(urls):
    first, second, third = urls("sqlite", "postgres", "sqlite")
    before = await filled(first)
    await move_store(first, second, faulty=True)
    async with opened(storage_of(second)) as storage:
        await commit(storage, events=[accepted("between", at=NOW + 9)])
        between = await answers(storage)
    await move_store(second, third, faulty=True)
    async with opened(storage_of(third)) as storage:
        found = await answers(storage)
    assert found == between
    assert len(found["missed"]) == len(before["missed"]) + 2


def test_each_kind_says_its_rows_by_name():
    assert [len(kind.columns) for kind in KINDS] == [len(kind.types) for kind in KINDS]
    assert moving.KIND["history"].name_of(("r1", 3, 0)) == "history run_id = 'r1', seq = 3"
