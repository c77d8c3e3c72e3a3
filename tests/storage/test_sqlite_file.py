"""Files that cannot be a store, or are one no longer: each is told apart and says its mend."""

import asyncio
import contextlib
import os
import sqlite3

import pytest

from ostinato.errors import StoreError, StoreLocked
from ostinato.ports import Batch, Page, RunQuery
from ostinato.storage.sqlite import SqliteStorage, connection, schema
from ostinato.storage.sqlite.owner import Owner
from ostinato.storage.sqlite.schema import Migration
from ostinato.testing.storage_contract.samples import head, record
from tests.powerless import without_powers


async def opening_fails(file, *words):
    storage = SqliteStorage(file)
    with pytest.raises(StoreError) as caught:
        await storage.open()
    for word in (*words, str(file)):
        assert word in str(caught.value)
    await storage.close()
    return caught.value


async def write_a_store(file):
    storage = SqliteStorage(file)
    await storage.open()
    for number in range(20):
        many = range(50)
        await storage.commit(
            Batch(
                records=[record(f"r{number:02}", seq, b"x" * 500) for seq in many],
                new_heads=[head(f"r{number:02}", uid="u" * 200 + str(number))],
            )
        )
    await storage.close()


@pytest.mark.parametrize("folder", ["/proc", "/nowhere/at/all", __file__])
async def test_a_directory_that_cannot_be_written(folder):
    error = await opening_fails(f"{folder}/store.db", "choose a store in a directory that exists")
    assert isinstance(error.__cause__, OSError)


def test_a_directory_where_nothing_may_be_written(tmp_path):
    tmp_path.chmod(0o500)
    without_powers(lambda: asyncio.run(opening_fails(tmp_path / "store.db", "may write to")))


async def test_a_directory_is_no_file(tmp_path):
    await opening_fails(tmp_path, "is a directory", "name a file in it")
    assert not tmp_path.with_name(tmp_path.name + ".lock").exists()


async def test_a_text_is_no_database(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database at all\n" * 1000)
    await opening_fails(file, "not a database", "choose another file")
    assert file.read_text().startswith("not a database at all")


async def test_a_database_of_something_else_is_left_alone(tmp_path):
    file = tmp_path / "music.db"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE album (title TEXT)")
    other.close()
    before = file.read_bytes()
    await opening_fails(file, "of something else", "choose another file")
    assert file.read_bytes() == before


async def test_a_file_of_a_newer_version(tmp_path):
    file = tmp_path / "store.db"
    await write_a_store(file)
    change(file, "INSERT INTO migration (number, name, checksum) VALUES (9999, 'x', 'y')")
    await opening_fails(file, "newer Ostinato", "9999")


async def test_a_file_that_other_code_made(tmp_path):
    file = tmp_path / "store.db"
    await write_a_store(file)
    change(file, "UPDATE migration SET checksum = 'y' WHERE number = 1")
    await opening_fails(file, "0001_initial.sql", "is not the one")


def change(file, sql):
    db = sqlite3.connect(file)
    with db:
        db.execute(sql)
    db.close()


@pytest.mark.parametrize("start", [100, 8192])
async def test_a_damaged_file(tmp_path, start):
    file = tmp_path / "store.db"
    await write_a_store(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:start] + b"\x5a" * (len(whole) - start))
    with pytest.raises(StoreError) as caught:
        await use(file)
    assert "from a copy" in str(caught.value)


async def test_a_file_cut_short(tmp_path):
    file = tmp_path / "store.db"
    await write_a_store(file)
    file.write_bytes(file.read_bytes()[:20_000])
    with pytest.raises(StoreError):
        await use(file)


async def use(file):
    storage = SqliteStorage(file)
    await storage.open()
    try:
        await storage.history("r01")
        await storage.runs(RunQuery(), Page())
        await storage.commit(Batch(records=[record("r99")]))
    finally:
        await storage.close()


