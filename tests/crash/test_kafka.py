"""Every message of Kafka has one run, and every run's event goes out, whatever dies meanwhile."""

import asyncio
import json
import random
import threading
from collections import Counter

import pytest
from confluent_kafka import Producer

from ostinato.config import override_settings
from ostinato.ports import RunQuery
from tests.buses.kafka_world import Quiet, records
from tests.crash import kafka_flows
from tests.crash.load import Notes, Server, all_runs
from tests.servers.cable import Cable
from tests.servers.postgres import HOST

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(240)]

TIMES = 10
PARTITIONS = 3


class Source(threading.Thread):
    """Numbered messages, each taken once: an idempotent producer of somebody else's."""

    def __init__(self, servers, topic, pace=0.008):
        super().__init__(daemon=True)
        self.client = Producer({"bootstrap.servers": servers, "enable.idempotence": True,
                                "message.timeout.ms": 0, "logger": Quiet(),
                                "reconnect.backoff.max.ms": 500})  # fmt: skip
        self.topic, self.pace = topic, pace
        self.enough = threading.Event()
        self.taken, self.failed = 0, []

    def run(self):
        number = 0
        while not self.enough.wait(self.pace):
            body = json.dumps({"n": number})
            self.client.produce(self.topic, body, str(number % 50), on_delivery=self._told)
            self.client.poll(0)
            number += 1
        self.client.flush(60)

    def _told(self, error, record):
        self.taken += error is None
        if error is not None:
            self.failed.append(str(error))

    async def finish(self):
        self.enough.set()
        await asyncio.to_thread(self.join, 60)
        assert self.failed == []
        return self.taken


@pytest.fixture
def topics(kafka_server, request):
    """Made anew for each test: theirs are the types of the workflow."""
    name = f"{request.node.name}-{random.getrandbits(32):x}"
    return kafka_server.make(f"in-{name}", PARTITIONS), kafka_server.make(f"out-{name}")


BRISK = {"session.timeout.ms": 2_000, "heartbeat.interval.ms": 500}
"""Else each restart takes as long as the group waits for the member that it knew."""


def settings(servers, topics):
    came, told = topics
    return {
        "bus.in.options": BRISK,
        "bus.in.kind": "kafka", "bus.in.servers": servers, "bus.in.receive": [came],
        "bus.in.group": came, "bus.out.kind": "kafka", "bus.out.servers": servers,
        "bus.out.topic": told, "bus.out.send": ["TOLD"], "bus.out.form": "data",
    }  # fmt: skip


@pytest.fixture
def app_of(tmp_path):
    def made(given):
        import importlib

        app = importlib.reload(kafka_flows).app
        kafka_flows.tell = lambda *said: None

        store = {"store": f"sqlite:///{tmp_path}/crash.db"}
        app.configure(override_settings(app.settings, store | given, by="{name}"))
        return app

    return made


async def ended(app, count):
    """So many runs, all of them over."""
    async with asyncio.timeout(60):
        while await app.count_runs(RunQuery(status=("succeeded",))) < count:
            await asyncio.sleep(0.05)


async def judge(app, count, server, told):
    """One run for each message, and each told at least once."""
    started = Counter(head.event_id for head in await all_runs(app, RunQuery()))
    assert (len(started), set(started.values())) == (count, {1})
    found = await asyncio.to_thread(records, server, told, count, number)
    assert {number(one) for one in found} == set(range(count))


def number(record):
    return json.loads(record.value())["n"]


async def more(app, count):
    intake = app._intakes["in"][0]
    goal = intake.counts["accepted"] + count
    async with asyncio.timeout(30):
        while intake.counts["accepted"] < goal:
            await asyncio.sleep(0.01)


async def test_the_broker_is_killed_ten_times(kafka_server, topics, app_of):
    source = Source(kafka_server.servers, topics[0])
    async with app_of(settings(kafka_server.servers, topics)) as app:
        source.start()
        for _ in range(TIMES):
            await more(app, 30)
            await asyncio.to_thread(kafka_server.kill)
            await asyncio.to_thread(kafka_server.start)
        await more(app, 30)
        count = await source.finish()
        await ended(app, count)
        await judge(app, count, kafka_server, topics[1])
    assert count > TIMES * 30


async def test_the_connection_is_cut_twenty_times(kafka_server, topics, app_of):
    source = Source(kafka_server.servers, topics[0])
    servers = f"{HOST}:{kafka_server.cut}"
    async with Cable(kafka_server.cut, kafka_server.ports["CUT"]) as cable:
        async with app_of(settings(servers, topics)) as app:
            source.start()
            for number in range(2 * TIMES):
                await more(app, 20)
                cable.cut()
                if number % 5 == 0:
                    await asyncio.sleep(1)  # long enough to be refused, too
                cable.mend()
            count = await source.finish()
            await ended(app, count)
            await judge(app, count, kafka_server, topics[1])
        assert cable.cuts >= 2 * TIMES


def environment(given):
    return {
        "OSTINATO_" + name.upper().replace(".", "__"): value
        if isinstance(value, str)
        else json.dumps(value)
        for name, value in given.items()
    }


async def test_the_server_is_killed_ten_times(kafka_server, topics, tmp_path, app_of):
    given = settings(kafka_server.servers, topics)
    given["bus.in.options"] = {"group.instance.id": "the-only-one"}
    source, notes, chance = Source(kafka_server.servers, topics[0]), Notes(), random.Random(1)
    server = Served(f"sqlite:///{tmp_path}/crash.db", notes, environment(given))
    async with server:
        source.start()
        for _ in range(TIMES):
            await notes.wait_begun(chance.randrange(20, 200))
            await server.kill()
            await server.start()
        await notes.wait_begun(20)
        count = await source.finish()
        await server.stop()
    async with app_of(given) as app:
        await ended(app, count)
        await judge(app, count, kafka_server, topics[1])
    assert count > TIMES * 20


async def test_two_servers_share_a_group_and_a_database_and_one_dies(
    kafka_server, topics, new_database, app_of
):
    """Messages of the dead one's partitions go to the other one, and so do its runs."""
    store, given = new_database(), settings(kafka_server.servers, topics)
    source, notes = Source(kafka_server.servers, topics[0]), Notes()
    servers = [Served(store, notes, environment(given), lease="1s") for _ in range(2)]
    async with servers[0], servers[1]:
        source.start()
        for turn in range(2):
            await notes.wait_begun(100)
            await servers[turn].kill()
            await notes.wait_begun(50)
            await servers[turn].start()
        await notes.wait_begun(50)
        count = await source.finish()
        await asyncio.gather(*(server.stop() for server in servers))
    async with app_of(given | {"store": store}) as app:
        await ended(app, count)
        await judge(app, count, kafka_server, topics[1])
    assert count > 2 * 150


class Served(Server):
    command = ("serve", "tests.crash.kafka_flows:app", "--port", "0")
