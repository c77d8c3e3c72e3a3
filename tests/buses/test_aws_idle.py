"""What queues cost that nothing comes by."""

import asyncio
import time

import pytest

from tests.buses.aws import Queues, app_with, table

pytestmark = [pytest.mark.real, pytest.mark.slow]

SECONDS = 20
BOUND = 0.003  # of a core


async def _cost(app):
    """CPU of this process, as a part of a core, while the app is open and has begun to wait."""
    async with app:
        async with asyncio.timeout(30):
            while any(view.trouble for bus in await app.buses() for view in bus.receives):
                await asyncio.sleep(0.05)
        await asyncio.sleep(2)  # until every poll waits
        before, began = time.process_time(), time.monotonic()
        await asyncio.sleep(SECONDS)
        return (time.process_time() - before) / (time.monotonic() - began)


@pytest.mark.timeout(120)
async def test_three_idle_queues_cost_less_than_a_third_of_a_percent(moto_server):
    queues = Queues(moto_server.url)
    names = [queues.make() for _ in range(3)]
    alone = await _cost(app_with())
    with_queues = await _cost(app_with(table("sqs", moto_server.url, receive=names)))
    told = f"{with_queues:.3%} of a core, {alone:.3%} of it without queues"
    assert with_queues - alone < BOUND, told
    print(told)  # noqa: T201 - the figure, for who runs it with -s
