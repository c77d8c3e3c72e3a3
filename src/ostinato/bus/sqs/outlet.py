"""What goes out to queues, in batches."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato.bus.aws.batches import Entry, failures, send_all, to_places
from ostinato.bus.aws.clients import Service
from ostinato.bus.aws.written import entry_of
from ostinato.bus.sqs.queue import Queue
from ostinato.config.buses import SqsSettings
from ostinato.core.cloudevents import Message


class SqsOutlet:
    def __init__(self, settings: SqsSettings, queue: str) -> None:
        self._given = queue
        self._service = Service(settings, "sqs")
        self._queues: dict[str, Queue] = {}

    async def open(self) -> None:
        await self._service.open()
        await self._found(self._given)

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        return await to_places(messages, self._given, self._send)

    async def _send(self, place: str, messages: Sequence[Message]) -> list[Exception | None]:
        queue = await self._found(place)

        def entry(number: int, message: Message) -> Entry:
            return entry_of(number, message, "MessageBody", fifo=queue.fifo)

        async def batch(entries: Sequence[Entry]) -> dict[int, Exception]:
            answer = await queue.ask("send_message_batch", Entries=[one.body for one in entries])
            return failures("sqs", answer)

        return await send_all(messages, entry, batch)

    async def _found(self, place: str) -> Queue:
        queue = self._queues.get(place)
        if queue is None:
            queue = Queue(self._service, place)
            await queue.find()
            self._queues[place] = queue
        return queue

    async def close(self) -> None:
        self._queues.clear()
        await self._service.close()
