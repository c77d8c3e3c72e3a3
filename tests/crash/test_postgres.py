"""The same load on PostgreSQL: the process is killed, and so is the database, under it."""

import asyncio
import random

import psycopg
import pytest

from tests.crash.test_sigkill import Load, Server, finish_here
from tests.servers.postgres import Missing, postgres

DATABASE = "crash"


@pytest.fixture(scope="module")
def database():
    """Ours alone: it is killed."""
    try:
        with postgres(own=True) as started:
            with psycopg.connect(started.url("postgres"), autocommit=True) as db:
                db.execute(f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0")
            yield started
    except Missing as error:
        pytest.skip(f"missing PostgreSQL: {error}")


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_is_lost_or_doubled_whoever_is_killed(database, monkeypatch):
    chance = random.Random(1)
    server = Server(database.url(DATABASE), lease="1s")

    async def process_killed():
        await server.kill()
        await server.start()

    async def database_killed():
        await asyncio.to_thread(database.kill)
        await asyncio.to_thread(database.start)

    async def database_restarted():
        await asyncio.to_thread(database.restart)

    await server.start()
    async with Load(server, 1) as load:
        for harm in (process_killed, database_killed, database_restarted) * 2:
            await server.wait_begun(chance.choice((20, 60, 100)))
            await harm()
        await server.wait_begun(20)
        await load.finish()
        assert await server.stop() == 0
        assert load.problems == []
        await finish_here(server, load, monkeypatch)