async def test_two_names_of_one_file_are_one_store(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
    first, second = SqliteStorage(tmp_path / "store.db"), SqliteStorage(tmp_path / "link.db")
    await first.open()
    with pytest.raises(StoreLocked):
        await second.open()
    await first.close()


async def test_who_is_turned_away_hears_who_owns_the_file(tmp_path):
    storage = SqliteStorage(tmp_path / "store.db", address="http://127.0.0.1:1")
    await storage.open()
    storage.announce("http://127.0.0.1:8085")
    with pytest.raises(StoreLocked) as caught:
        Owner(storage.file).take()
    await storage.close()
    assert f"process {os.getpid()} (http://127.0.0.1:8085)" in str(caught.value)
    assert caught.value.details == {"pid": os.getpid(), "address": "http://127.0.0.1:8085"}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'"' * 9999])
async def test_a_lock_file_with_anything_in_it(tmp_path, content):
    (tmp_path / "store.db.lock").write_bytes(content)
    owner, other = Owner(tmp_path / "store.db"), Owner(tmp_path / "store.db")
    owner.take()
    (tmp_path / "store.db.lock").write_bytes(content)
    with pytest.raises(StoreLocked, match="another process"):
        other.take()
    owner.release()
    other.take()
    other.release()


def test_migrations_are_applied_once_and_in_order(tmp_path):
    db = connection.writer(tmp_path / "store.db")
    steps = [*schema.shipped(), Migration(99, "0099_x.sql", "CREATE TABLE x (a); DROP TABLE x;")]
    assert schema.migrate(tmp_path, db, steps[:1]) == 1
    assert schema.migrate(tmp_path, db, steps) == len(steps) - 1
    assert schema.migrate(tmp_path, db, steps) == 0
    db.close()


def test_a_migration_that_was_merged_late_is_applied_too(tmp_path):
    db = connection.writer(tmp_path / "store.db")
    early = Migration(98, "0098_x.sql", "CREATE TABLE x (a);")
    late = Migration(99, "0099_y.sql", "CREATE TABLE y (a);")
    schema.migrate(tmp_path, db, [*schema.shipped(), late])
    assert schema.migrate(tmp_path, db, [*schema.shipped(), early, late]) == 1
    db.close()


def test_a_migration_that_fails_changes_nothing(tmp_path):
    db = connection.writer(tmp_path / "store.db")
    bad = Migration(99, "0099_x.sql", "CREATE TABLE x (a); CREATE TABLE run (a);")
    with pytest.raises(sqlite3.Error):
        schema.migrate(tmp_path, db, [*schema.shipped(), bad])
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert "run" in tables
    assert "x" not in tables
    assert schema.migrate(tmp_path, db, schema.shipped()) == 0
    db.close()


def test_shipped_migrations_have_numbers_of_their_own_from_one():
    numbers = [step.number for step in schema.shipped()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))


async def test_letters_of_an_older_store_get_their_events(tmp_path):
    with contextlib.closing(connection.writer(tmp_path / "store.db")) as db:
        schema.migrate(tmp_path, db, [step for step in schema.shipped() if step.number < 3])
        db.execute(
            """INSERT INTO event (number, id, source, type, time, data, extensions, received_at,
            answer) VALUES (1, 'e1', 'shop', 'PAID', 5, ?, '{"a": "b"}', 9, '{}')""",
            (b'{"n": 12345678901234567890}',),
        )
        for name, kind, target in (("l1", "trigger", "w/on/0"), ("l2", "outgoing", "r1")):
            db.execute(
                "INSERT INTO dead_letter VALUES (?, 1, ?, ?, 'shop', 'e1', '[]')",
                (name, kind, target),
            )
    storage = SqliteStorage(tmp_path / "store.db")
    await storage.open()
    kept, lost = await storage.dead_letter("l1"), await storage.dead_letter("l2")
    await storage.close()
    assert (kept.event.type, kept.event.extensions) == ("PAID", {"a": "b"})
    assert bytes(kept.event.data) == b'{"n":12345678901234567890}'
    assert (lost.event, lost.run_id, lost.redriven_at) == (None, "r1", None)
