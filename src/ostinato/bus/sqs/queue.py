"""One queue, by its name or URL."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ostinato.bus.aws.clients import Service
from ostinato.bus.aws.troubles import Denied
from ostinato.bus.aws.written import FIFO
from ostinato.config.addresses import without_secrets
from ostinato.errors import UsageError

NAME = re.compile(r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?")


class Queue:
    def __init__(self, service: Service, given: str) -> None:
        self.service = service
        self.given = given
        self.name = name_of(given)
        self.url = given if given != self.name else ""

    @property
    def fifo(self) -> bool:
        return self.name.endswith(FIFO)

    async def find(self) -> None:
        """Raises ``BusError``: ``Absent`` when it is not there."""
        if not self.url:
            found = await self.service.ask("get_queue_url", self._missing(), QueueName=self.name)
            self.url = found["QueueUrl"]
            return
        with suppress(Denied):  # who may do no more than send or receive is told by that
            await self.ask("get_queue_attributes", AttributeNames=["QueueArn"])

    async def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Raises ``BusError``."""
        return await self.service.ask(operation, self._missing(), QueueUrl=self.url, **parameters)

    def _missing(self) -> str:
        fifo = " --attributes FifoQueue=true" if self.fifo else ""
        where = "" if self.given == self.name else f" at {without_secrets(self.given)}"
        make = f"aws sqs create-queue --queue-name {self.name}{fifo}"
        return f"there is no queue {self.name}{where} in this account and region: {make}"


def name_of(queue: str) -> str:
    """Raises ``UsageError`` for what is neither a name nor a URL."""
    name = urlsplit(queue).path.rpartition("/")[2] if "://" in queue else queue
    if NAME.fullmatch(name) is None:
        shown = without_secrets(queue)[:200]
        raise UsageError(f"{shown!r} is no queue; write its name, or its URL")
    return name
