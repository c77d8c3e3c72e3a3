"""One idempotent producer."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Record

from ostinato.bus.kafka.link import SLICE, TOPIC, Client, Link, OfTopic, close, in_thread
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, UsageError

TAKEN = 30.0
"""Seconds in which the brokers have taken what is sent; what they have not is tried again later."""


class Hub(Client):
    """The producer, and what became of each message."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._producer: Producer | None = None
        self._topics: set[str] = set()

    def open(self) -> None:
        self._producer = Producer(self.link.producing(self._troubled))
        if topic := self.link.settings.topic:
            self._missing(self._producer, topic)  # whether brokers answer; it may be made yet

    def _topic(self, message: Message) -> str:
        return message.place or self.link.settings.topic or ""

    def _missing(self, producer: Producer, topic: str) -> Exception | None:
        """Why nothing can go to this topic. Raises ``BusError`` when no broker answers."""
        if topic in self._topics:
            return None
        if not TOPIC.fullmatch(topic):
            return UsageError(f"{topic[:60]!r} is no name of a topic; {self.link.where}.topic is")
        if (found := self.fault(producer, topic)) is not None:
            return self._error(found, topic)
        self._topics.add(topic)
        return None

    def _error(self, error: KafkaError, topic: str) -> Exception:
        """``UsageError`` of a topic that can never be written to, as one of Kafka's own."""
        if error.code() == KafkaError.TOPIC_EXCEPTION:
            return UsageError(f"nothing can be sent to topic {topic!r}: {error.str()}")
        return self.link.error(error, topic)

    def send(self, messages: Sequence[Message]) -> list[Exception | None]:
        answers = self._try(messages)
        if any(isinstance(why, _TooLarge) and why.together for why in answers):
            self._one_by_one(messages, answers)
        return answers

    def _one_by_one(self, messages: Sequence[Message], answers: list[Exception | None]) -> None:
        """A broker refuses a batch as a whole for one in it that is too large."""
        stopped: Exception | None = None
        for number, why in enumerate(answers):
            if isinstance(why, BusError) or (isinstance(why, _TooLarge) and why.together):
                if stopped is None:
                    [answers[number]] = self._try([messages[number]])
                    stopped = answers[number] if isinstance(answers[number], BusError) else None
                else:
                    answers[number] = stopped  # whether it is too large is not known yet

    def _try(self, messages: Sequence[Message]) -> list[Exception | None]:
        answers: dict[int, Exception | None] = {}
        producer = self._producer
        if producer is None:
            producer = self._producer = Producer(self.link.producing(self._troubled))
        topics = {self._topic(message) for message in messages}
        missing = {topic: self._missing(producer, topic) for topic in topics}
        for number, message in enumerate(messages):
            why = missing[self._topic(message)]
            if why is None:
                why = self._put(producer, message, answers, number, len(messages))
            if why is not None:
                answers[number] = why
        self._wait(producer, answers, len(messages))
        return [answers[number] for number in range(len(messages))]

    def _put(
        self, producer: Producer, message: Message, answers: dict[int, Any], number: int, count: int
    ) -> Exception | None:
        """None, when ``answers`` will be told."""
        topic = self._topic(message)

        def told(error: KafkaError | None, record: Record) -> None:
            why = None if error is None else self._refused(error, topic, message)
            if isinstance(why, _TooLarge):
                why.together = count > 1
            answers[number] = why

        headers: list[tuple[str, str | bytes | None]] = list(message.headers.items())
        try:
            producer.produce(topic, message.body, message.key, headers=headers, on_delivery=told)
        except BufferError:
            return BusError(f"{self.link.where}: the client's queue is full")
        except KafkaException as error:
            return self._refused(error.args[0], topic, message)
        return None

    def _refused(self, error: KafkaError, topic: str, message: Message) -> Exception:
        code = error.code()
        if code == KafkaError.MSG_SIZE_TOO_LARGE:
            return _TooLarge(
                f"the message has {len(message.body)} bytes, more than topic {topic!r} takes: see "
                f"its max.message.bytes, and message.max.bytes in {self.link.where}.options"
            )
        if error.fatal() or code in _OVER:
            self._producer = None
        if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            self._topics.discard(topic)
        if code in _PURGED:
            return self.link.error(self.trouble or KafkaError(KafkaError._TIMED_OUT))
        return self._error(error, topic)

    def _wait(self, producer: Producer, answers: dict[int, Any], count: int) -> None:
        until = monotonic() + TAKEN
        while len(answers) < count and not self.stopping and monotonic() < until:
            try:
                producer.poll(SLICE)
            except KafkaException as error:  # it is over; what became of each is still told
                self._producer, self.trouble = None, error.args[0]
        if len(answers) < count:
            producer.purge()
            self._producer = None  # one that has given up is not asked again
            producer.flush(SLICE)
        for number in range(count):
            answers.setdefault(number, BusError(f"{self.link.where}: no broker said it has it"))

    def close(self) -> None:
        producer, self._producer = self._producer, None
        self._topics.clear()
        if producer is not None:
            producer.flush(SLICE)


class _TooLarge(UsageError):
    together = False
    """A broker refuses a batch as a whole: it may be another one that is too large."""


def _is_of_all(why: Exception | None) -> bool:
    return isinstance(why, BusError) and not isinstance(why, OfTopic)


_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
_OVER = frozenset({KafkaError._FATAL, KafkaError._GAPLESS_GUARANTEE})


class KafkaOutlet:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._hub = Hub(link)
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        await self.close()
        self._hub = Hub(self._link)
        self._thread = ThreadPoolExecutor(1, "ostinato-kafka-out")
        await in_thread(self._thread, self._hub, self._hub.open)

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        hub = self._hub
        answers: list[Exception | None] = await in_thread(self._thread, hub, hub.send, messages)
        if answers and all(_is_of_all(why) for why in answers):
            raise next(filter(None, answers))
        return answers

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await close(thread, self._hub)
