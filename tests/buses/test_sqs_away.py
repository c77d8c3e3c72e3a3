"""A queue whose service is away for a while: nothing is lost; in a FIFO queue nothing doubled."""

import asyncio
import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.buses.aws import Queues, app_with, events, table
from tests.servers.cable import Cable

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # Maven may have to fetch ElasticMQ

COUNT = 60


@pytest.fixture
async def cable(elasticmq_server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Cable(port, urlsplit(elasticmq_server.url).port) as cable:
        yield cable


def number_in(event):
    return json.loads(bytes(event.data))["number"]


async def taken(app, count):
    async with asyncio.timeout(60):
        while (await app.buses())[0].receives[0].accepted < count:
            await asyncio.sleep(0.01)


async def in_trouble(app):
    async with asyncio.timeout(60):
        while True:
            [view] = await app.buses()
            if view.trouble and view.receives[0].trouble:
                return view
            await asyncio.sleep(0.01)


async def test_what_goes_out_and_in_while_the_cable_is_cut_arrives_once(elasticmq_server, cable):
    queue = Queues(elasticmq_server.url).make(fifo=True)
    endpoint = f"http://127.0.0.1:{cable.listen}"
    app = app_with(table("sqs", endpoint, queue=queue, receive=[queue], wait="1s", visibility="5s"))
    order = {}

    @app.bus("sqs").filter
    def seen(event):
        order.setdefault(number_in(event))
        return True

    async with app:
        producer = app.producer("sqs")
        data = [{"number": number} for number in range(COUNT)]
        for lot in (data[:20], data[20:40]):
            for one in lot:
                await producer.send("T", one, subject=f"k{one['number'] % 3}")
        await taken(app, 5)
        cable.cut()
        for one in data[40:]:
            await producer.send("T", one, subject=f"k{one['number'] % 3}")
        view = await in_trouble(app)
        assert endpoint in view.trouble
        assert endpoint in view.receives[0].trouble
        assert view.waiting >= 20
        cable.mend()
        found = await events(app, COUNT, within=90)
    assert sorted(map(number_in, found)) == list(range(COUNT))
    for key in range(3):
        assert [n for n in order if n % 3 == key] == list(range(key, COUNT, 3))
    assert cable.cuts > 0
