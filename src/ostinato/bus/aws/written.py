"""A message as SQS and SNS take it: text, attributes, a group and a token."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import uuid4

from ostinato.bus.aws.batches import Entry, check_size
from ostinato.core.cloudevents import Message
from ostinato.errors import UsageError

FIFO = ".fifo"
ATTRIBUTES = 10
"""That a message has at most."""

_NAME = re.compile(r"(?!\.)(?!AWS\.|Amazon\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.IGNORECASE)
_TOKEN = re.compile(r"[!-~]{1,128}")


def entry_of(number: int, message: Message, body: str, *, fifo: bool) -> Entry:
    """``body`` is the name of the body's member. Raises ``UsageError`` for what AWS never takes."""
    text, attributes = _text(message), _attributes(message.headers)
    size = len(message.body) + sum(
        len(name.encode()) + len("String") + len(given["StringValue"].encode())
        for name, given in attributes.items()
    )
    check_size(size)
    made: dict[str, Any] = {"Id": f"msg-{number}", body: text}
    if attributes:
        made["MessageAttributes"] = attributes
    if not fifo:
        return Entry(number, made, size)
    group = _token(message.key or message.headers.get("EventType") or "ostinato")
    made["MessageGroupId"] = group
    made["MessageDeduplicationId"] = _once(message)
    return Entry(number, made, size, group)


def _once(message: Message) -> str:
    """Of one event always the same, of two never: what has been here under it is dropped."""
    if not message.id:
        return uuid4().hex
    return sha256(json.dumps([message.source, message.id]).encode()).hexdigest()


def _text(message: Message) -> str:
    try:
        text = message.body.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"AWS takes texts only, and the body is none: {error}") from None
    if not text:
        raise UsageError("AWS takes no empty message")
    return text


def _attributes(headers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Empty ones are left out: AWS takes none."""
    given = {name: value for name, value in headers.items() if value}
    if len(given) > ATTRIBUTES:
        raise UsageError(f"{len(given)} headers; AWS takes {ATTRIBUTES} attributes")
    for name in given:
        if _NAME.fullmatch(name) is None or ".." in name:
            raise UsageError(f"the header {name[:80]!r} is no name of an attribute: A-Za-z0-9_.-")
    return {name: {"DataType": "String", "StringValue": value} for name, value in given.items()}


def _token(text: str) -> str:
    """As it is, if AWS takes it; else a digest of it, which is always the same."""
    return text if _TOKEN.fullmatch(text) else sha256(text.encode()).hexdigest()
