"""A request → its events, whatever form they come in. No I/O, no clock: the caller brings both.

The usual body, ``{"type": …, "data": …}`` or an array of such, is read in one step by a typed
decoder; everything else fails that decoder and is taken apart member by member.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from ostinato.core.cloudevents import forms
from ostinato.core.cloudevents.event import (
    MAX_ID,
    MAX_SOURCE,
    MAX_SUBJECT,
    MAX_TYPE,
    SHORTEST,
    Event,
    Limits,
    MalformedBody,
    checked,
    milliseconds,
    refuse,
    refuse_without_type,
    text,
    too_large,
    too_many,
)
from ostinato.core.cloudevents.forms import DEFAULT_SOURCE, EMPTY, Context, Members
from ostinato.core.cloudevents.records import from_records
from ostinato.errors import OstinatoError


class _Short(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: str
    data: msgspec.Raw = EMPTY
    id: str | None = None
    source: str | None = None
    subject: str | None = None
    time: str | int | float | None = None


_short = msgspec.json.Decoder(_Short | list[_Short]).decode
_split = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw]).decode
_BINARY = frozenset(("ce-specversion", "ce-type", "ce-id", "ce-source"))
DEFAULT_LIMITS = Limits()


def from_http(
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: int,
    new_id: Callable[[], str],
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[list[Event], bool]:
    """``POST /events``. The names of headers are lower case; True: answer with an array."""
    if not _BINARY.isdisjoint(headers):
        return [binary(headers, body, Context(now, new_id, limits))], False
    content_type = headers.get("content-type", "")
    if "cloudevents" in content_type:
        return _taken_apart(body, Context(now, new_id, limits), content_type)
    try:
        plain = _short(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _taken_apart(body, Context(now, new_id, limits), content_type)
    if isinstance(plain, _Short):
        return [_from_short(plain, now, new_id, limits)], False
    return _from_shorts(plain, body, Context(now, new_id, limits)), True


def from_path(
    event_type: str,
    body: bytes,
    *,
    now: int,
    new_id: Callable[[], str],
    limits: Limits = DEFAULT_LIMITS,
) -> Event:
    """``POST /events/{eventType}`` and ARC's twin of it: the path names the type."""
    context = Context(now, new_id, limits)
    if not body.strip():
        return forms.routed({}, event_type, EMPTY, context)
    members = _parts(body, limits)
    if isinstance(members, list):
        refuse("", "the body must be a JSON object, this is an array")
    return forms.routed(members, event_type, msgspec.Raw(body), context)


def _from_short(plain: _Short, now: int, new_id: Callable[[], str], limits: Limits) -> Event:
    return Event(
        text(plain.id, "id", MAX_ID) if plain.id else new_id(),
        text(plain.source, "source", MAX_SOURCE) if plain.source else DEFAULT_SOURCE,
        text(plain.type, "type", MAX_TYPE) if plain.type else refuse_without_type(),
        now if plain.time is None else milliseconds(plain.time),
        text(plain.subject, "subject", MAX_SUBJECT) if plain.subject else None,
        checked(plain.data, limits.event),
    )


def _from_shorts(shorts: list[_Short], body: bytes, context: Context) -> list[Event]:
    """What is wrong with one of them is told with its place, which only the long way knows."""
    now, new_id, limits = context.now, context.new_id, context.limits
    if len(shorts) <= limits.batch:
        with contextlib.suppress(OstinatoError):
            return [_from_short(short, now, new_id, limits) for short in shorts]
    return _taken_apart(body, context, "")[0]


# -- everything but the short form -------------------------------------------------------------


def _taken_apart(body: bytes, context: Context, content_type: str) -> tuple[list[Event], bool]:
    parts = _parts(body, context.limits)
    if isinstance(parts, list):
        return _batch(parts, context), True
    if "cloudevents-batch" in content_type:
        refuse("", "a batch of CloudEvents is a JSON array, this is an object")
    if "cloudevents" in content_type:
        return [forms.cloudevent(parts, context)], False
    return _events(parts, context), _is_records(parts)


def from_body(body: bytes, context: Context, content_type: str) -> list[Event]:
    """A body of CloudEvents, one or a batch."""
    return _taken_apart(body, context, content_type)[0]


def _events(members: Members, context: Context) -> list[Event]:
    if _is_records(members):
        return from_records(members["Records"], context)
    return [forms.read(members, context)]


def _is_records(members: Members) -> bool:
    return "Records" in members and forms.form_of(members) is None


def _batch(parts: list[msgspec.Raw], context: Context) -> list[Event]:
    if len(parts) > context.limits.batch:
        raise too_many(len(parts), context.limits)
    events: list[Event] = []
    for index, raw in enumerate(parts):
        here = msgspec.structs.replace(context, where=f"[{index}]")
        members = _parts(raw, context.limits)
        if isinstance(members, list):
            refuse(here.where, "an event is a JSON object, this is an array")
        events += _events(members, here)
    return events


def _parts(body: bytes | msgspec.Raw, limits: Limits) -> dict[str, msgspec.Raw] | list[msgspec.Raw]:
    """An object is one event and bound as one; the bound of an array is that of its elements."""
    try:
        parts: dict[str, msgspec.Raw] | list[msgspec.Raw] = _split(body)
    except msgspec.ValidationError:
        refuse("", f"an event is a JSON object; the shortest valid body is {SHORTEST}")
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"the body is not JSON: {error}; a valid one: {SHORTEST}") from None
    size = len(memoryview(body))
    if isinstance(parts, dict) and size > limits.event and not _is_records(parts):
        raise too_large("the event", size, limits.event)
    return parts


# -- CloudEvents in headers --------------------------------------------------------------------


def binary(headers: Mapping[str, str], body: bytes, context: Context) -> Event:
    """``headers`` have lower-case names, those of attributes begin with ``ce-``."""
    content_type = headers.get("content-type", "")
    data, extensions = forms.from_bytes(body, content_type, context)
    members = {name: _header(value, name) for name, value in _attributes(headers)}
    return _with(forms.cloudevent({**members, "data": data}, context), extensions)


def _attributes(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(k[3:], v) for k, v in headers.items() if k.startswith("ce-") and k != "ce-data"]


def _header(value: str, name: str) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(unquote(value, errors="strict")))
    except UnicodeError:
        refuse(f"ce-{name}", "not percent-encoded UTF-8")


def _with(event: Event, extensions: dict[str, str]) -> Event:
    if not extensions:
        return event
    merged: dict[str, Any] = {**(event.extensions or {}), **extensions}
    return msgspec.structs.replace(event, extensions=merged)


__all__ = ["DEFAULT_LIMITS", "Members", "binary", "from_body", "from_http", "from_path"]
