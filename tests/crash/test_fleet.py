"""Three servers and two workers on one PostgreSQL: they are killed, stopped, cut off and put to
sleep under load, and the clocks of their machines are minutes apart; the database is killed, slow,
stuck or full. What is stored in the end must keep every promise."""

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack, suppress

import psycopg
import pytest

from tests.crash.load import Load, Notes, Server, Worker, finish_here

TIMES = int(os.environ.get("FLEET_FAULTS", "11"))
CLIENTS = int(os.environ.get("FLEET_CLIENTS", "3"))
LEASE = 1.5
SKEWS = (-240, 0, 420)
"""Seconds by which the clock of each server's machine is wrong."""

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


RELOAD = "SELECT pg_reload_conf()"


class Faults:
    """What can go wrong; each returns when it has."""

    def __init__(self, database, url, servers, workers, notes, chance):
        self.database = database
        self.url = url
        self.servers = servers
        self.workers = workers
        self.notes = notes
        self.chance = chance
        self.kinds = [
            self.kill, self.kill_worker, self.restart_database, self.sleep, self.cut,
            self.slow_disk, self.stop, self.kill_database, self.kill_all,
            self.take_all_connections, self.stick_database,
            self.kill, self.kill_worker, self.kill, self.kill_worker, self.kill,
            self.kill_database, self.kill,
        ]  # fmt: skip

    async def kill(self):
        server = self.chance.choice(self.servers)
        await server.kill()
        await server.start()

    async def kill_worker(self):
        worker = self.chance.choice(self.workers)
        await worker.kill()
        await worker.start()

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
        await asyncio.to_thread(self._do, CUT)

    def _do(self, *statements):
        with psycopg.connect(self.url, autocommit=True) as db:
            for each in statements:
                db.execute(each)

    async def slow_disk(self):
        """Each flush of the log takes a tenth of a second longer."""
        slow = "ALTER SYSTEM SET commit_delay = 100000", "ALTER SYSTEM SET commit_siblings = 0"
        await asyncio.to_thread(self._do, *slow, RELOAD)
        try:
            await self.notes.wait_begun(40)
        finally:
            await asyncio.to_thread(self._do, "ALTER SYSTEM RESET ALL", RELOAD)

    async def stick_database(self):
        """A disk that hangs for longer than a lease: nothing of the server moves."""
        processes = self.database.processes()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            await asyncio.sleep(LEASE * 2)
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    async def take_all_connections(self):
        """Others have them all, while one process starts and the others must connect again."""
        server = self.chance.choice(self.servers)
        await server.kill()
        others = await asyncio.to_thread(self._take_all)
        starting = asyncio.create_task(server.start())
        try:
            await asyncio.sleep(LEASE * 2)
        finally:
            for each in others:
                each.close()
        await starting

    def _take_all(self):
        others = [psycopg.connect(self.url, autocommit=True)]
        others[0].execute(CUT)
        while True:
            try:
                others.append(psycopg.connect(self.url, autocommit=True))
            except psycopg.OperationalError as error:
                assert "too many clients" in str(error)
                return others

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
    servers = [
        Server(url, notes, {"SKEW": str(skew), "FAR": "elsewhere"}, lease=f"{LEASE}s")
        for skew in SKEWS
    ]
    workers = [Worker(url, notes) for _ in range(2)]
    faults = Faults(own_postgres, url, servers, workers, notes, chance)
    async with AsyncExitStack() as stack:
        for process in servers + workers:
            await stack.enter_async_context(process)
        load = await stack.enter_async_context(Load(servers, notes, seed, CLIENTS))
        for number in range(TIMES):
            await notes.wait_begun(chance.choice((1, 20, 150)))
            await faults.kinds[number % len(faults.kinds)]()
        await notes.wait_begun(100)
        await load.finish()
        for process in workers + servers:
            assert await process.stop() == 0
        assert load.problems == []
        await finish_here(url, load)
