"""One queue, read by long polls."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from ostinato.bus.aws.clients import Service
from ostinato.bus.sqs.hand import BATCH, Hand
from ostinato.bus.sqs.queue import Queue
from ostinato.config.buses import SqsSettings
from ostinato.core.cloudevents import Message
from ostinato.ports.buses import Received

AT_ONCE = 10
"""Polls."""

_COUNT = "ApproximateReceiveCount"
_SENT = "SentTimestamp"
_GROUP = "MessageGroupId"


class SqsInlet:
    def __init__(self, settings: SqsSettings, queue: str) -> None:
        self._wait = int(settings.wait.total_seconds())
        self._visible = int(settings.visibility.total_seconds())
        self._service = Service(settings, "sqs", self._wait)
        self._queue = Queue(self._service, queue)
        self._hand = Hand(self._queue, self._visible)
        self.name = self._queue.name

    async def open(self) -> None:
        await self._service.open()
        await self._queue.find()

    async def fetch(self, most: int) -> Sequence[Received]:
        """A long poll; as long as there is more, short ones, several at once."""
        found = await self._poll(min(most, BATCH), self._wait)
        full = len(found) == BATCH
        while full and len(found) < most:
            left = most - len(found)
            sizes = [min(BATCH, left - n) for n in range(0, left, BATCH)][:AT_ONCE]
            lots = await self._polls(sizes)
            full = [len(lot) for lot in lots] == sizes
            found += [one for lot in lots for one in lot]
        return found

    async def _polls(self, sizes: Sequence[int]) -> list[list[Received]]:
        polls = (self._poll(size, 0) for size in sizes)
        lots: list[list[Received]] = []
        for lot in await asyncio.gather(*polls, return_exceptions=True):
            if isinstance(lot, BaseException):
                raise lot
            lots.append(lot)
        return lots

    async def _poll(self, most: int, wait: int) -> list[Received]:
        """In hand, also when whoever has asked is gone meanwhile."""
        answer = await self._queue.ask(
            "receive_message",
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait,
            VisibilityTimeout=self._visible,
            MessageSystemAttributeNames=[_COUNT, _SENT, _GROUP],
            MessageAttributeNames=["All"],
        )
        found = [self._received(one) for one in answer.get("Messages", ())]
        self._hand.take(found)
        return found

    def _received(self, one: Mapping[str, Any]) -> Received:
        system = one.get("Attributes", {})
        message = Message(
            place=self.name,
            body=one.get("Body", "").encode(),
            headers=_headers(one.get("MessageAttributes", {})),
            key=system.get(_GROUP),
            id=one["MessageId"],
            time=int(system[_SENT]) if _SENT in system else None,
        )
        return Received(message, one["ReceiptHandle"], int(system.get(_COUNT, 1)))

    async def done(self, received: Sequence[Received]) -> None:
        await self._hand.done(received)

    async def again(self, received: Sequence[Received]) -> None:
        await self._hand.again(received)

    async def close(self) -> None:
        await self._hand.close()
        await self._service.close()


def _headers(given: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Numbers as they are written, bytes in base64."""
    return {name: _text(attribute) for name, attribute in given.items()}


def _text(attribute: Mapping[str, Any]) -> str:
    if "BinaryValue" in attribute:
        return b64encode(attribute["BinaryValue"]).decode()
    return str(attribute.get("StringValue", ""))
