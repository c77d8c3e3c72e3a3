"""Moving house: every kind of row of one store, in another one, with the same answers."""

import sqlite3

import psycopg
import pytest

from ostinato.app.moving import move_store
from ostinato.ports import (
    Page,
    TaskQuery,
)
from ostinato.storage.moving import TABLES
from ostinato.storage.postgres import moving_sql
from ostinato.storage.sqlite import moving as sqlite_moving
from ostinato.storage.sqlite import schema as sqlite_schema
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    claim,
    head,
    job,
    mail,
    outgoing,
    task,
    turn,
    wait,
)
from tests.storage.houses import (
    PAIRS,
    answers,
    commit,
    filled,
    opened,
    storage_of,
)


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
@pytest.mark.parametrize("come_from", ["sqlite", "postgres"])
async def test_what_came_before_the_event_that_started_a_run_is_not_early(urls, come_from):
    source, target = urls(come_from, "postgres")
    started = head("r1", event_source="shop", event_id="order")
    async with opened(storage_of(source)) as storage:
        await commit(storage, events=[accepted("before", at=NOW + 5)])
        await commit(storage, events=[accepted("order", keys=())])
        await commit(storage, events=[accepted("between", at=NOW - 1)])
        await commit(storage, new_heads=[started, head("r2")], waits=[wait(since=NOW - 9)])
    await move_store(source, target, faulty=True)
    async with opened(storage_of(target)) as storage:
        await commit(storage, events=[accepted("after", at=NOW - 2)], new_heads=[head("r3")])
        found = [
            [one.id for one in await storage.early_events("PAID", "k1", NOW - 9, run_id)]
            for run_id in ("r1", "r2", "r3")
        ]
        assert found == [["after", "between"], ["after", "between", "before"], ["after"]]
        missed = [(one.run_id, told.id) for one, told in await storage.missed()]
        assert missed == [("r1", "between"), ("r1", "after")]


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
