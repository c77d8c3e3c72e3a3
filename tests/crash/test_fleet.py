"""Three servers on one PostgreSQL: they are killed, stopped, cut off and put to sleep under load,
and so is the database. What is stored in the end must keep every promise."""

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack

import psycopg
import pytest

from tests.crash.load import Load, Notes, Server, finish_here

TIMES = int(os.environ.get("FLEET_FAULTS", "9"))
LEASE = 1.5

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Faults:
    """What can go wrong; each returns when it has."""

    def __init__(self, database, url, servers, chance):
        self.database = database
        self.url = url
        self.servers = servers
        self.chance = chance

    async def kill(self):
        server = self.chance.choice(self.servers)
        await server.kill()
        await server.start()

    async def kill_all(self):
        await asyncio.gather(*[server.kill() for server in self.servers])
        await asyncio.gather(*[server.start() for server in self.servers])

    async def stop(self):
        server = self.chance.choice(self.servers)
        assert await server.stop() == 0
        await server.start()

    async def sleep(self):
        """Past its lease, and it wakes up as if nothing had been."""
        server = self.chance.choice(self.servers)
        server.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(LEASE * 2)
        finally:
            server.process.send_signal(signal.SIGCONT)

    async def cut(self):
        def now():
            with psycopg.connect(self.url, autocommit=True) as db:
                db.execute(CUT)

        await asyncio.to_thread(now)

    async def restart_database(self):
        await asyncio.to_thread(self.database.restart)

    async def kill_database(self):
        await asyncio.to_thread(self.database.kill)
        await asyncio.to_thread(self.database.start)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(60 + 20 * TIMES)
@pytest.mark.parametrize("seed", [int(os.environ.get("CRASH_SEED", "1"))])
async def test_nothing_is_lost_or_doubled_whatever_happens_to_servers_and_database(
    own_postgres, seed
):
    print(f"CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    chance, notes = random.Random(seed), Notes()
    url = own_postgres.url("postgres")
    servers = [Server(url, notes, lease=f"{LEASE}s") for _ in range(3)]
    faults = Faults(own_postgres, url, servers, chance)
    kinds = [
        faults.kill, faults.kill, faults.kill, faults.restart_database, faults.sleep, faults.cut,
        faults.stop, faults.kill_database, faults.kill_all,
    ]  # fmt: skip
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        load = await stack.enter_async_context(Load(servers, notes, seed))
        for number in range(TIMES):
            await notes.wait_begun(chance.choice((1, 20, 150)))
            await kinds[number % len(kinds)]()
        await notes.wait_begun(100)
        await load.finish()
        for server in servers:
            assert await server.stop() == 0
        assert load.problems == []
        await finish_here(url, load)
