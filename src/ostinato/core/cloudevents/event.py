"""The event: CloudEvents 1.0 attributes, data as the JSON it came in, time in milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import msgspec

from ostinato.core.codec import encode_value
from ostinato.errors import Problem, TooLarge, UsageError

SHORTEST = '{"type": "ORDER_PLACED", "data": {}}'

MAX_TYPE = MAX_ID = 256
MAX_SOURCE = MAX_SUBJECT = 1024
# Below what any JSON reader or writer of ours can follow, wherever on the stack it is called.
MAX_DEPTH = 150

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799_999  # the last millisecond of the year 9999
_MILLISECOND = timedelta(milliseconds=1)


class MalformedBody(UsageError):
    """The body is not what its content type says: not JSON, mostly."""


class InvalidEvent(UsageError):
    """JSON, but a member does not fit; ``problems`` names each by its path."""


class NoEventType(InvalidEvent):
    """Nothing in the request says of which type the event is."""


class Limits(msgspec.Struct, frozen=True):
    """``event`` bytes in one event, ``batch`` events in one request."""

    event: int = 1_048_576
    batch: int = 10_000


class Event(msgspec.Struct, frozen=True, gc=False):
    id: str
    source: str
    type: str
    time: int
    subject: str | None
    data: msgspec.Raw
    extensions: dict[str, str] | None = None
    description: str | None = None

    @property
    def bus(self) -> str | None:
        """The bus that it came by, if one has brought it."""
        return None if self.extensions is None else self.extensions.get("bus")


ATTRIBUTES = frozenset({
    "id", "source", "type", "time", "subject", "data", "description", "specversion", "dataschema",
    "datacontenttype", "datacontentencoding", "bus",
})  # fmt: skip
"""What an event has anyway: nothing else of it is called so."""

_HEADER = re.compile("[a-z0-9]{1,20}")


def header_problem(name: str) -> str:
    """Why no more attribute of an event is called this; empty when one may be."""
    if name in ATTRIBUTES:
        return f"`{name}` is what an event has anyway"
    if not _HEADER.fullmatch(name):
        return "the name of a header has 1 to 20 small letters and digits"
    return ""


def refuse(member: str, message: str, hint: str = "") -> NoReturn:
    problem = Problem(message, member, hint=hint)
    raise InvalidEvent(f"event: {problem}", problems=(problem,))


def refuse_without_type(where: str = "") -> NoReturn:
    at = f"{where}: " if where else ""
    raise NoEventType(f"{at}the event has no type; the shortest valid body is {SHORTEST}")


def too_large(what: str, size: int, limit: int) -> TooLarge:
    return TooLarge.beyond(what, size, limit, "limits.event")


def too_many(count: int, limits: Limits) -> TooLarge:
    return TooLarge.beyond("one request", count, limits.batch, "limits.batch", "events")


def text(value: Any, member: str, longest: int) -> str:
    """Attributes travel in headers and in logs, so control characters are refused."""
    if not isinstance(value, str):
        refuse(member, "a text is needed")
    if not 0 < len(value) <= longest:
        refuse(member, f"1 to {longest} characters are needed, this has {len(value)}")
    if not value.isprintable():
        refuse(member, "holds a character that cannot be printed")
    return value


def milliseconds(value: Any, member: str = "time") -> int:
    """From RFC 3339 text, or from a number that is milliseconds already."""
    if isinstance(value, str):
        return _from_text(value, member)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse(member, "an RFC 3339 text or milliseconds since 1970 are needed")
    if not 0 <= value <= _LAST:
        refuse(member, "not milliseconds between the years 1970 and 9999")
    return int(value)


def _from_text(value: str, member: str) -> int:
    try:
        instant = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        instant = None
    if instant is None or instant.tzinfo is None:
        refuse(member, f"{value[:40]!r} is not an RFC 3339 time", 'as "2027-01-31T12:00:00Z"')
    return (instant - _EPOCH) // _MILLISECOND


def rfc3339(time: int) -> str:
    instant = _EPOCH + timedelta(milliseconds=time)
    return instant.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


_decode = msgspec.json.decode


def checked(data: msgspec.Raw | bytes, limit: int, member: str = "data") -> msgspec.Raw:
    """What is stored must be readable later, so all of it is read once now."""
    size = len(memoryview(data))
    if size > limit:
        raise too_large(f"event: {member}", size, limit)
    value = decoded(data, member)
    if isinstance(value, (dict, list)):
        _check_depth(value, member)
    return data if isinstance(data, msgspec.Raw) else msgspec.Raw(data)


def decoded(data: msgspec.Raw | bytes, member: str = "body") -> Any:
    try:
        return _decode(data)
    except RecursionError:
        raise MalformedBody(f"{member}: nested too deeply, at most {MAX_DEPTH}") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedBody(f"{member}: not JSON: {error}") from None


def sound(event: Event, limits: Limits) -> Event:
    """The same event, made by somebody's own code; its data may be any JSON value. Raises
    ``UsageError`` for what could not be stored, or read again."""
    data: Any = event.data
    if not isinstance(data, msgspec.Raw | bytes):
        data = encode_value(data)
    extensions: Any = event.extensions or {}
    if not isinstance(extensions, dict):
        refuse("extensions", "a map of texts is needed")
    for name, value in extensions.items():
        text(name, "extensions", MAX_ID)
        text(value, f"extensions.{name}", limits.event)
    if event.subject is not None:
        text(event.subject, "subject", MAX_SUBJECT)
    return Event(
        text(event.id, "id", MAX_ID), text(event.source, "source", MAX_SOURCE),
        text(event.type, "type", MAX_TYPE), milliseconds(event.time), event.subject,
        checked(data, limits.event), extensions or None, event.description,
    )  # fmt: skip


def _check_depth(value: Any, member: str) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            refuse(member, f"nested deeper than {MAX_DEPTH}")
        level = [child for one in level for child in _children(one) if type(child) in _NESTING]


_NESTING = (dict, list)


def _children(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value
