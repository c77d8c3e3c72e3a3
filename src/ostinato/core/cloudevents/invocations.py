"""What AWS hands to a function, as messages of the bus that they come from.

Shapes are those of the Lambda developer guide: event source mappings of SQS and Kafka,
notifications of SNS, targets of EventBridge rules.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ostinato.core.cloudevents.event import MalformedBody, milliseconds, refuse
from ostinato.core.cloudevents.messages import Message

TICK = "Scheduled Event"
"""What EventBridge calls an event of a rule that has a schedule and no pattern."""


class Invocation(msgspec.Struct, frozen=True):
    """``kind`` of bus; empty: somebody else's, so all of it is a body like any other."""

    kind: str = ""
    messages: tuple[Message, ...] = ()


def read_invocation(given: Any) -> Invocation:
    """Raises ``UsageError`` for what looks like a source's and is none."""
    if not isinstance(given, Mapping):
        return Invocation()
    source = _source(given)
    if source not in _SOURCES:
        if source.startswith("aws:"):
            known = ", ".join(_SOURCES)
            refuse("eventSource", f"nothing here takes what {source} hands over; it takes {known}")
        return Invocation()
    kind, read = _SOURCES[source]
    try:
        return Invocation(kind, tuple(read(given)))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise MalformedBody(f"a record of {source} is not as AWS writes it: {why}") from None


def is_tick(given: Any) -> bool:
    """Whether a schedule asks that what is due be done."""
    return isinstance(given, Mapping) and given.get("detail-type") == TICK


def is_request(given: Any) -> bool:
    """Whether it is an HTTP request: of an API Gateway, a function URL or a load balancer."""
    about = given.get("requestContext") if isinstance(given, Mapping) else None
    if not isinstance(about, Mapping):
        return False
    return "httpMethod" in given or isinstance(about.get("http"), Mapping)


def _source(given: Mapping[str, Any]) -> str:
    if "detail-type" in given and "detail" in given:
        return "aws:events"
    records = given.get("Records")
    if isinstance(records, list) and records and isinstance(records[0], Mapping):
        return str(records[0].get("eventSource") or records[0].get("EventSource"))
    return str(given.get("eventSource")) if isinstance(given.get("records"), Mapping) else ""


def _of_sqs(given: Mapping[str, Any]) -> list[Message]:
    return [_from_queue(one) for one in given["Records"]]


def _from_queue(one: Mapping[str, Any]) -> Message:
    system = one.get("attributes") or {}
    return Message(
        place=_last(one["eventSourceARN"]),
        body=one["body"].encode(errors="surrogatepass"),
        headers={name: _text(each) for name, each in (one.get("messageAttributes") or {}).items()},
        key=system.get("MessageGroupId"),
        id=one["messageId"],
        time=int(system["SentTimestamp"]) if "SentTimestamp" in system else None,
    )


def _text(attribute: Mapping[str, Any]) -> str:
    """Bytes are in base64 already."""
    return str(attribute.get("stringValue") or attribute.get("binaryValue") or "")


def _of_sns(given: Mapping[str, Any]) -> list[Message]:
    return [_notified(one["Sns"]) for one in given["Records"]]


def _notified(sns: Mapping[str, Any]) -> Message:
    attributes = sns.get("MessageAttributes") or {}
    return Message(
        place=_last(sns["TopicArn"]),
        body=sns["Message"].encode(errors="surrogatepass"),
        headers={name: str(each["Value"]) for name, each in attributes.items()},
        id=sns["MessageId"],
        time=milliseconds(sns["Timestamp"], "Timestamp"),
    )


def _of_kafka(given: Mapping[str, Any]) -> list[Message]:
    """Two clusters have topics of one name: theirs is part of the ids."""
    cluster = given.get("eventSourceArn") or given.get("bootstrapServers") or ""
    records = given["records"].values()
    return [_record(one, f"{cluster}".rpartition("/")[2]) for several in records for one in several]


def _record(one: Mapping[str, Any], cluster: str) -> Message:
    """What it lacks, or has and nobody can read, is left out: the reader says what that means."""
    topic, key = one["topic"], one.get("key")
    names = [(name, value) for each in one.get("headers") or () for name, value in each.items()]
    return Message(
        place=topic,
        body=_bytes(one.get("value")),
        headers={name: _signed(value).decode(errors="replace") for name, value in names},
        key=None if key is None else _bytes(key).decode(errors="replace"),
        id=f"{cluster}/{topic}/{one['partition']}/{one['offset']}",
        time=one.get("timestamp"),
    )


def _bytes(written: str | None) -> bytes:
    """What is no base64 stays as it is, for the letter that it becomes."""
    try:
        return b64decode(written or "", validate=True)
    except ValueError:
        return f"{written}".encode(errors="surrogatepass")


def _signed(value: Any) -> bytes:
    """Headers are lists of their bytes, signed ones (-128 to 127), or null."""
    return bytes(number & 0xFF for number in value or ())


def _of_a_rule(given: Mapping[str, Any]) -> list[Message]:
    """Half of a pair of surrogates, which no encoding can write, is a question mark."""
    body = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    return [Message(body=body.encode(errors="replace"), id=given["id"])]


def _last(arn: str) -> str:
    if not arn.startswith("arn:"):
        refuse("eventSourceARN", f"{arn[:100]!r} is no ARN")
    return arn.rpartition(":")[2]


_SOURCES: dict[str, tuple[str, Callable[[Mapping[str, Any]], list[Message]]]] = {
    "aws:sqs": ("sqs", _of_sqs),
    "aws:sns": ("sns", _of_sns),
    "aws:kafka": ("kafka", _of_kafka),
    "SelfManagedKafka": ("kafka", _of_kafka),
    "aws:events": ("eventbridge", _of_a_rule),
}
"""Who says it is the source → the kind of its bus, and how its messages are read."""
