"""Event buses of Amazon EventBridge: what goes out.

What their rules send comes in by a queue, or by ``POST /event-bridge/events/{eventType}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ostinato.bus.aws.batches import Entry, check_size, send_all, to_places
from ostinato.bus.aws.clients import Service
from ostinato.bus.aws.troubles import Denied
from ostinato.config.buses import EventBridgeSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, SettingsError, UsageError
from ostinato.ports.buses import Inlet, Outlet

READS = "body"
TYPE = "DetailType"
LONGEST_TYPE = 128
TIME = 14
"""Bytes that Amazon counts for it."""

NEVER = frozenset((
    "InvalidAccountIdException", "InvalidArgument", "MalformedDetail", "NotAuthorizedForDetailType",
    "NotAuthorizedForDetailTypeException", "NotAuthorizedForSource",
    "NotAuthorizedForSourceException", "RedactionFailure",
))  # fmt: skip
"""What is wrong with an entry itself; everything else passes."""


class EventBridgeOutlet:
    def __init__(self, settings: EventBridgeSettings) -> None:
        self._settings = settings
        self._service = Service(settings, "events")

    async def open(self) -> None:
        await self._service.open()
        bus = self._settings.bus
        with suppress(Denied):  # who may do no more than put events is told by that
            await self._service.ask("describe_event_bus", _missing(bus), Name=bus)

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        return await to_places(messages, self._settings.bus, self._send)

    async def _send(self, bus: str, messages: Sequence[Message]) -> list[Exception | None]:
        source = self._settings.source

        def entry(number: int, message: Message) -> Entry:
            return _entry(number, message, source, bus)

        async def batch(entries: Sequence[Entry]) -> dict[int, Exception]:
            asked = [one.body for one in entries]
            answer = await self._service.ask("put_events", _missing(bus), Entries=asked)
            return _failures(entries, answer)

        return await send_all(messages, entry, batch)

    async def close(self) -> None:
        await self._service.close()


def _entry(number: int, message: Message, source: str, bus: str) -> Entry:
    """Raises ``UsageError``."""
    type = message.headers.get(TYPE) or message.headers.get("EventType") or ""
    if not 0 < len(type) <= LONGEST_TYPE:
        raise UsageError(f"the type {type[:80]!r}; a DetailType has 1 to {LONGEST_TYPE} letters")
    try:
        detail = message.body.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"a Detail is JSON, and the body is no text: {error}") from None
    body: dict[str, Any] = {"Detail": detail, "DetailType": type, "Source": source}
    size = len(message.body) + len(type.encode()) + len(source.encode())
    if message.time is not None:
        body["Time"] = _instant(message.time)
        size += TIME
    check_size(size)
    return Entry(number, body | {"EventBusName": bus}, size)


def _instant(time: int) -> datetime:
    """Raises ``UsageError``: a message that somebody's own code has made may say anything."""
    try:
        return datetime.fromtimestamp(time / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"the time {time} is no ms since 1970") from None


def _failures(entries: Sequence[Entry], answer: Mapping[str, Any]) -> dict[int, Exception]:
    """The answer has as many entries, in their order."""
    if not answer.get("FailedEntryCount"):
        return {}
    pairs = zip(entries, answer["Entries"], strict=True)
    return {entry.number: _error(said) for entry, said in pairs if said.get("ErrorCode")}


def _error(said: Mapping[str, Any]) -> Exception:
    code, text = said["ErrorCode"], said.get("ErrorMessage", "")
    kind = UsageError if code in NEVER else BusError
    return kind(f"eventbridge: {code}: {text}")


def _missing(bus: str) -> str:
    name = bus.rpartition("/")[2]
    return f"there is no event bus {bus}: aws events create-event-bus --name {name}"


def inlets(settings: EventBridgeSettings) -> list[Inlet]:
    """None: rules send to queues, and to the door."""
    if settings.receive:
        raise SettingsError(
            f"bus.{settings.name}.receive: nobody can read an event bus; let a rule send to a "
            "queue of SQS, or to POST /event-bridge/events/{eventType}"
        )
    return []


def outlet(settings: EventBridgeSettings) -> Outlet:
    if settings.source.startswith("aws."):
        raise SettingsError(f"bus.{settings.name}.source: aws. is Amazon's own")
    return EventBridgeOutlet(settings)


def form(settings: EventBridgeSettings) -> str:
    return "entry"
