"""One consumer of a group, over all the topics of a connector."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record

from ostinato.bus.kafka.held import Held
from ostinato.bus.kafka.link import SLICE, Client, Link, close, in_thread
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError
from ostinato.ports.buses import Received

PATIENCE = 5.0
"""Seconds that a fetch waits for its first message."""

STILL = 2.0
"""Seconds without a fetch, after which a consumer shows the group that it lives."""

LOOK = 60.0
"""Seconds after which a consumer to whom nothing comes looks for its topics. The client would be
silent about one that was deleted."""

AHEAD = 500
"""Messages that may come in meanwhile."""


class Member(Client):
    """The consumer. Its partitions come and go while it polls."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._held: dict[tuple[str, int], Held] = {}
        self._ready: deque[Received] = deque()
        self._paused: dict[tuple[str, int], TopicPartition] = {}
        self._looked = 0.0
        self._consumer: Consumer | None = None

    def open(self) -> None:
        topics = list(self.link.settings.receive)
        consumer = self._consumer = Consumer(self.link.consuming(self._troubled))
        self._look(consumer)
        lost = self._lost
        consumer.subscribe(topics, on_assign=self._assigned, on_revoke=lost, on_lost=lost)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            self._held[one.topic, one.partition] = Held(one.topic, one.partition)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            if held := self._held.pop((one.topic, one.partition), None):
                held.ours = False
        self._resume(consumer, partitions)  # or one that comes back would be paused still
        self._ready = deque(one for one in self._ready if one.handle[0].ours)

    def fetch(self, most: int) -> list[Received]:
        consumer = self._opened()
        self._resume(consumer, list(self._paused.values()))
        until = monotonic() + PATIENCE
        while not self._ready and not self.stopping and (left := until - monotonic()) > 0:
            first = consumer.poll(min(SLICE, left))
            if first is None:
                continue
            self._keep([first])
            if most > 1:
                self._keep(consumer.consume(most - 1, 0))
        if not self._ready and not self.stopping:
            self._see(consumer)
        return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    def _opened(self) -> Consumer:
        if self._consumer is None:
            raise BusError(f"{self.link.where} is not open")
        return self._consumer

    def _keep(self, records: Iterable[Record]) -> None:
        failed = None
        for record in records:
            if (error := record.error()) is None:
                self._ready.append(self._received(record))
            elif not error.retriable() and error.code() not in _HARMLESS:
                failed = failed or self.link.error(error, record.topic() or "")
        if failed is not None:
            raise failed

    def _received(self, record: Any) -> Received:  # without an error it has all of these
        topic, partition, offset = record.topic(), record.partition(), record.offset()
        held = self._held.get((topic, partition))
        if held is None:
            held = self._held[topic, partition] = Held(topic, partition)
        held.given.append(offset)
        kind, time = record.timestamp()
        key, headers = record.key(), record.headers()
        message = Message(
            place=topic,
            body=record.value() or b"",
            headers={name: _text(value) for name, value in headers} if headers else {},
            key=None if key is None else _text(key),
            id=f"{topic}/{partition}/{offset}",
            time=time if kind else None,
        )
        return Received(message, (held, offset))

    def _see(self, consumer: Consumer) -> None:
        """Whether nothing came because nobody is there, or the topic has gone."""
        if self.trouble is not None or monotonic() - self._looked > LOOK:
            self._look(consumer, STILL)

    def _look(self, consumer: Consumer, seconds: float | None = None) -> None:
        """Whether all topics are there; of a pattern nobody knows."""
        for topic in self.link.settings.receive:
            if topic.startswith("^"):
                continue
            if (found := self.fault(consumer, topic, seconds)) is not None:
                raise self.link.error(found, topic)
        self._looked = monotonic()

    def done(self, received: Sequence[Received]) -> None:
        touched = {}
        for one in received:
            held, offset = one.handle
            held.finish(offset)
            touched[id(held)] = held
        reached = [place for held in touched.values() if (place := held.reached()) is not None]
        if reached:
            try:
                self._opened().store_offsets(offsets=reached)
            except KafkaException as error:
                if error.args[0].code() not in _NOT_OURS:
                    raise

    def again(self, received: Sequence[Received]) -> None:
        firsts: dict[int, tuple[Held, int]] = {}
        for one in received:
            held, offset = one.handle
            _, before = firsts.get(id(held), (held, offset))
            firsts[id(held)] = (held, min(before, offset))
        for held, first in firsts.values():
            if held.ours:
                self._ready = deque(one for one in self._ready if one.handle[0] is not held)
                self._opened().seek(held.back_to(first))

    def idle(self) -> None:
        """A consumer that does not poll is taken for dead, and holds up the others of its group.

        Nothing is pushed upon an engine that lags: what comes in meanwhile waits, and beyond
        ``AHEAD`` the partitions are paused.
        """
        consumer = self._opened()
        if len(self._ready) >= AHEAD:
            self._pause(consumer)
        found = consumer.poll(0)
        if found is not None:
            self._keep([found])

    def _pause(self, consumer: Consumer) -> None:
        """All that are not yet; others may have come since."""
        ours = {(one.topic, one.partition): one for one in consumer.assignment()}
        if fresh := [one for name, one in ours.items() if name not in self._paused]:
            consumer.pause(fresh)
            self._paused = ours

    def _resume(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        names = [(one.topic, one.partition) for one in partitions]
        if paused := [found for name in names if (found := self._paused.pop(name, None))]:
            consumer.resume(paused)

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        for held in self._held.values():
            held.ours = False
        self._held.clear()
        self._ready.clear()
        self._paused.clear()
        if consumer is not None:
            consumer.close()  # which commits what is done


_HARMLESS = frozenset({KafkaError._MAX_POLL_EXCEEDED, KafkaError._PARTITION_EOF})
_NOT_OURS = frozenset({KafkaError._STATE, KafkaError._UNKNOWN_PARTITION})


def _text(value: bytes | str | None) -> str:
    """What is no UTF-8 stays recognizable."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value or ""


class KafkaInlet:
    def __init__(self, link: Link) -> None:
        self.name = ", ".join(link.settings.receive)
        self._link = link
        self._thread: ThreadPoolExecutor | None = None
        self._member = Member(link)
        self._living: asyncio.Task[None] | None = None
        self._failed: BusError | None = None
        self._asked = 0.0

    async def open(self) -> None:
        await self.close()
        self._member = Member(self._link)
        self._thread = ThreadPoolExecutor(1, "ostinato-kafka-in")
        self._failed = None
        await self._do(self._member.open)
        self._asked = monotonic()
        self._living = asyncio.create_task(self._live(), name=f"ostinato-kafka-{self.name}")

    async def fetch(self, most: int) -> Sequence[Received]:
        if self._failed is not None:
            raise self._failed
        self._asked = float("inf")
        try:
            found: list[Received] = await self._do(self._member.fetch, most)
            return found
        finally:
            self._asked = monotonic()

    async def done(self, received: Sequence[Received]) -> None:
        await self._do(self._member.done, received)

    async def again(self, received: Sequence[Received]) -> None:
        await self._do(self._member.again, received)

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        living, self._living = self._living, None
        if living is not None:
            living.cancel()
        if thread is not None:
            await close(thread, self._member)

    async def _do(self, work: Callable[..., Any], *args: Any) -> Any:
        return await in_thread(self._thread, self._member, work, *args)

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(STILL)
            if monotonic() - self._asked >= STILL:
                try:
                    await self._do(self._member.idle)
                except BusError as error:  # the client says it once
                    self._failed = error
                    return
