"""``{"Records": […]}``: what queues and notification services hand to a function.

A record carries the event as JSON text inside a message; where the message has an attribute
``EventType``, that is the type and the text is data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ostinato.core.cloudevents import forms
from ostinato.core.cloudevents.event import (
    MAX_ID,
    Event,
    MalformedBody,
    decoded,
    refuse,
    text,
    too_large,
    too_many,
)
from ostinato.core.cloudevents.forms import Context

_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def from_records(raw: msgspec.Raw, context: Context) -> list[Event]:
    records = decoded(raw, context.at("Records"))
    if not isinstance(records, list):
        refuse(context.at("Records"), "an array is needed")
    if len(records) > context.limits.batch:
        raise too_many(len(records), context.limits)
    return [_event(record, context, index) for index, record in enumerate(records)]


def _event(record: Any, context: Context, index: int) -> Event:
    here = msgspec.structs.replace(context, where=context.at(f"Records[{index}]"))
    if not isinstance(record, dict):
        refuse(here.where, "a record is an object")
    message, written = next(_messages(record), (None, None))
    if message is None or written is None:
        refuse(here.where, "a record has Sns.Message, Sqs.Message or body, each a JSON text")
    return _from_text(written, message, here)


def _messages(record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for holder, member in (("Sns", "Message"), ("Sqs", "Message"), (None, "body")):
        message = record.get(holder) if holder else record
        if isinstance(message, dict) and isinstance(message.get(member), str):
            yield message, message[member]


def _from_text(written: str, message: dict[str, Any], context: Context) -> Event:
    body = written.encode()
    if len(body) > context.limits.event:
        raise too_large(context.where, len(body), context.limits.event)
    members = _members(body, context)
    named = _event_type(message)
    here = msgspec.structs.replace(context, new_id=_namer(message, context))
    if named is not None:
        return forms.routed(members or {}, named, msgspec.Raw(body), here)
    if members is None:
        refuse(context.where, "the message is not a JSON object")
    return forms.read(members, here)


def _members(body: bytes, context: Context) -> dict[str, msgspec.Raw] | None:
    """None: JSON, but no object."""
    try:
        return _split(body)
    except msgspec.ValidationError:
        decoded(body, context.where)
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"{context.where}: the message is not JSON: {error}") from None


def _event_type(message: dict[str, Any]) -> str | None:
    """SQS and SNS spell the same attribute in their own ways."""
    for attributes in ("messageAttributes", "MessageAttributes"):
        attribute = message.get(attributes)
        found = attribute.get("EventType") if isinstance(attribute, dict) else None
        for value in ("stringValue", "StringValue", "Value"):
            if isinstance(found, dict) and isinstance(found.get(value), str):
                return str(found[value])
    return None


def _namer(message: dict[str, Any], context: Context) -> Callable[[], str]:
    """An event without an id of its own has its message's: a queue may deliver that twice."""
    for name in ("messageId", "MessageId"):
        if message.get(name):
            found = text(message[name], context.at(name), MAX_ID)
            return lambda: found
    return context.new_id
