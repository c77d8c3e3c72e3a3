"""How brokers are spoken to, what they refuse, and the threads that wait for them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException

from ostinato.config.buses import KafkaSettings
from ostinato.errors import BusError, SettingsError
from ostinato.telemetry.logger import logger

log = logger("ostinato.kafka")

SLICE = 0.25
"""Seconds after which a thread that waits sees that nobody waits for it any more."""

TOPIC = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9._-]{1,249}")

ANSWER = 10.0
"""Seconds in which a broker answers whoever connects."""


class OfTopic(BusError):
    """It is about one topic, and says nothing of others."""


class Link:
    """What both halves need to know: where the brokers are, and how they are spoken to."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self.servers = settings.servers
        self.where = f"bus.{settings.name}"
        self.options = dict(settings.options or {})
        self._check_servers()
        if (settings.username is None) != (settings.password is None):
            raise SettingsError(f"{self.where}: username and password belong together")
        for topic in (settings.topic, *settings.receive):
            if topic is not None and not topic.startswith("^") and not TOPIC.fullmatch(topic):
                why = "has letters, digits, . _ and -, or is a pattern that begins with ^"
                raise SettingsError(
                    f"{self.where}: {topic[:60]!r} is no name of a topic: one {why}"
                )

    def _check_servers(self) -> None:
        """What would hold a secret is refused, unseen: whatever the client says shows addresses."""
        own = [self.options.get(name, "") for name in _SERVERS]
        if any(_SECRET.search(str(given)) for given in (self.servers, *own)):
            hint = "credentials are .username and .password"
            raise SettingsError(f"{self.where}.servers: a broker is host:port; {hint}")

    def config(self, error_cb: Callable[[KafkaError], None]) -> dict[str, Any]:
        settings = self.settings
        secure = "SSL" if settings.tls else "PLAINTEXT"
        config: dict[str, Any] = {
            "bootstrap.servers": settings.servers,
            "client.id": f"ostinato-{settings.name}",
            "security.protocol": secure if settings.username is None else f"SASL_{secure}",
            "reconnect.backoff.max.ms": 2_000,
            "log.connection.close": False,
            "error_cb": error_cb,
            "logger": _Log(),
        }
        if settings.username is not None:
            config |= {
                "sasl.mechanism": "PLAIN",
                "sasl.username": settings.username,
                "sasl.password": settings.password,
            }
        return config

    def consuming(self, error_cb: Callable[[KafkaError], None]) -> dict[str, Any]:
        return {
            **self.config(error_cb),
            "group.id": self.settings.group,
            "auto.offset.reset": self.settings.since,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 6_000,  # so long wait the partitions of a process that was killed
            "enable.auto.offset.store": False,
            "auto.commit.interval.ms": 1_000,
            "queued.max.messages.kbytes": 16_384,
            **self.options,
        }

    def producing(self, error_cb: Callable[[KafkaError], None]) -> dict[str, Any]:
        return {
            **self.config(error_cb),
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,  # after one that is not taken, none of its partition
            "message.timeout.ms": 0,  # TAKEN is watched over here
            "compression.type": self.settings.compression,
            **self.options,
        }

    def check(self, kind: Callable[[dict[str, Any]], Any], config: dict[str, Any]) -> None:
        """What the client itself says of its options; it is given no address, and ends at once."""
        if self.options:
            try:
                client = kind(config | {"bootstrap.servers": ""})
            except (KafkaException, TypeError, ValueError) as error:
                why = error.args[0].str() if isinstance(error, KafkaException) else error
                raise SettingsError(f"{self.where}: {why}") from None
            if isinstance(client, Consumer):
                client.close()

    def error(self, error: KafkaError, topic: str = "") -> BusError:
        """With what there is to do about it."""
        code, said = error.code(), error.str()
        about = f"topic {topic!r}" if topic else "a topic"
        if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            told = f"there is no {about}; {self._make(topic)}"
        elif code in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
            told = f"the credentials are refused: see {self.where}.username and .password ({said})"
        elif code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            said += f" for {about}" if topic else ""
            told = f"not allowed: {said}; grant it, as kafka-acls.sh does"
        elif "same group.instance.id" in said:  # the client has no number for it
            told = f"another process has this group.instance.id: give each its own ({said})"
        elif code in AWAY:
            told = f"no broker answers; does it run, and is {self.where}.servers right? ({said})"
        else:
            told = f"{error.name()}: {said}"
        kind = OfTopic if topic and _is_of_topic(code) else BusError
        return kind(f"Kafka at {self.servers}: {told}")

    def _make(self, topic: str) -> str:
        first = self.servers.partition(",")[0]
        return f"kafka-topics.sh --bootstrap-server {first} --create --topic {topic or 'NAME'}"


AWAY = frozenset({
    KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._SSL,
    KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE,
})  # fmt: skip
REFUSING = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})


def _is_of_topic(code: int) -> bool:
    """What a broker answers (numbers above 0) is about what it was asked, unless it lets nobody in;
    what the client says by itself is about all brokers."""
    if code in (KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION):
        return True
    return code > 0 and code not in REFUSING and code != KafkaError.CLUSTER_AUTHORIZATION_FAILED


_SERVERS = ("bootstrap.servers", "metadata.broker.list")
_SECRET = re.compile("[@?]")
"""Around these the settings hide what they show of an address; no broker's has one."""


class _Log:
    """What the client says by itself; what matters of it comes as errors, too."""

    def log(self, level: int, text: str, *about: Any) -> None:
        log.debug("kafka.said", level=level, text=text % about)


class Client:
    """A consumer or a producer, in one thread. ``trouble``: the last it said of itself."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.trouble: KafkaError | None = None
        self.stopping = False
        """Nobody waits for the thread any more."""

    def _troubled(self, error: KafkaError) -> None:
        """The first cause stays: that all brokers are down follows from it."""
        if self.trouble is None or error.code() != KafkaError._ALL_BROKERS_DOWN:
            self.trouble = error

    def fault(self, client: Any, topic: str, seconds: float | None = None) -> KafkaError | None:
        """What keeps this topic from us; None: nothing. Raises ``BusError`` when no broker
        answers."""
        seconds = ANSWER if seconds is None else seconds
        until = monotonic() + seconds
        while True:
            try:
                found = client.list_topics(topic, timeout=min(1.0, seconds)).topics[topic].error
            except KafkaException as error:
                client.poll(0)  # which tells the cause
                cause = self.trouble or error.args[0]
                if monotonic() > until or self.stopping or cause.code() in REFUSING:
                    raise self.link.error(cause) from error
                continue
            self.trouble = None
            there = found is None or found.code() == KafkaError.LEADER_NOT_AVAILABLE
            return None if there else found


async def in_thread(
    thread: ThreadPoolExecutor | None, client: Client, work: Callable[..., Any], *args: Any
) -> Any:
    if thread is None:
        raise BusError(f"{client.link.where} is not open")
    client.stopping = False
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, partial(work, *args))
    except asyncio.CancelledError:
        client.stopping = True
        raise
    except KafkaException as error:
        raise client.link.error(error.args[0]) from error


async def close(thread: ThreadPoolExecutor, client: Any) -> None:
    client.stopping = True
    closing = asyncio.get_running_loop().run_in_executor(thread, client.close)
    thread.shutdown(wait=False)
    try:
        await asyncio.shield(closing)
    except KafkaException as error:
        raise client.link.error(error.args[0]) from error
