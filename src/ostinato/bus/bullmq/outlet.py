"""Events as jobs: a job's name is the type of its event, and its id is made of the event's, so that
one which is sent twice is there once."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import redis.exceptions as faults
from bullmq import Queue  # type: ignore[import-untyped]
from redis.asyncio import Redis

from ostinato.bus.bullmq.server import connected, told, trouble
from ostinato.config.buses import BullMqSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import UsageError

LARGEST = 512 << 20
"""Bytes of a value that Redis takes, where it does not say so itself."""


NUMBERS = {"delay": 10**15, "priority": 1 << 21, "attempts": 10**6}
"""Options of a job that a message's headers may say, and how large each may be."""

UNNAMED = "__default__"
"""What BullMQ calls a job that has no name."""


class Made(NamedTuple):
    place: int  # of its message
    queue: str
    job: dict[str, Any]


class BullMqOutlet:
    def __init__(self, settings: BullMqSettings) -> None:
        self._settings = settings
        self._client: Redis | None = None
        self._queues: dict[str, Any] = {}

    async def open(self) -> None:
        self._client = client = await connected(self._settings)
        self._largest = LARGEST
        with told(self._settings), suppress(faults.ResponseError):  # not everybody may ask
            found = await client.config_get("proto-max-bulk-len")
            self._largest = int(found.get("proto-max-bulk-len") or LARGEST)

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        answers: list[Exception | None] = [None] * len(messages)
        made: list[Made] = []
        for place, message in enumerate(messages):
            try:
                made.append(Made(place, *self._job(message)))
            except UsageError as error:
                answers[place] = error
        for lot in _runs(made):
            for one, why in zip(lot, await self._add(lot), strict=True):
                answers[one.place] = why
        return answers

    async def _add(self, lot: Sequence[Made]) -> list[Exception | None]:
        """Jobs of one queue: all of them, or one by one up to the first that is refused."""
        with told(self._settings):
            try:
                await self._queue(lot[0].queue).addBulk([one.job for one in lot])
            except faults.ResponseError as error:
                if len(lot) == 1:
                    return [trouble(self._settings, error)]
            else:
                return [None] * len(lot)
        answers: list[Exception | None] = []
        for one in lot:
            refused = bool(answers) and answers[-1] is not None
            answers += answers[-1:] if refused else await self._add([one])
        return answers

    def _queue(self, name: str) -> Any:
        if name not in self._queues:
            options = {"connection": self._client, "prefix": self._settings.prefix}
            self._queues[name] = Queue(name, options)
        return self._queues[name]

    def _job(self, message: Message) -> tuple[str, dict[str, Any]]:
        """Its queue, and what ``addBulk`` takes. Raises ``UsageError``."""
        queue = message.place or self._settings.queue or ""
        if not queue or ":" in queue:
            raise UsageError(f"no queue of BullMQ is called {queue!r}; it has no colon")
        data = _data(message.body)
        self._must_fit(message.body, data)
        type = data.get("type") if isinstance(data, dict) else None
        name = message.headers.get("name") or (type if isinstance(type, str) else None)
        return queue, {"name": name or UNNAMED, "data": data, "opts": self._options(message)}

    def _must_fit(self, body: bytes, data: Any) -> None:
        size = len(body)
        if size * 6 >= self._largest:  # what is not ASCII is written with up to six letters
            size = max(size, len(json.dumps(data)))
        if size >= self._largest:
            limit = f"{self._largest:,} (proto-max-bulk-len of Redis)"
            raise UsageError(f"the data of a job are {size:,} bytes, the limit is {limit}")

    def _options(self, message: Message) -> dict[str, Any]:
        settings, headers = self._settings, message.headers
        backoff = int(settings.backoff.total_seconds() * 1000)
        options: dict[str, Any] = {
            "attempts": settings.attempts,
            "backoff": {"type": "exponential", "delay": backoff},
            **(settings.options or {}),
        }
        for name, largest in NUMBERS.items():
            if (said := headers.get(name)) is not None:
                if not (said.isascii() and said.isdigit() and int(said[:17]) <= largest):
                    hint = f"a whole number up to {largest:,}"
                    raise UsageError(f"the header {name} is {hint}, not {said[:40]!r}")
                options[name] = int(said)
        if message.time is not None:
            options["timestamp"] = message.time
        if message.id:
            options["jobId"] = job_id(headers.get("source") or message.source, message.id)
        return options

    async def close(self) -> None:
        client, self._client = self._client, None
        self._queues.clear()
        if client is not None:
            await client.aclose()


def job_id(source: str, id: str) -> str:
    """``source/id``: of one event always the same, of two never.

    BullMQ refuses a colon and a bare number, and would take the name of one of its own keys for a
    job that is there. In an id ``/`` is written as ``%2F``, so that it can be read back.
    """
    return f"{_escaped(source)}/{_escaped(id).replace('/', '%2F')}"


def _escaped(text: str) -> str:
    return re.sub(r"[%:\x00-\x20\x7f]", lambda found: f"%{ord(found[0]):02X}", text)


def _runs(made: Sequence[Made]) -> Iterator[list[Made]]:
    """Neighbours of one queue."""
    return (list(lot) for _, lot in groupby(made, attrgetter("queue")))


def _data(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the data of a job are JSON: {error}") from None


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no number in JSON")
    return value
