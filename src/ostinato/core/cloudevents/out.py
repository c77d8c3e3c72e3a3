"""An event → the forms that others read."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from urllib.parse import quote

import msgspec

from ostinato.core.cloudevents.event import Event, rfc3339
from ostinato.core.cloudevents.forms import is_json

STRUCTURED = "application/cloudevents+json"

# The HTTP binding: printable ASCII stands for itself, but for space, quote and percent.
_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')


def event_value(event: Event) -> dict[str, Any]:
    """The event as patterns and expressions see it: with its extensions, of which ``bus`` is one
    where a bus has brought it."""
    value: dict[str, Any] = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": rfc3339(event.time),
        "data": msgspec.json.decode(event.data),
    }
    return value if event.extensions is None else value | event.extensions


def to_json(event: Event) -> dict[str, Any]:
    """Both sets of names: CloudEvents' and the task service's."""
    data = msgspec.json.decode(event.data)
    return {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": rfc3339(event.time),
        "data": data,
        "key": event.type,
        "payload": data,
        "description": event.description,
        "timestamp": event.time,
    }


def to_structured(event: Event) -> bytes:
    """A body of content type ``STRUCTURED``."""
    extensions = dict(event.extensions or {})
    if extensions.pop("datacontentencoding", "") == "base64":
        data: dict[str, Any] = {"data_base64": event.data}
    else:
        data = {"data": event.data}
    return msgspec.json.encode({"specversion": "1.0", **_attributes(event), **extensions, **data})


def to_binary(event: Event) -> tuple[dict[str, str], bytes]:
    """Headers (lower-case names) and body."""
    extensions = dict(event.extensions or {})
    encoding = extensions.pop("datacontentencoding", "")
    content_type = extensions.pop("datacontenttype", "application/json")
    attributes = {"specversion": "1.0", **_attributes(event), **extensions}
    headers = {f"ce-{name}": quote(value, safe=_SAFE) for name, value in attributes.items()}
    return {**headers, "content-type": content_type}, _body(event.data, content_type, encoding)


def _attributes(event: Event) -> dict[str, str]:
    attributes = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": rfc3339(event.time),
    }
    for name in ("subject", "description"):
        if (value := getattr(event, name)) is not None:
            attributes[name] = value
    return attributes


def _body(data: msgspec.Raw, content_type: str, encoding: str) -> bytes:
    if is_json(content_type):
        return bytes(data)
    value = msgspec.json.decode(data)
    if not isinstance(value, str):
        return bytes(data)
    return b64decode(value) if encoding == "base64" else value.encode()
