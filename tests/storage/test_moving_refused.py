"""Moving house: what is refused, what breaks off, and what holds afterwards."""

import asyncio
import sqlite3
from pathlib import Path

import psycopg
import pytest
from msgspec import Raw

from ostinato.app.moving import move_store, unmove_store
from ostinato.errors import ConflictError, StoreError, StoreLocked, UnknownCommit, UsageError
from ostinato.ports import (
    Page,
    RunQuery,
)
from ostinato.storage import moving
from ostinato.storage.moving import KINDS
from ostinato.storage.postgres.moving import PostgresTarget
from ostinato.storage.sqlite import moving as sqlite_moving
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    head,
    record,
)
from tests.storage.houses import (
    LARGE,
    PAIRS,
    answers,
    commit,
    filled,
    opened,
    storage_of,
)

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
async def test_one_database_by_two_names_is_noticed(urls):
    [url] = urls("postgres")
    error = await raises(StoreLocked, move_store(url, url.replace("127.0.0.1", "localhost")))
    assert "name two databases" in error.message


@pytest.mark.real
async def test_a_server_that_starts_meanwhile_waits_and_finds_all_of_it(urls, monkeypatch):
    source, target = urls("sqlite", "postgres")
    before = await filled(source)
    real, starting = PostgresTarget.finish, []

    async def finish(self):
        storage = storage_of(target)
        starting.append((storage, asyncio.create_task(storage.open())))
        with psycopg.connect(target) as db:
            while not db.execute(HELD_UP).fetchone()[0]:
                await asyncio.sleep(0)
        assert not starting[0][1].done()
        await real(self)

    monkeypatch.setattr(PostgresTarget, "finish", finish)
    await move_store(source, target, faulty=True)
    [(storage, opening)] = starting
    await opening
    assert await answers(storage) == before
    await storage.close()


HELD_UP = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE NOT granted AND datname = current_database()
"""


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
async def test_a_move_is_not_taken_back_once_its_target_has_gone_on(urls, pair):
    source, target = urls(*pair)
    await filled(source)
    await move_store(source, target, faulty=True)
    async with opened(storage_of(target)) as storage:
        at_work = await raises(StoreLocked, unmove_store(source))
        assert "is in use" in at_work.message
        await commit(storage, records=[record("r1", 9)])
    error = await raises(ConflictError, unmove_store(source))
    assert f"{target} has gone on since" in error.message
    assert f"--from {target} and --to a store that is empty" in error.message
    assert "was moved to" in (await raises(StoreError, storage_of(source).open())).message
    assert (await unmove_store(source, force=True)).to == target
    async with opened(storage_of(source)):
        assert await unmove_store(target) is None


@pytest.mark.real
async def test_a_target_that_was_never_whole_is_no_reason_to_stay(urls, tmp_path):
    source, target = urls("sqlite", "sqlite")
    await filled(source)
    await move_store(source, target, faulty=True)
    (tmp_path / target.rpartition("/")[2]).unlink()
    assert (await unmove_store(source)).to == target


@pytest.mark.real
async def test_a_target_that_cannot_be_looked_at_may_have_gone_on(urls, tmp_path):
    source, target = urls("sqlite", "sqlite")
    await filled(source)
    await move_store(source, target, faulty=True)
    (tmp_path / target.rpartition("/")[2]).write_bytes(b"something else" * 99)
    error = await raises(StoreError, unmove_store(source))
    assert "cannot be seen" in error.message
    assert "--force takes back without a look" in error.message
    wrong = await raises(UsageError, unmove_store(source, urls("sqlite")[0]))
    assert f"was moved to {target}, not to" in wrong.message
    assert (await unmove_store(source, target, force=True)).to == target


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
