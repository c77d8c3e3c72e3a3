"""A server's role needs no right to change tables; what it needs stands on a page."""

import re
from pathlib import Path

import psycopg
import pytest

from ostinato.app.moving import move_store
from ostinato.errors import Refused, StoreError
from ostinato.ports import Batch, Removal
from ostinato.storage.postgres import PostgresStorage, schema
from ostinato.storage.postgres.url import address
from ostinato.storage.sqlite import SqliteStorage
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.samples import ended, mail, record
from ostinato.testing.storage_contract.writing import everything, full_batch

pytestmark = pytest.mark.real

PAGE = Path(__file__).parents[2] / "docs/how-to/postgresql.md"


def _block(mark):
    """The SQL on the page behind this comment."""
    found = re.search(rf"```sql\n-- {mark}\n(.*?)```", PAGE.read_text(), re.S)
    assert found is not None
    return found[1]


@pytest.fixture
def empty(postgres_server):
    """A database, and what the page says about its roles; the names are those of the page."""
    admin = postgres_server.url("postgres")
    with psycopg.connect(admin, autocommit=True) as db:
        for statement in _block("once, as an administrator").split(";\n"):
            if statement.strip():
                db.execute(statement.encode())
    yield postgres_server
    with psycopg.connect(admin, autocommit=True) as db:
        db.execute("DROP DATABASE ostinato WITH (FORCE)")
        db.execute("DROP ROLE ostinato_owner")
        db.execute("DROP ROLE ostinato_server")


async def test_a_server_works_with_the_rights_on_the_page_and_no_more(empty):
    owner, mine = (empty.url("ostinato", f"ostinato_{role}") for role in ("owner", "server"))
    error = await raises(StoreError, PostgresStorage(mine).open())
    assert "ostinato tables" in error.message
    await schema.migrate(address(owner), schema.shipped())
    with psycopg.connect(owner, autocommit=True) as db:
        db.execute(_block("after the first `ostinato tables`, as the owner").encode())
    storage = PostgresStorage(mine)
    await storage.open()
    await storage.members.renew(9_000, "here")
    assert await storage.members.take(1)
    epoch = await storage.join()
    await storage.commit(full_batch(epoch=epoch))
    assert all(await everything(storage))
    for table in ("wait", "place", "mail", "value", "removed", "operation_run", "bucket"):
        with psycopg.connect(mine) as db:
            db.execute(f"DELETE FROM ostinato.{table}")
    await storage.members.leave()
    await storage.close()
    with psycopg.connect(mine, autocommit=True) as db, pytest.raises(psycopg.Error):
        db.execute("CREATE TABLE ostinato.mine ()")


async def test_tables_that_come_later_are_the_servers_too(empty):
    owner, mine = (empty.url("ostinato", f"ostinato_{role}") for role in ("owner", "server"))
    steps = schema.shipped()
    await schema.migrate(address(owner), steps)
    with psycopg.connect(owner, autocommit=True) as db:
        db.execute(_block("after the first `ostinato tables`, as the owner").encode())
    more = schema.Migration(90, "pre", "0090_more.pre.sql", "CREATE TABLE more (id int)")
    error = await raises(StoreError, schema.migrate(address(mine), [*steps, more]))
    assert "let their owner" in error.message
    await schema.migrate(address(owner), [*steps, more])
    with psycopg.connect(mine) as db:
        db.execute("INSERT INTO ostinato.more VALUES (1)")
    storage = PostgresStorage(mine)
    await storage.open()
    await storage.commit(Batch(records=[record()]))
    await storage.close()


async def test_a_store_is_moved_by_the_owner_of_the_tables(empty, tmp_path):
    owner, mine = (empty.url("ostinato", f"ostinato_{role}") for role in ("owner", "server"))
    await schema.migrate(address(owner), schema.shipped())
    with psycopg.connect(owner, autocommit=True) as db:
        db.execute(_block("after the first `ostinato tables`, as the owner").encode())
    file = f"sqlite:///{tmp_path}/o.db"
    storage = SqliteStorage(file.removeprefix("sqlite:///"))
    await storage.open()
    await storage.commit(Batch(records=[record()], mail={mail().line: mail()}))
    await storage.close()
    error = await raises(StoreError, move_store(file, mine, faulty=True))
    assert "docs/how-to/postgresql.md" in error.message
    await move_store(file, owner, faulty=True)
    theirs = PostgresStorage(mine)
    await theirs.open()
    assert await theirs.history("r1") == [record()]
    await theirs.close()


async def test_history_may_be_divided_by_time(new_database):
    url = new_database()
    early, late, later = (f"01{when}{'0' * 21}" for when in ("aaa", "kcd", "zzz"))
    records = [record(run, seq) for run in (early, late, later) for seq in range(3)]
    storage = PostgresStorage(url)
    await storage.open()
    await storage.commit(Batch(records=records[:1]))
    await storage.close()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_block("history by months").encode())
    await storage.open()
    await storage.commit(Batch(new_heads=[ended(early)], records=records[1:]))
    for run, kept in ((early, records[:3]), (late, records[3:6]), (later, records[6:])):
        assert await storage.history(run) == kept
    await raises(Refused, storage.commit(Batch(records=records[:1])))
    await storage.commit(Batch(removal=Removal(runs=[early], rows=9)))
    assert await storage.history(early) == []
    assert not await storage.unswept()
    await storage.close()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_UNDIVIDED.encode())


_UNDIVIDED = """
ALTER TABLE ostinato.history DETACH PARTITION ostinato.history_before;
DROP TABLE ostinato.history;
ALTER TABLE ostinato.history_before RENAME TO history;
ALTER INDEX ostinato.history_before_pkey RENAME TO history_pkey;
"""
