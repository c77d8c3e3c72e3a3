"""Messages of buses ↔ events. A bus moves messages and knows no events; this knows no bus.

What says the type of an event, in this order: attributes of CloudEvents in the headers, a body of
CloudEvents, the header ``EventType``, what is plainly an envelope (of a notification service, of
EventBridge, of CloudEvents), and then what the bus is ``read`` by: see ``READINGS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from ostinato.core.cloudevents import forms, wire
from ostinato.core.cloudevents.event import (
    MAX_ID,
    MAX_SOURCE,
    Event,
    Limits,
    MalformedBody,
    refuse,
    text,
    too_large,
)
from ostinato.core.cloudevents.forms import EMPTY, Context, Members
from ostinato.core.cloudevents.out import STRUCTURED, to_binary, to_structured
from ostinato.core.cloudevents.records import from_records

BUS = "bus"
"""The attribute of an event that names the bus it came by. Nobody outside says it."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a bus carries.

    ``place`` is the topic or queue that it came by, or is to go to; empty: the one that is
    configured. ``headers`` are the bus's own (attributes of SQS and SNS), their names as they are.
    ``key``: messages of one key keep their order, where the bus has such. ``time`` is in ms since
    epoch. ``id`` is the bus's: a message that is delivered again has the same. What goes out has
    the id and ``source`` of its event: two sources may give one id.
    """

    place: str = ""
    body: bytes = b""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    key: str | None = None
    id: str = ""
    time: int | None = None
    source: str = ""


class Reader:
    """``read`` is how a message is read that does not say itself what it is."""

    def __init__(self, bus: str, read: str, new_id: Callable[[], str], limits: Limits) -> None:
        self.bus = bus
        self.reading = READINGS[read]
        self.new_id = new_id
        self.limits = limits

    def events(self, message: Message, now: int) -> list[Event]:
        """Mostly one. Raises ``UsageError`` for what is none."""
        size = len(message.body)
        if size > self.limits.event:
            raise too_large("the message", size, self.limits.event)
        name = (lambda: message.id) if message.id else self.new_id
        time = now if message.time is None else message.time
        context = Context(time, name, self.limits, source=self.bus)
        found = numbered(_read(message, context, self), message.id)
        return [arrived(event, self.bus) for event in found]


WRAPPED = "ostinato.message"
"""The type of an event that holds a message which could not be read as one."""


class _Wrapped(msgspec.Struct, omit_defaults=True):
    place: str
    headers: dict[str, str] = {}
    key: str | None = None
    body: str | None = None
    base64: bytes | None = None


def wrapped(message: Message, bus: str, id: str, now: int) -> Event:
    """All of it, as an event that can be kept."""
    headers = {_written(name): _written(value) for name, value in message.headers.items()}
    key = None if message.key is None else _written(message.key)
    held = _Wrapped(_written(message.place), headers, key)
    try:
        held.body = message.body.decode()
    except UnicodeDecodeError:
        held.base64 = message.body
    time = now if message.time is None else message.time
    data = msgspec.Raw(msgspec.json.encode(held))
    return Event(_written(message.id)[:MAX_ID] or id, bus, WRAPPED, time, None, data, {BUS: bus})


def _written(text: str) -> str:
    """What no encoding can write (half of a pair) is a question mark."""
    return text.encode(errors="replace").decode()


def unwrapped(event: Event) -> Message:
    """The message that ``wrapped`` has kept."""
    held = msgspec.json.decode(event.data, type=_Wrapped)
    body = held.base64 if held.body is None else held.body.encode()
    about = Message(place=held.place, headers=held.headers, key=held.key)
    return msgspec.structs.replace(about, body=body or b"", id=event.id, time=event.time)


def arrived(event: Event, bus: str) -> Event:
    return msgspec.structs.replace(event, extensions={**(event.extensions or {}), BUS: bus})


def numbered(events: Sequence[Event], id: str) -> list[Event]:
    """Several of one message that have no ids of their own, but all the message's."""
    if sum(event.id == id for event in events) < 2:
        return list(events)
    return [
        msgspec.structs.replace(event, id=f"{id}#{number}") if event.id == id else event
        for number, event in enumerate(events)
    ]


# -- in ----------------------------------------------------------------------------------------


def _read(message: Message, context: Context, reader: Reader) -> list[Event]:
    headers = {name.lower(): value for name, value in message.headers.items()}
    if (attributes := _attributes(headers)) is not None:
        return [wire.binary(attributes, message.body, context)]
    if "cloudevents" in headers.get("content-type", ""):
        return wire.from_body(message.body, context, headers["content-type"])
    members = _members(message.body)
    if type := headers.get("eventtype"):
        event = forms.routed(members or {}, type, _whole(message), context)
        return [_as_sent(event, headers)]
    if isinstance(members, dict):
        if (inner := _notification(members)) is not None:
            return _read(_unwrapped(message, inner), context, reader)
        if "Records" in members and forms.form_of(members) is None:
            return from_records(members["Records"], context)
        if "specversion" in members or ("detail-type" in members and "detail" in members):
            return [forms.read(members, context)]
    return [reader.reading(members, message, context)]


def _as_sent(event: Event, headers: Mapping[str, str]) -> Event:
    """Under the name that ``_attributed`` has written beside its type."""
    id, source = headers.get("eventid"), headers.get("eventsource")
    if not id or not source:
        return event
    named = {"id": text(id, "EventId", MAX_ID), "source": text(source, "EventSource", MAX_SOURCE)}
    return msgspec.structs.replace(event, **named)


