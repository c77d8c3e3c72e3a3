"""What is published on topics, in batches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from ostinato.bus.aws.batches import Entry, failures, send_all, to_places
from ostinato.bus.aws.clients import Service
from ostinato.bus.aws.troubles import Denied
from ostinato.bus.aws.written import FIFO, entry_of
from ostinato.config.buses import SnsSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import UsageError

ARN = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:(?P<name>[\w-]+(\.fifo)?)")


class SnsOutlet:
    def __init__(self, settings: SnsSettings, topic: str) -> None:
        self._topic = topic
        self._service = Service(settings, "sns")
        self._known: set[str] = set()

    async def open(self) -> None:
        await self._service.open()
        await self._find(self._topic)

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        return await to_places(messages, self._topic, self._send)

    async def _send(self, topic: str, messages: Sequence[Message]) -> list[Exception | None]:
        if topic not in self._known:
            await self._find(topic)

        def entry(number: int, message: Message) -> Entry:
            return entry_of(number, message, "Message", fifo=topic.endswith(FIFO))

        async def batch(entries: Sequence[Entry]) -> dict[int, Exception]:
            asked = [one.body for one in entries]
            answer = await self._service.ask(
                "publish_batch", _missing(topic), TopicArn=topic, PublishBatchRequestEntries=asked
            )
            return failures("sns", answer)

        return await send_all(messages, entry, batch)

    async def _find(self, topic: str) -> None:
        check_arn(topic)
        with suppress(Denied):  # who may do no more than publish is told by that
            await self._service.ask("get_topic_attributes", _missing(topic), TopicArn=topic)
        self._known.add(topic)

    async def close(self) -> None:
        self._known.clear()
        await self._service.close()


def check_arn(topic: str) -> re.Match[str]:
    """Raises ``UsageError``."""
    found = ARN.fullmatch(topic)
    if found is None:
        form = "arn:aws:sns:REGION:ACCOUNT:NAME"
        raise UsageError(f"{topic[:200]!r} is no topic; write its ARN, {form}")
    return found


def _missing(topic: str) -> str:
    name = topic.rpartition(":")[2]
    fifo = " --attributes FifoTopic=true" if name.endswith(FIFO) else ""
    return f"there is no topic {topic}: aws sns create-topic --name {name}{fifo}"
