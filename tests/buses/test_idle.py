"""What buses cost that nothing comes by: all of them at once, on their real servers."""

import asyncio
import os
import time
from uuid import uuid4

import pytest

from tests.buses.aws import Queues, app_with, table

pytestmark = [pytest.mark.real, pytest.mark.slow]

SECONDS = float(os.environ.get("IDLE_SECONDS", "15"))  # 60 is what the figure is said of
BOUND = 0.01  # of a core


@pytest.mark.timeout(180)
async def test_idle_consumers_of_all_buses_cost_less_than_a_percent_of_a_core(
    kafka_server, moto_server, redis_server
):
    app = app_with(
        _kafka(kafka_server),
        table("sqs", moto_server.url, receive=[Queues(moto_server.url).make() for _ in range(3)]),
        table("sns", moto_server.url, receive=["arn:aws:sns:eu-central-1:123456789012:idle"]),
        table("eventbridge", moto_server.url),
        _rows("bullmq", url=redis_server.url, receive=[f"idle-{uuid4().hex}" for _ in range(2)]),
        _rows("http", url="http://127.0.0.1:9/"),
        {"bus.inside.kind": "memory", "bus.inside.receive": ["idle"]},
    )
    async with app:
        async with asyncio.timeout(60):
            while any(view.trouble for bus in await app.buses() for view in bus.receives):
                await asyncio.sleep(0.05)
        await asyncio.sleep(3)  # until the group is joined, and every poll waits
        before, began = time.process_time(), time.monotonic()
        await asyncio.sleep(SECONDS)
        cost = (time.process_time() - before) / (time.monotonic() - began)
        assert sum(len(bus.receives) for bus in await app.buses()) == 8
    print(f"{cost:.3%} of a core over {SECONDS:.0f} s")  # noqa: T201 - for who runs it with -s
    assert cost < BOUND


def _rows(bus, **members):
    return {f"bus.{bus}.{name}": value for name, value in ({"kind": bus} | members).items()}


def _kafka(server):
    topics = [f"idle-{uuid4().hex}" for _ in range(2)]
    for topic in topics:
        server.make(topic)
    return _rows("kafka", servers=server.servers, receive=topics, group=topics[0])
