"""The older services' ways to send an event: the type in the path, or a task event.

They answer when it has been worked on. We store first, then wait (a bounded while) for the first
attempts and answer as they did; what fails later is retried like any job. With
``Prefer: respond-async`` nobody waits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import Accepted
from ostinato.core.cloudevents import Event, from_path
from ostinato.telemetry.logger import logger
from ostinato.web.answers import json_answer, nothing
from ostinato.web.attempts import first_failures
from ostinato.web.bodies import decode, explained, malformed, read_body
from ostinato.web.door import Door, door_of, headers_of
from ostinato.web.errors import Refusal
from ostinato.web.events import accept, read_events
from ostinato.web.operation import JSON, Operations

doors = Operations("events")

log = logger("ostinato.web")

EVENT_TYPE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
RESERVED = frozenset(("trigger", "mapping", "count"))
ASYNC = {"prefer": "`respond-async`: answer 202 once it is stored"}


class Success(Struct):
    success: bool


class TaskEvent(Struct, forbid_unknown_fields=True):
    key: str
    payload: Raw
    source: str | None = None
    description: str | None = None
    id: str | None = None


ANY_OBJECT = {JSON: {"type": "object"}}


@doors.post(
    "/events/trigger",
    may="event:write",
    seed=True,
    bodies={JSON: TaskEvent},
    headers=ASYNC,
    answers={204: None, 202: Accepted},
)
async def trigger_event(request: Request) -> Response:
    """Accept a task event {key, payload} and wait for the first attempts."""
    door = door_of(request)
    body = await read_body(request, door.bounds.batch)
    decode(body, TaskEvent)
    plain = {"content-type": JSON}  # a task event is never a CloudEvent, whatever the headers say
    found, _ = read_events(door, plain, body)
    return await _worked_on(request, found, nothing(), failed=500)


@doors.post(
    "/events/{eventType}",
    may="event:write",
    seed=True,
    bodies=ANY_OBJECT,
    headers=ASYNC,
    answers={200: Success, 202: Accepted},
)
async def post_typed_event(request: Request) -> Response:
    """Accept an event whose type is in the path and wait for the first attempts.

    400 when a first attempt fails, and for a type that nothing here handles, unless
    `arc.accept_unknown` is set.
    """
    event_type = request.path_params["eventType"]
    if event_type in RESERVED:
        message = f"{event_type!r} is a route of its own here, so no event type in this path"
        hint = f"; POST /events or /event-bridge/events/{event_type} take it"
        raise Refusal(404, "NotFoundError", message + hint)
    found = await _routed(request, event_type, _by_path(request))
    if not _handled(request, event_type) and not door_of(request).app.settings.arc.accept_unknown:
        raise Refusal(400, "BadRequestError", f"Unsupported event type: {event_type}")
    return await _worked_on(request, found, json_answer({"success": True}), failed=400)


@doors.post(
    "/event-bridge/events/{eventType}",
    may="event:write",
    seed=True,
    bodies=ANY_OBJECT,
    headers=ASYNC,
    answers={200: Success, 202: Accepted},
)
async def post_bridge_event(request: Request) -> Response:
    """Accept an event whose type is in the path and wait for the first attempts.

    It comes by the bus `eventbridge`, or whichever of this kind is in the settings. 200 also when
    nothing here handles the type; 500 when a first attempt fails.
    """
    event_type = request.path_params["eventType"]
    found = await _routed(request, event_type, door_of(request).app.read_bridged)
    _handled(request, event_type)
    done = json_answer({"success": True})
    return await _worked_on(request, found, done, failed=500) if found else done


def _handled(request: Request, event_type: str) -> bool:
    """Whether anything here waits for the type; what nothing does is counted and logged."""
    door = door_of(request)
    handled = door.app.expects(event_type)
    if not handled:
        door.metrics.unhandled()
        log.info("event.unhandled", type=event_type, path=request.url.path)
    return handled


Routed = Callable[[str, bytes], list[Event]]


def _by_path(request: Request) -> Routed:
    door = door_of(request)
    about: dict[str, Any] = {
        "now": door.app.now(),
        "new_id": door.app.new_id,
        "limits": door.bounds.events,
    }
    return lambda event_type, body: [from_path(event_type, body, **about)]


async def _routed(request: Request, event_type: str, read: Routed) -> list[Event]:
    if EVENT_TYPE.fullmatch(event_type) is None:
        message = f"an event type here is {EVENT_TYPE.pattern}; POST /events takes any"
        raise Refusal(422, "UnprocessableEntityError", message)
    body = await read_body(request, door_of(request).bounds.batch)
    try:
        with explained(body):
            return read(event_type, body)
    except RecursionError:
        raise malformed("nested too deeply") from None


async def _worked_on(
    request: Request, found: list[Event], done: Response, *, failed: int
) -> Response:
    door = door_of(request)
    several = await accept(door, found)
    if "respond-async" in headers_of(request).get("prefer", "").lower():
        applied = {"preference-applied": "respond-async"}
        return json_answer(several[0], 202, applied)
    for letter in (letter for accepted in several for letter in accepted.dead_letters or ()):
        message = f"the event does not fit {letter['trigger']}; see dead letter {letter['id']}"
        raise Refusal(failed, "InvalidInput", message)
    await _raise_first(door, [run for accepted in several for run in accepted.runs], failed)
    return done


async def _raise_first(door: Door, runs: list[str], status: int) -> None:
    for failure in await first_failures(door, runs):
        name = failure.name if status != 400 else "BadRequestError"
        raise Refusal(status, name, failure.message)
