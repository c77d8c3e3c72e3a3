"""How little a server asks of PostgreSQL while nothing happens: every statement is counted.

The measure is the server's own: it keeps its lease every two seconds (a third of six), so "less
than one a second" is less than two from one renewal to the next.
"""

import asyncio
import contextlib
import json
from collections import Counter

import pytest

from ostinato import App
from ostinato.app.working import worker_of
from ostinato.cli.bench.documents import sequence
from ostinato.cli.bench.idle import LEASE
from ostinato.cli.bench.server import Server, aside, write
from ostinato.cli.bench.tap import Tap
from ostinato.storage.postgres import PostgresStorage

pytestmark = pytest.mark.real

RENEWAL = "INSERT INTO lease"
RENEWALS = 2
PER_RENEWAL = 2
WORKERS = 10
"""More than the bound allows statements: one of each would be too many."""


@contextlib.asynccontextmanager
async def resting(url, place):
    """A server behind a tap; what it does at its start is over."""
    write(place / "documents", [sequence("light", "fibonacci", 1)])
    async with (
        Tap(url) as tap,
        aside(lambda: Server(place, str(place / "documents"), tap.url)) as server,
    ):
        await tap.heard(RENEWAL, 1)
        yield tap, server


@contextlib.asynccontextmanager
async def working(server, count):
    """So many workers that have nothing to do, connected over HTTP."""
    app = App()
    app.handler("fibonacci")(lambda n: n)
    url = f"http://{server.host}:{server.port}"
    workers = [worker_of(app, url, name=f"w{number}") for number in range(count)]
    at_work = [asyncio.create_task(each.run()) for each in workers]
    try:
        yield
    finally:
        for each in workers:
            each.stop()
        await asyncio.gather(*at_work)


async def asked_beside_its_lease(tap):
    before = Counter(tap.said)
    await tap.heard(RENEWAL, RENEWALS)
    return {
        " ".join(sql.split()): count
        for sql, count in (tap.said - before).items()
        if not any(word in sql for word in LEASE)
    }


async def test_an_idle_server_asks_less_than_one_query_a_second_and_its_workers_none(
    new_database, tmp_path
):
    async with resting(new_database(), tmp_path) as (tap, server):
        alone = await asked_beside_its_lease(tap)
        async with working(server, WORKERS):
            while len(json.loads(await asyncio.to_thread(server.get, "/workers"))) < WORKERS:
                pass
            await tap.heard(RENEWAL, 1)
            crowded = await asked_beside_its_lease(tap)
    for asked in (alone, crowded):
        assert sum(asked.values()) < PER_RENEWAL * RENEWALS, asked


async def test_what_is_said_through_a_tap_is_counted_and_arrives(new_database):
    async with Tap(new_database()) as tap:
        storage = PostgresStorage(tap.url)
        await storage.open()
        try:
            await storage.members.renew(60_000, "http://here")
            assert tap.about(RENEWAL) == 1
            trips = tap.trips
            await storage.members.renew(60_000, "http://here")
            assert tap.about(RENEWAL) == 2
            assert tap.trips == trips + 1
        finally:
            await storage.close()
