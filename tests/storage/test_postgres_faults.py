"""PostgreSQL goes away and comes back, is full, or is not what it should be."""

import asyncio
import contextlib
import secrets
from dataclasses import replace

import psycopg
import pytest

from ostinato.errors import Fenced, Refused, StoreError, UnknownCommit
from ostinato.ports import Batch, Page, RunQuery
from ostinato.storage.postgres import PostgresStorage, link, schema
from ostinato.storage.postgres.url import address, connect
from ostinato.testing.storage_contract.hooks import raises
from ostinato.testing.storage_contract.samples import NOW, accepted, head, record, schedule
from tests.servers.missing import unless_missing
from tests.servers.postgres import postgres

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server():
    """One of its own: it is stopped and killed."""
    yield from unless_missing("PostgreSQL", lambda: postgres(own=True))


@pytest.fixture
def url(server):
    name = f"t{secrets.token_hex(4)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    yield server.url(name)
    with psycopg.connect(server.url("postgres"), autocommit=True) as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.asynccontextmanager
async def opened(url, **more):
    storage = PostgresStorage(url, **more)
    await storage.open()
    try:
        await storage.members.renew(60_000, "http://here")
        await storage.members.take(1)
        yield storage
    finally:
        await storage.close()


async def in_a_thread(call, *args):
    return await asyncio.to_thread(call, *args)


class Writer:
    """Commits one record after the other, as an engine does: what is unknown is looked up."""

    def __init__(self, storage):
        self.storage = storage
        self.kept = []
        self.unknown = 0

    async def until(self, stop):
        epoch = await self.storage.join()
        while not stop.is_set():
            one = record(seq=len(self.kept))
            try:
                await self.storage.commit(Batch(epoch=epoch, records=[one]))
            except UnknownCommit:
                self.unknown += 1
                epoch = await self.storage.join()
                if one not in await self.storage.history("r1"):
                    continue
            self.kept.append(one)
            await self.storage.runs(RunQuery(), Page())

    async def reach(self, count):
        while len(self.kept) < count:
            await asyncio.sleep(0)


async def _outlives(storage, *harm):
    """Whatever is done to the server: nothing is lost, and only unknown commits are told."""
    writer, stop = Writer(storage), asyncio.Event()
    task = asyncio.create_task(writer.until(stop))
    for each in harm:
        await writer.reach(len(writer.kept) + 20)
        await in_a_thread(each)
        reading = asyncio.create_task(writer.reach(len(writer.kept) + 20))
        await asyncio.wait([reading, task], return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        if task.done():
            break
    stop.set()
    await task
    assert await storage.history("r1") == writer.kept
    return writer


async def test_a_server_that_restarts_costs_nothing_but_time(server, url):
    async with opened(url) as storage:
        await _outlives(storage, server.restart, server.restart)


async def test_a_server_that_is_killed_costs_nothing_but_time(server, url):
    def kill():
        server.kill()
        server.start()

    async with opened(url) as storage:
        await _outlives(storage, kill, kill)


async def test_connections_that_are_cut_are_made_again(server, url):
    def cut():
        with psycopg.connect(server.url("postgres")) as db:
            name = url.rpartition("/")[2]
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )

    async with opened(url) as storage:
        await _outlives(storage, cut, cut, cut)


async def test_a_connection_cut_between_the_batch_and_its_answer_is_unknown(server, url):
    async with opened(url) as storage:
        await storage.commit(Batch(records=[record()]))
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("BEGIN; LOCK TABLE ostinato.history IN ACCESS EXCLUSIVE MODE")
            commit = asyncio.create_task(storage.commit(Batch(records=[record(seq=1)])))
            pid = await _one_that_waits(url)
            db.execute("SELECT pg_terminate_backend(%s)", (pid,))
            await raises(UnknownCommit, commit)
            db.execute("ROLLBACK")
        assert await storage.history("r1") == [record()]
        await storage.commit(Batch(records=[record(seq=1)]))


async def test_who_joins_ends_the_batch_of_a_connection_that_was_lost(url):
    """What is looked up after an unknown commit does not change any more."""
    async with opened(url) as storage:
        epoch = await storage.join()
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("BEGIN; LOCK TABLE ostinato.history IN ROW EXCLUSIVE MODE")
            db.execute("INSERT INTO ostinato.history VALUES ('r1', 0, 1, 1, '')")
            batch = Batch(epoch=epoch, records=[record()])
            commit = asyncio.create_task(storage.commit(batch))
            await _one_that_waits(url)
            storage._writer._wire.close()  # the server does not notice: it is waiting for a lock
            await raises(UnknownCommit, commit)
            joined = await storage.join()
            db.execute("ROLLBACK")
        assert await storage.history("r1") == []
        await raises(Fenced, storage.commit(batch))
        await storage.commit(replace_epoch(batch, joined))
        assert await storage.history("r1") == [record()]


