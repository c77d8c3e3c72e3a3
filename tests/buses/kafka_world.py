"""An app on a Kafka broker, and somebody else's client beside it."""

from __future__ import annotations

import asyncio
import struct
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer

from ostinato import App
from ostinato.config import override_settings
from ostinato.ports import EventQuery, LetterQuery, Page

SOON = 30.0
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


class Quiet:
    def log(self, *said):
        pass


def app_with(**given):
    """``bus__kafka__receive=[…]`` is the setting ``bus.kafka.receive``."""
    settings = {name.replace("__", "."): value for name, value in given.items()}
    app = App()
    app.configure(override_settings(app.settings, {"store": "memory:"} | settings, by="{name}"))
    return app


def put(server, topic, value, key=None, headers=None, **more):
    """One message, as any producer of the world sends it."""
    put_all(server, topic, [(value, key, headers)], **more)


def put_all(server, topic, messages, **more):
    client = Producer({"bootstrap.servers": server.servers, "logger": Quiet(), **more})
    failed = []
    for value, key, headers in messages:
        told = lambda error, _: error and failed.append(error)  # noqa: E731
        client.produce(topic, value, key, headers=headers, on_delivery=told)
    assert client.flush(SOON) == 0
    assert failed == []


def records(server, topic, count, about=id):
    """So many that differ in what they are ``about``, from the beginning, read by a consumer that
    is not ours."""
    config = {"bootstrap.servers": server.servers, "group.id": f"w-{time.time_ns()}",
              "auto.offset.reset": "earliest", "enable.auto.commit": False,
              "logger": Quiet()}  # fmt: skip
    consumer, found, different = Consumer(config), [], set()
    consumer.subscribe([topic])
    until = time.monotonic() + SOON
    while len(different) < count and time.monotonic() < until:
        if (record := consumer.poll(1)) is not None:
            assert record.error() is None, record.error()
            found.append(record)
            different.add(about(record))
    consumer.close()
    return found


def codecs(server, topic):
    """How the batches of a topic are compressed on the broker's disk."""
    data = (server.folder / "data" / f"{topic}-0" / f"{0:020}.log").read_bytes()
    found, at = [], 0
    while at + 23 <= len(data):
        length, attributes = struct.unpack_from(">i", data, at + 8)[0], data[at + 22]
        found.append(CODECS[attributes & 7])
        at += 12 + length
    return found


def committed(server, group):
    """Where the broker has it that the group is, by ``topic/partition``."""
    [asked] = server.admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)]
    ).values()
    found = asked.result(SOON).topic_partitions
    return {f"{one.topic}/{one.partition}": one.offset for one in found if one.offset >= 0}


async def reached(server, group, wanted):
    """Until the group is there: what is done is told to the broker once a second."""
    async with asyncio.timeout(SOON):
        while await asyncio.to_thread(committed, server, group) != wanted:
            await asyncio.sleep(0.05)


async def until(found, count=1):
    async with asyncio.timeout(SOON):
        while len(value := await found()) < count:
            await asyncio.sleep(0.01)
        return value


async def events(app, **query):
    return [one.event for one in await app.events(EventQuery(**query), Page(1_000))]


async def letters(app, **query):
    return await app.dead_letters(LetterQuery(**query), Page())
