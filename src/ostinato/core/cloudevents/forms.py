"""Each form of an event as members of a JSON object, and how it is read. Order matters: see FORMS.

A member that a form does not know is kept as an extension, its name made one that CloudEvents
allows.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ostinato.core.cloudevents.event import (
    MAX_ID,
    MAX_SOURCE,
    MAX_SUBJECT,
    MAX_TYPE,
    Event,
    Limits,
    checked,
    decoded,
    milliseconds,
    refuse,
    refuse_without_type,
    text,
)

Members = Mapping[str, msgspec.Raw]

DEFAULT_SOURCE = "ostinato/http"
CONTROL_PLANE = "CONTROL-PLANE"  # what ARC's services name themselves when they say nothing

EMPTY = msgspec.Raw(b"{}")
NULL = msgspec.Raw(b"null")
_NOT_GIVEN = (b"null", b"")

_ATTRIBUTES = frozenset(
    ("id", "source", "type", "time", "subject", "data", "specversion", "description",
     "database64", "bus")
)  # fmt: skip


class Context(msgspec.Struct, frozen=True):
    """What a reader needs besides the body; ``where`` is the event's place in a batch, ``source``
    whose it is where it does not say so, empty: as its form has it."""

    now: int
    new_id: Callable[[], str]
    limits: Limits
    where: str = ""
    source: str = ""

    def at(self, member: str) -> str:
        return f"{self.where}.{member}" if self.where else member


def build(
    context: Context,
    members: Members,
    type_: str,
    data: msgspec.Raw,
    *,
    source: str = DEFAULT_SOURCE,
    time: str = "time",
    known: frozenset[str] = frozenset(),
    extensions: dict[str, str] | None = None,
) -> Event:
    """The attributes that all forms share, under the names most of them use."""
    at = context.at
    return Event(
        optional(members, "id", context, MAX_ID) or context.new_id(),
        optional(members, "source", context, MAX_SOURCE) or context.source or source,
        text(type_, at("type"), MAX_TYPE),
        _time(members, time, context),
        optional(members, "subject", context, MAX_SUBJECT),
        checked(data, context.limits.event, at("data")),
        (_extras(members, known | {time}) | (extensions or {})) or None,
        optional(members, "description", context, context.limits.event),
    )


def optional(members: Members, name: str, context: Context, longest: int) -> str | None:
    """Null and an empty text are what many senders write for "I have none"."""
    value = _member(members, name, context)
    return None if value is None or value == "" else text(value, context.at(name), longest)


def required_type(members: Members, name: str, context: Context) -> str:
    value = _member(members, name, context)
    if value is None or value == "":
        refuse_without_type(context.where)
    return text(value, context.at(name), MAX_TYPE)


def _member(members: Members, name: str, context: Context) -> Any:
    raw = members.get(name)
    return None if raw is None else decoded(raw, context.at(name))


def _time(members: Members, name: str, context: Context) -> int:
    value = _member(members, name, context)
    return context.now if value is None else milliseconds(value, context.at(name))


def _extras(members: Members, known: frozenset[str]) -> dict[str, str]:
    extras: dict[str, str] = {}
    for name, raw in members.items():
        if name in known or name in _ATTRIBUTES:
            continue
        extension = re.sub("[^a-z0-9]", "", name.lower())
        if extension and extension not in _ATTRIBUTES and bytes(raw) not in _NOT_GIVEN:
            extras[extension] = _as_text(raw)
    return extras


def _as_text(raw: msgspec.Raw) -> str:
    value = decoded(raw, "extension")
    return value if isinstance(value, str) else bytes(raw).decode()


# -- the forms ---------------------------------------------------------------------------------


def cloudevent(members: Members, context: Context) -> Event:
    version = _member(members, "specversion", context)
    if version is not None and not (isinstance(version, str) and version.startswith("1.")):
        refuse(context.at("specversion"), "only CloudEvents 1.0 is understood")
    data, extensions = _data(members, context)
    name = required_type(members, "type", context)
    known = frozenset(("data_base64", "datacontentencoding"))
    return build(context, members, name, data, known=known, extensions=extensions)


def _data(members: Members, context: Context) -> tuple[msgspec.Raw, dict[str, str]]:
    encoded = _member(members, "data_base64", context)
    if encoded is None:
        return members.get("data", NULL), {}
    content_type = _member(members, "datacontenttype", context) or "application/octet-stream"
    try:
        return from_bytes(b64decode(encoded, validate=True), str(content_type), context)
    except (ValueError, TypeError):
        refuse(context.at("data_base64"), "not base64")


def from_bytes(
    body: bytes, content_type: str, context: Context
) -> tuple[msgspec.Raw, dict[str, str]]:
    """Data that is not JSON is kept as a JSON text, and how it was written is kept beside it."""
    plain = content_type.partition(";")[0].strip().lower() in ("", "application/json")
    extensions = {} if plain else {"datacontenttype": content_type}
    if is_json(content_type):
        return (msgspec.Raw(body) if body.strip() else NULL), extensions
    try:
        return msgspec.Raw(msgspec.json.encode(body.decode())), extensions
    except UnicodeDecodeError:
        extensions["datacontentencoding"] = "base64"
        return msgspec.Raw(msgspec.json.encode(body)), extensions


def is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return not kind or kind in ("application/json", "text/json") or kind.endswith("+json")


def eventbridge(members: Members, context: Context) -> Event:
    name = required_type(members, "detail-type", context)
    return build(context, members, name, members["detail"], source=CONTROL_PLANE, known=_ENVELOPE)


_ENVELOPE = frozenset(("detail-type", "detail"))


def task(members: Members, context: Context) -> Event:
    """``source`` and ``description`` inside the payload come first, as task services have them."""
    key = required_type(members, "key", context)
    payload = decoded(members["payload"], context.at("payload"))
    inside = payload if isinstance(payload, dict) else {}
    said = {name: inside[name] for name in ("source",) if _is_said(inside.get(name))}
    if "description" not in members:
        described = inside.get("description")
        said["description"] = described if _is_said(described) else f"Event {key}"
    merged = {**members, **{name: msgspec.Raw(msgspec.json.encode(v)) for name, v in said.items()}}
    return build(context, merged, key, members["payload"], time="timestamp", known=_TASK)


def _is_said(value: Any) -> bool:
    return isinstance(value, str) and value != ""


_TASK = frozenset(("key", "payload"))


def short(members: Members, context: Context) -> Event:
    name = required_type(members, "type", context)
    return build(context, members, name, members.get("data", EMPTY))


def routed(members: Members, event_type: str, whole: msgspec.Raw, context: Context) -> Event:
    """A body whose type came by another way: the path, or an attribute of the message around it.

    Only what is plainly an envelope is unwrapped; everything else is data as it stands.
    """
    if "specversion" in members:
        data, extensions = _data(members, context)
        known = frozenset(("data_base64", "datacontentencoding"))
        return build(context, members, event_type, data, known=known, extensions=extensions)
    source = CONTROL_PLANE
    if "detail-type" in members and "detail" in members:
        data = members["detail"]
        return build(context, members, event_type, data, source=source, known=_ENVELOPE)
    if "data" in members and _named(members.get("type"), event_type):
        return build(context, members, event_type, members["data"], source=source)
    return build(context, {}, event_type, whole, source=source)


def _named(raw: msgspec.Raw | None, event_type: str) -> bool:
    return raw is not None and decoded(raw, "type") == event_type


Form = Callable[[Members, Context], Event]

# The first whose members are all there; an object that has none of them has no type.
FORMS: tuple[tuple[tuple[str, ...], Form], ...] = (
    (("specversion",), cloudevent),
    (("detail-type", "detail"), eventbridge),
    (("key", "payload"), task),
    (("type",), short),
)


def form_of(members: Members) -> Form | None:
    return next((form for names, form in FORMS if all(n in members for n in names)), None)


def read(members: Members, context: Context) -> Event:
    form = form_of(members)
    return form(members, context) if form else refuse_without_type(context.where)
