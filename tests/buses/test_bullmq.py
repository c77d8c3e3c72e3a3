"""BullMQ keeps the contract of buses, with a real Redis."""

import asyncio
import json
import time
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from ostinato import App, Event
from ostinato.bus.bullmq import inlets, outlet
from ostinato.config import override_settings
from ostinato.config.buses import BullMqSettings
from ostinato.core.cloudevents import Message
from ostinato.ports import EventQuery, Page
from ostinato.testing.bus_contract import BusContract
from tests.servers.redis import Given

pytestmark = pytest.mark.real

NOBODY = "redis://127.0.0.1:1"


@pytest.mark.seed("A13")
class TestContract(BusContract):
    has_keys = False
    keeps_bytes = False

    @pytest.fixture(autouse=True)
    def _server(self, redis_server):
        self.url = redis_server.url
        self.largest = None if isinstance(redis_server, Given) else 1 << 20  # as ours is begun

    def settings(self, queue, url=None):
        return BullMqSettings(name="jobs", url=url or self.url, receive=(queue,), queue=queue)

    async def make_place(self):
        return f"contract-{uuid4().hex}"

    def inlet(self, place):
        return inlets(self.settings(place))[0]

    def outlet(self, place):
        return outlet(self.settings(place))

    def lost_inlet(self):
        return inlets(self.settings("q", NOBODY))[0]

    def lost_outlet(self):
        return outlet(self.settings("q", NOBODY))

    def message(self, number, key=None, size=0):
        body = b'{"number": %d, "text": "%s"}' % (number, b"x" * size)
        return Message(body=body, headers={"name": "NUMBERED"})


# -- with the library of its makers, in Node ---------------------------------------------------


@pytest.fixture
def queue():
    return f"queue-{uuid4().hex}"


@pytest.fixture
def settings(redis_server, queue):
    return BullMqSettings(name="jobs", url=redis_server.url, receive=(queue,), queue=queue)


@pytest.fixture
async def raw(redis_server):
    async with Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


def app_on(url, bus="jobs", **more):
    members = {"kind": "bullmq", "url": url, **more}
    given = {"store": "memory:"} | {f"bus.{bus}.{name}": value for name, value in members.items()}
    app = App()
    app.configure(override_settings(app.settings, given, by="{name}"))
    return app


async def until(found):
    async with asyncio.timeout(30):
        while not (value := await found()):
            await asyncio.sleep(0.005)
        return value


async def events_of(app, count):
    async def look():
        found = [one.event for one in await app.events(EventQuery(), Page(limit=1000))]
        return found if len(found) >= count else None

    return await until(look)


async def sent(settings, *messages):
    writing = outlet(settings)
    await writing.open()
    try:
        assert list(await writing.send(messages)) == [None] * len(messages)
    finally:
        await writing.close()


@pytest.mark.seed("A13", "A18")
class TestFromNode:
    async def test_jobs_start_runs_and_what_became_of_them_is_returned(
        self, redis_server, queue, node
    ):
        """``data`` is ``{type, …payload}``; without a type it is the name of the job."""
        jobs = [
            {"name": "any", "data": {"type": "ORDER_PLACED", "order": 7}},
            {"name": "ORDER_PLACED", "data": {"order": 8}, "opts": {"jobId": "mine"}},
            {"name": "ORDER_PLACED", "data": {"order": 9}, "opts": {"delay": 50}},
            {"name": "ORDER_PLACED", "data": {"order": 10}, "opts": {"priority": 3}},
            {"name": "any", "data": [1]},
        ]
        app, orders = app_on(redis_server.url, receive=[queue]), []

        @app.consumer("ORDER_PLACED", bus="jobs")
        async def order(event: Event):
            orders.append((event.source, json.loads(bytes(event.data))))

        async with app:
            with node("producer.mjs", redis_server.url, queue, jobs) as program:
                added = program.says("added")["added"]
                found = {}
                for _ in jobs:
                    said = await program.heard("returned")
                    found[said["id"]] = said["returned"]
            await until(lambda: _soon(len(orders) == 4))
            stored = await events_of(app, 5)
        assert sorted(one["order"] for _, one in orders) == [7, 8, 9, 10]
        assert {source for source, _ in orders} == {"jobs"}
        assert added[1] == "mine"
        mine = found["mine"]
        assert mine["id"] in {one.id for one in stored}
        assert (mine["source"], len(mine["runs"]), mine["duplicate"]) == ("jobs", 1, False)
        assert found[added[4]]["runs"] == []

    async def test_a_job_that_is_there_is_not_added_again(self, redis_server, queue, node):
        jobs = [{"name": "A", "data": {"n": n}, "opts": {"jobId": "same"}} for n in range(2)]
        app = app_on(redis_server.url, receive=[queue])
        async with app:
            with node("producer.mjs", redis_server.url, queue, jobs) as program:
                await program.heard("returned")
            [stored] = await events_of(app, 1)
        assert bytes(stored.data) == b'{"n":0}'


