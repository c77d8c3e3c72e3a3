"""A server of several stores is killed under load: also between an event's home and the others."""

import os
import random

import pytest

from tests.crash.load import Load, Notes, Server, finish_here, kill_again

KILLS = 10
MOMENTS = ((60, 100), (1, 5, 20))
"""Attempts that begin before a kill."""


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request, tmp_path):
    if request.param == "sqlite":
        return " ".join(f"sqlite:///{tmp_path}/{number}.db" for number in range(3))
    new_database = request.getfixturevalue("new_database")
    return " ".join(new_database() for _ in range(2))


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [int(os.environ.get("CRASH_SEED", "1"))])
async def test_nothing_is_lost_or_doubled_between_stores(stores, seed):
    print(f"CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    chance, notes = random.Random(seed), Notes()
    server = Server(stores, notes, lease="1s")
    async with server, Load([server], notes, seed) as load:
        for number in range(KILLS):
            await kill_again(server, chance, MOMENTS[number % 2])
        await load.finish()
        assert await server.stop() == 0
        assert load.problems == []
        await finish_here(server.store, load)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [int(os.environ.get("CRASH_SEED", "1"))])
async def test_two_servers_of_two_databases_follow_each_other(new_database, seed):
    print(f"CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    chance, notes = random.Random(seed), Notes()
    stores = f"{new_database()} {new_database()}"
    servers = [Server(stores, notes, lease="1s") for _ in range(2)]
    async with servers[0], servers[1], Load(servers, notes, seed) as load:
        for number in range(6):
            await kill_again(servers[number % 2], chance, MOMENTS[number % 2])
        await load.finish()
        assert [await server.stop() for server in servers] == [0, 0]
        assert load.problems == []
        await finish_here(stores, load)
