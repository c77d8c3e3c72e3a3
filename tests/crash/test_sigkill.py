"""A server is killed with SIGKILL twenty times under load, and started again each time."""

import os
import random

import pytest

from tests.crash.load import Load, Notes, Server, finish_here, kill_again

KILLS = 20
MOMENTS = ((100, 150, 200), (1, 5, 20))
"""Attempts that begin before a kill."""


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [int(os.environ.get("CRASH_SEED", "1"))])
async def test_nothing_is_lost_or_doubled_by_twenty_kills(tmp_path, seed):
    print(f"CRASH_SEED={seed}")  # noqa: T201 - shown when it fails
    chance, notes = random.Random(seed), Notes()
    server = Server(f"sqlite:///{tmp_path / 'crash.db'}", notes)
    async with server, Load([server], notes, seed) as load:
        for number in range(KILLS):
            await kill_again(server, chance, MOMENTS[number % 2])
        await load.finish()
        assert await server.stop() == 0
        assert load.problems == []
        await finish_here(server.store, load)
