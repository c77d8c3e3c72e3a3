"""Events in, in every form, and what was accepted. ``POST /events`` is the busiest route: no
framework, no second parsing, one answer per group of events that was stored together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import Accepted
from ostinato.app.pages import place_of, weight_of_event
from ostinato.core.cloudevents import Event, from_http, to_json
from ostinato.core.views import View
from ostinato.ports import EventQuery, StoredEvent
from ostinato.web.answers import json_answer
from ostinato.web.bodies import explained, read_body
from ostinato.web.door import Door, door_of, headers_of
from ostinato.web.errors import unfit
from ostinato.web.lists import Form, Instant, Paged, instant, page_answer, page_of, read_query
from ostinato.web.operation import JSON, Operations

doors = Operations("events")

ONE = {"type": "object", "examples": [{"type": "ORDER_PLACED", "data": {"order": 1}}]}
FORMS = {
    JSON: {"anyOf": [ONE, {"type": "array", "items": ONE}]},
    "application/cloudevents+json": ONE,
    "application/cloudevents-batch+json": {"type": "array", "items": ONE},
}


class EventView(View, omit_defaults=False):
    """Under CloudEvents' names, and under the task service's."""

    id: str
    source: str
    type: str
    subject: str | None
    time: str
    data: Any
    key: str
    payload: Any
    description: str | None
    timestamp: int
    received_at: int
    runs: list[str]


class EventList(Paged, kw_only=True):
    type: str | None = None
    key: str | None = None
    source: str | None = None
    since: Instant = None
    where: str | None = None
    filter: str | None = None


class EventCount(msgspec.Struct, forbid_unknown_fields=True):
    type: str | None = None
    key: str | None = None
    source: str | None = None
    since: Instant = None
    where: str | None = None


class WhichEvent(msgspec.Struct, forbid_unknown_fields=True):
    source: str | None = None


class Count(msgspec.Struct):
    count: int


@doors.post("/events", may="event:write", bodies=FORMS, answers={202: Accepted | list[Accepted]})
async def post_events(request: Request) -> Response:
    """Accept one event or an array, all stored or none.

    CloudEvents (in headers, structured, batch), the EventBridge envelope, {key, payload},
    {type, data} and Records are understood. An array, or Records, is answered with an array.
    """
    door = door_of(request)
    body = await read_body(request, door.bounds.batch)
    found, many = read_events(door, headers_of(request), body)
    accepted = await accept(door, found)
    return json_answer(accepted if many else accepted[0], 202)


def read_events(door: Door, headers: Mapping[str, str], body: bytes) -> tuple[list[Event], bool]:
    """The events in a body, and whether it may hold several."""
    new_id, limits = door.app.new_id, door.bounds.events
    with explained(body):
        return from_http(headers, body, now=door.app.now(), new_id=new_id, limits=limits)


async def accept(door: Door, found: list[Event]) -> list[Accepted]:
    """Rather refuses than waits for room: the sender knows best what to do meanwhile."""
    accepted = await door.app.accept(found, wait=False)
    for one in accepted:
        door.metrics.accepted(duplicate=one.duplicate)
    return accepted


@doors.get("/events", may="event:read", seed=True, query=EventList, answers={200: list[EventView]})
async def list_events(request: Request) -> Response:
    """List accepted events, newest first."""
    query = read_query(request, EventList)
    if query.filter is not None:
        _filter(query, query.filter)
    found = await door_of(request).app.events(_wanted(request, query), page_of(query, Form.EVENT))
    return page_answer(request, query, found, place_of, event_view, weight_of_event)


@doors.get("/events/count", may="event:read", seed=True, query=EventCount, answers={200: Count})
async def count_events(request: Request) -> Response:
    """Count accepted events."""
    query = read_query(request, EventCount)
    return json_answer({"count": await door_of(request).app.count_events(_wanted(request, query))})


@doors.get("/events/{id}", may="event:read", seed=True, query=WhichEvent, answers={200: EventView})
async def get_event(request: Request) -> Response:
    """Show one event. `source` picks among events with the same id."""
    query = read_query(request, WhichEvent)
    app = door_of(request).app
    return json_answer(event_view(await app.event(request.path_params["id"], query.source)))


def event_view(stored: StoredEvent) -> dict[str, Any]:
    answer = msgspec.json.decode(stored.answer) if stored.answer else {}
    runs = answer.get("runs", []) if isinstance(answer, dict) else []
    return to_json(stored.event) | {"receivedAt": stored.received_at, "runs": runs}


# -- queries, ours and LoopBack's --------------------------------------------------------------

_EQUAL = {"type": "type", "key": "type", "source": "source"}


def _wanted(request: Request, query: EventList | EventCount) -> EventQuery:
    where = _where(query.where) if query.where is not None else {}
    since = instant(query.since, "since", door_of(request).app.now())
    type_ = query.type or query.key or where.get("type")
    return EventQuery(type_, query.source or where.get("source"), since)


def _where(text: str) -> dict[str, str]:
    """Of LoopBack's conditions, equality; the rest is refused rather than passed over."""
    conditions = _object(text, "where")
    for name, value in conditions.items():
        if name not in _EQUAL or not isinstance(value, str):
            known = ", ".join(_EQUAL)
            raise unfit("not yet: only a text for " + known, f"where.{name}")
    return {_EQUAL[name]: value for name, value in conditions.items()}


def _filter(query: EventList, text: str) -> None:
    for name, value in _object(text, "filter").items():
        if name == "where" and isinstance(value, dict):
            query.where = msgspec.json.encode(value).decode()
        elif name == "limit" and type(value) is int and 1 <= value <= 1000:
            query.limit = value
        else:
            raise unfit("not yet: only `where` and `limit` (1 to 1000)", f"filter.{name}")


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise unfit("a JSON object is needed", name)
    return found
