"""What tests of AWS's buses share: settings that point at a server here, and fresh places on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any
from uuid import uuid4

import boto3

from ostinato import App, Event
from ostinato.config import override_settings
from ostinato.config.buses import KINDS, AwsSettings
from ostinato.ports import EventQuery, LetterQuery, Page

REGION = "eu-central-1"
KEYS = {
    "region": REGION,
    "access_key_id": "test",
    "secret_access_key": "secret",
}
ACCOUNT = "123456789012"

_names = count()
_prefix = uuid4().hex[:8]


def fresh(what: str) -> str:
    """A name that nobody has had."""
    return f"{what}-{_prefix}-{next(_names)}"


def settings(kind: str, endpoint: str, /, **more: Any) -> AwsSettings:
    made = KINDS[kind](name=kind, kind=kind, endpoint=endpoint, **(KEYS | more))
    assert isinstance(made, AwsSettings)
    return made


def table(bus: str, endpoint: str, /, **more: Any) -> dict[str, Any]:
    """The same as rows for an app."""
    rows = {"kind": bus, "endpoint": endpoint} | KEYS | more
    return {f"bus.{bus}.{member}": value for member, value in rows.items()}


def app_with(*tables: dict[str, Any]) -> App:
    """On the store in memory."""
    app = App()
    rows: dict[str, Any] = {"store": "memory:"}
    for each in tables:
        rows |= each
    app.configure(override_settings(app.settings, rows, by="{name}"))
    return app


async def until(found: Callable[[], Awaitable[Any]], within: float = 30) -> Any:
    """What is found, once there is something."""
    async with asyncio.timeout(within):
        while not (value := await found()):
            await asyncio.sleep(0.01)
        return value


async def events(app: App, count: int = 1, within: float = 30) -> list[Event]:
    """In the order in which they were stored, once there are so many."""

    async def enough() -> list[Any] | None:
        stored = await app.events(EventQuery(), Page(1_000))
        return stored if len(stored) >= count else None

    return [one.event for one in reversed(await until(enough, within))]


async def letters(app: App, count: int = 1) -> list[Any]:
    async def enough() -> list[Any] | None:
        found = await app.dead_letters(LetterQuery(), Page())
        return list(found) if len(found) >= count else None

    return list(await until(enough))


def client(service: str, endpoint: str) -> Any:
    """Amazon's own, which blocks."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
    )


class Queues:
    """Of one server, made and looked into by Amazon's own client."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.sqs = client("sqs", endpoint)

    def make(self, *, fifo: bool = False, **attributes: str) -> str:
        """Its name."""
        name = fresh("queue") + (".fifo" if fifo else "")
        given = ({"FifoQueue": "true"} if fifo else {}) | attributes
        self.sqs.create_queue(QueueName=name, Attributes=given)
        return name

    def url(self, name: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def arn(self, name: str) -> str:
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def put(self, name: str, body: str, **more: Any) -> str:
        """The id of the message. ``more``: attributes, as text."""
        attributes = {
            each: {"DataType": "String", "StringValue": value} for each, value in more.items()
        }
        sent = self.sqs.send_message(
            QueueUrl=self.url(name), MessageBody=body, MessageAttributes=attributes
        )
        return str(sent["MessageId"])

    def all(self, name: str, number: int) -> list[dict[str, Any]]:
        """So many messages, deleted."""
        url = self.url(name)
        found: list[dict[str, Any]] = []
        for _ in range(number + 5):
            if len(found) >= number:
                break
            answer = self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"],
            )  # fmt: skip
            for one in answer.get("Messages", ()):
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
                found.append(one)
        return found

    def waiting(self, name: str) -> tuple[int, int]:
        """How many there are, and how many are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url(name), AttributeNames=names)
        seen, hidden = (int(answer["Attributes"][each]) for each in names)
        return seen, hidden