async def _soon(so):
    return True if so else None


@pytest.mark.seed("A13", "A17")
class TestToNode:
    async def test_events_are_jobs_with_name_data_and_options(self, redis_server, queue, node):
        app = app_on(
            redis_server.url, "bullmq", queue=queue, attempts=5, backoff="250ms",
            options={"removeOnComplete": 100},
        )  # fmt: skip
        async with app:
            with node("worker.mjs", redis_server.url, queue) as program:
                await app.producer(1).send("ORDER_PLACED", {"order": "Ünï"}, id="o:7")
                seen = (await program.heard("job"))["job"]
                returned = await program.heard("completed")
        assert (seen["name"], seen["data"]) == (
            "ORDER_PLACED", {"order": "Ünï", "type": "ORDER_PLACED"},
        )  # fmt: skip
        assert seen["id"] == returned["completed"] == "ostinato/app/o%3A7"
        options = seen["opts"]
        assert options["attempts"] == 5
        assert options["backoff"] == {"type": "exponential", "delay": 250}
        assert options["removeOnComplete"] == 100
        assert returned["returned"] == {"done": seen["id"]}

    async def test_a_worker_that_throws_twice_is_given_the_job_three_times(
        self, settings, redis_server, queue, node
    ):
        from dataclasses import replace

        quick = replace(settings, attempts=3, backoff=settings.backoff / 100)
        body = b'{"type": "A", "fail": 2}'
        await sent(quick, Message(body=body, headers={"name": "A"}, id="e1", time=1))
        with node("worker.mjs", redis_server.url, queue) as program:
            why = [program.says("failed")["why"] for _ in range(2)]
            done = program.says("completed")
        assert why == ["no 1", "no 2"]
        assert done["completed"] == "/e1"

    async def test_an_event_that_is_sent_again_is_one_job(self, settings, queue, raw):
        message = Message(body=b"{}", headers={"name": "A", "source": "s"}, id="one")
        other = Message(body=b"{}", headers={"name": "A", "source": "t"}, id="one")
        await sent(settings, message)
        await sent(settings, message, other)
        assert await raw.llen(f"bull:{queue}:wait") == 2

    async def test_what_an_adapter_writes_is_of_its_event(self, settings, queue, raw):
        """Without a header ``source``."""
        shops = (Message(body=b"{}", id="one", source=source) for source in ("s", "t", "s"))
        await sent(settings, *shops)
        assert await raw.llen(f"bull:{queue}:wait") == 2

    async def test_delay_and_priority_are_headers(self, settings, redis_server, queue, node, raw):
        """What an adapter of an app may say about one event."""
        headers = [{"delay": "600000"}, {"priority": "9"}, {"priority": "2"}, {}]
        messages = [
            Message(body=b'{"n": %d}' % n, headers={"name": "A", **each})
            for n, each in enumerate(headers)
        ]
        began = time.time()
        await sent(settings, *messages)
        [(_, score)] = await raw.zrange(f"bull:{queue}:delayed", 0, -1, withscores=True)
        assert score / 4096 / 1000 - began >= 599
        with node("worker.mjs", redis_server.url, queue) as program:
            seen = [program.says("job")["job"]["data"]["n"] for _ in messages[1:]]
        assert seen == [3, 2, 1]