_PREFIXES = ("ce-", "ce_")  # of HTTP, percent-encoded; of Kafka, as they are


def _attributes(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Those of CloudEvents in headers, named as in HTTP; None when it has no type among them."""
    if "ce-type" not in headers and "ce_type" not in headers:
        return None
    found = {
        f"ce-{name[3:]}": value if name[2] == "-" else quote(value)
        for name, value in headers.items()
        if name[:3] in _PREFIXES
    }
    return {**found, "content-type": headers.get("content-type", "")}


_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any = msgspec.json.Decoder().decode


def _members(body: bytes) -> Members | None:
    """None: JSON, but no object. An empty body is an empty object."""
    if not body.strip():
        return {}
    try:
        return _split(body)
    except msgspec.ValidationError:
        _json(body)
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"the message is not JSON: {error}") from None


def _json(body: bytes) -> Any:
    try:
        return _any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"the message is not JSON: {error}") from None


class _Notification(msgspec.Struct):
    """What SNS puts around a message that is not delivered raw."""

    Type: str
    Message: str
    MessageId: str
    MessageAttributes: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)


def _notification(members: Members) -> _Notification | None:
    if "TopicArn" not in members or "Message" not in members:
        return None
    try:
        found = msgspec.convert(
            {name: _any(raw) for name, raw in members.items() if name in _NAMES}, _Notification
        )
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None
    return found if found.Type == "Notification" else None


_NAMES = frozenset(_Notification.__struct_fields__)


def _unwrapped(message: Message, inner: _Notification) -> Message:
    """Its own id stays: the queue may deliver it again, the topic never does."""
    headers = {
        name: given["Value"] for name, given in inner.MessageAttributes.items() if "Value" in given
    }
    return msgspec.structs.replace(message, body=inner.Message.encode(), headers=headers)


Reading = Callable[[Members | None, Message, Context], Event]


def _by_place(members: Members | None, message: Message, context: Context) -> Event:
    """The topic is the type, the body is the data: what the task service reads from Kafka."""
    return forms.routed(members or {}, message.place, _whole(message), context)


def _by_body(members: Members | None, message: Message, context: Context) -> Event:
    """``{type, data}`` or ``{key, payload}``."""
    if members is None:
        refuse("", "the message is not a JSON object, and no header EventType says what it is")
    return forms.read(members, context)


def _by_job(members: Members | None, message: Message, context: Context) -> Event:
    """``{type, …payload}``, or the name of the job is the type and all of it the payload."""
    if members is None or "type" not in members:
        name = message.headers.get("name") or message.place
        return forms.routed(members or {}, name, _whole(message), context)
    if set(members) <= _SHORT:
        return forms.read(members, context)
    type = forms.required_type(members, "type", context)
    rest = {name: raw for name, raw in members.items() if name != "type"}
    data = msgspec.Raw(msgspec.json.encode(rest))
    return forms.build(context, {}, type, data)


_SHORT = frozenset(("type", "data", "id", "source", "subject", "time"))


def _whole(message: Message) -> msgspec.Raw:
    return msgspec.Raw(message.body) if message.body.strip() else EMPTY


READINGS: dict[str, Reading] = {"place": _by_place, "body": _by_body, "job": _by_job}


# -- out ---------------------------------------------------------------------------------------

Written = tuple[dict[str, str], bytes]


def _kafka(event: Event) -> Written:
    """Its binding has no percent-encoding."""
    headers, body = to_binary(event)
    content_type = headers.pop("content-type")
    plain = {f"ce_{name[3:]}": unquote(value) for name, value in headers.items()}
    return {**plain, "content-type": content_type}, body


def _structured(event: Event) -> Written:
    return {"content-type": STRUCTURED}, to_structured(event)


def _task(event: Event) -> Written:
    """In this order: receivers that sign or compare see the text."""
    members = {"key": event.type, "payload": event.data, "timestamp": event.time}
    return {}, msgspec.json.encode({**members, "source": event.source})


def _attributed(event: Event) -> Written:
    headers = {"EventType": event.type, "EventId": event.id, "EventSource": event.source}
    return headers, bytes(event.data)


def _data(event: Event) -> Written:
    return {}, bytes(event.data)


def _job(event: Event) -> Written:
    """A payload that is no object stands in ``data``. Its source is a header: ids are unique beside
    it only."""
    members = _object(event)
    type = msgspec.Raw(msgspec.json.encode(event.type))
    headers = {"name": event.type, "source": event.source}
    return headers, msgspec.json.encode({**members, "type": type})


def _entry(event: Event) -> Written:
    """EventBridge takes objects only."""
    return {"DetailType": event.type}, msgspec.json.encode(_object(event))


def _object(event: Event) -> dict[str, msgspec.Raw]:
    members = _members(bytes(event.data))
    return {"data": event.data} if members is None else dict(members)


WRITINGS: dict[str, Callable[[Event], Written]] = {
    "kafka": _kafka,
    "binary": to_binary,
    "structured": _structured,
    "task": _task,
    "bus": _attributed,
    "data": _data,
    "job": _job,
    "entry": _entry,
}
"""How an event is written, as headers and body."""


def to_message(event: Event, form: str, *, place: str = "", key: str | None = None) -> Message:
    headers, body = WRITINGS[form](event)
    named = Message(place=place, key=key, id=event.id, source=event.source, time=event.time)
    return msgspec.structs.replace(named, headers=headers, body=body)