def replace_epoch(batch, epoch):
    return Batch(epoch=epoch, records=batch.records)


async def _one_that_waits(url):
    """The id of the server's process that waits for a lock."""
    with psycopg.connect(url, autocommit=True) as db:
        while not (found := db.execute(_WAITS).fetchall()):
            await asyncio.sleep(0.001)
    return found[0][0]


_WAITS = """
SELECT pid FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def test_a_server_that_stays_away_is_told_with_what_would_mend_it(server, url):
    async with opened(url, patience=0.2) as storage:
        server.stop()
        try:
            for doing in (storage.history("r1"), storage.join(), storage.count_runs(RunQuery())):
                error = await raises(StoreError, doing)
                assert "start the server" in error.message
            writing = await raises(StoreError, storage.commit(Batch(records=[record()])))
            assert not isinstance(writing, UnknownCommit)
        finally:
            server.start()
        await storage.commit(Batch(records=[record()]))


async def test_what_nobody_can_wait_for_is_told_at_once(server, url):
    wrong = {
        url.rpartition("/")[0] + "/nowhere": "CREATE DATABASE",
        server.url("postgres", "stranger"): "user and password",
        url.replace(str(server.port), "1"): "start the server",
        url.replace("127.0.0.1", "nobody.invalid"): "mend the host",
        f"{url}?sslmode=require": "sslmode",
    }
    for place, mend in wrong.items():
        error = await raises(StoreError, PostgresStorage(place).open())
        assert mend in error.message, error.message


async def test_no_password_is_told(url):
    secret = url.replace("postgres@", "someone:hidden@") + "?sslpassword=hidden"
    storage = PostgresStorage(secret)
    error = await raises(StoreError, storage.open())
    assert "hidden" not in f"{error} {storage.address.place}"


async def test_too_many_connections_are_waited_for_and_then_told(server, url):
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 1")
        db.execute("GRANT ALL ON SCHEMA public TO few")
        db.execute(f"GRANT ALL ON DATABASE {url.rpartition('/')[2]} TO few")
        mine = server.url(url.rpartition("/")[2], "few")
        try:
            error = await raises(StoreError, PostgresStorage(mine, patience=0.1).open())
            assert "max_connections" in error.message, error.message
            opening = asyncio.create_task(PostgresStorage(mine, patience=30).open())
            await asyncio.sleep(0)
            db.execute("ALTER ROLE few CONNECTION LIMIT 20")
            await opening
        finally:
            db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename='few'")
            db.execute("DROP OWNED BY few CASCADE; DROP ROLE few")


@pytest.mark.parametrize("has_tables", [True, False])
async def test_who_starts_while_others_have_all_connections_waits(
    server, url, has_tables, monkeypatch
):
    if has_tables:
        async with opened(url):
            pass
    others = []
    with contextlib.suppress(psycopg.OperationalError):
        while True:
            others.append(await in_a_thread(psycopg.connect, url))
    refused = await raises(StoreError, PostgresStorage(url, patience=0).open())
    assert "max_connections" in refused.message
    waits = asyncio.create_task(asyncio.Event().wait())
    monkeypatch.setattr(link.log, "warning", lambda *_, **__: waits.cancel(), raising=False)
    storage = PostgresStorage(url)
    opening = asyncio.create_task(storage.open())
    try:
        await asyncio.wait([opening, waits], return_when=asyncio.FIRST_COMPLETED)
        assert not opening.done()
    finally:
        for each in others:
            each.close()
    await opening
    await storage.close()


async def test_a_server_that_takes_no_writes_is_told(url):
    async with opened(url):
        pass
    error = await raises(
        StoreError, PostgresStorage(f"{url}?options=-cdefault_transaction_read_only%3Don").open()
    )
    assert "target_session_attrs" in error.message


async def test_a_store_that_becomes_read_only_says_so(url):
    async with opened(url) as storage:
        await storage._writer.ask(*[_plain("SET default_transaction_read_only = on")])
        error = await raises(StoreError, storage.commit(Batch(records=[record()])))
        assert "takes writes" in error.message
        assert not isinstance(error, Refused)


def _plain(sql):
    from ostinato.storage.postgres.wire import Ask

    return Ask(sql, kept=False)


async def test_a_disk_that_is_full_is_no_fault_of_the_data(url):
    async with opened(url) as storage:
        with psycopg.connect(url) as db:
            db.execute(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
                "RAISE EXCEPTION 'could not extend file: No space left' USING ERRCODE = '53100'; "
                "END$$; CREATE TRIGGER full_disk BEFORE INSERT ON ostinato.history "
                "EXECUTE FUNCTION full_disk()"
            )
        error = await raises(StoreError, storage.commit(Batch(records=[record()])))
        assert "make room" in error.message
        assert not isinstance(error, Refused | UnknownCommit)
        with psycopg.connect(url) as db:
            db.execute("DROP TRIGGER full_disk ON ostinato.history")
        await storage.commit(Batch(records=[record()]))


async def test_a_database_of_something_else_is_left_alone(url):
    with psycopg.connect(url) as db:
        db.execute("CREATE SCHEMA ostinato; CREATE TABLE ostinato.theirs ()")
    assert "something else" in (await raises(StoreError, PostgresStorage(url).open())).message


async def test_a_database_that_is_not_utf8_is_refused(server):
    name = f"latin{secrets.token_hex(4)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")
        error = await raises(StoreError, PostgresStorage(server.url(name)).open())
        assert "ENCODING 'UTF8'" in error.message
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_many_processes_may_make_the_tables_at_once(url):
    steps = schema.shipped()
    made = await asyncio.gather(*[schema.migrate(address(url), steps) for _ in range(8)])
    assert sorted(map(len, made)) == [0] * 7 + [len(steps)]


class Overtaken:
    """Between any two questions of this connection, another process makes the tables."""

    def __init__(self, db, at):
        self._db, self._at = db, at

    async def execute(self, *asked):
        found = await self._db.execute(*asked)
        await schema.migrate(self._at, schema.shipped())
        return found


async def test_tables_that_another_process_makes_meanwhile_are_not_something_elses(url):
    at = address(url)
    db = await connect(at, "tables")
    async with db:
        assert await schema._applied(at, Overtaken(db, at)) == {}
        assert await schema._applied(at, db)


async def test_what_newer_code_adds_does_no_harm_and_what_it_takes_away_does(url):
    steps = schema.shipped()
    added = schema.Migration(90, "pre", "0090_more.pre.sql", "CREATE TABLE more ()")
    taken = schema.Migration(91, "post", "0091_less.post.sql", "DROP TABLE more")
    await schema.migrate(address(url), steps)
    assert await schema.migrate(address(url), [*steps, added, taken]) == [added.name]
    async with opened(url) as old:
        await old.commit(Batch(records=[record()]))
    newer = [*steps, added, taken]
    assert await schema.migrate(address(url), newer, finish=True) == [taken.name]
    assert "newer Ostinato" in (await raises(StoreError, PostgresStorage(url).open())).message
    changed = [replace(steps[0], sql="SELECT 1"), *steps[1:], added, taken]
    error = await raises(StoreError, schema.migrate(address(url), changed))
    assert "0001_initial.pre.sql is not the one that made" in error.message
    assert "migrate-store" in error.message
    assert await schema.migrate(address(url), newer) == []  # nothing was changed


async def test_what_only_people_read_may_hold_a_nul(url):
    failed = head(status="failed", ended_at=NOW, error_name="E", error_message="a\0b")
    async with opened(url) as storage:
        paused = schedule(paused_at=NOW, paused_why="\0")
        await storage.commit(Batch(new_heads=[failed], schedules=[paused]))
        assert (await storage.head("r1")).error_message == "a\ufffdb"
        refused = await raises(Refused, storage.commit(Batch(events=[accepted("a\0b")])))
        assert "0x00" in refused.message
        assert await storage.count_runs(RunQuery(text="\0")) == 0


async def test_batches_that_stand_in_each_others_way_are_both_kept(url):
    """Two that take the same events in another order: one waits, or is sent again."""
    events = [accepted(f"e{number}") for number in range(40)]
    async with opened(url) as first, opened(url) as second:
        with psycopg.connect(url) as db:
            db.execute("UPDATE ostinato.member SET epoch = 7")

        async def write(storage, order):
            try:
                await storage.commit(Batch(epoch=7, events=order))
            except Refused:
                return 0
            return 1

        for _ in range(5):
            kept = await asyncio.gather(write(first, events), write(second, events[::-1]))
            assert sum(kept) <= 1
        assert len(await first.known_events([("shop", f"e{n}") for n in range(40)])) == 40


async def test_a_connection_that_nobody_wants_any_more_is_closed(url, monkeypatch):
    made, asked = [], asyncio.Event()

    async def hangs(connection, *query):
        made.append(connection)
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", hangs)
    connecting = asyncio.create_task(connect(address(url), "tests"))
    await asked.wait()
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert [connection.closed for connection in made] == [True]
