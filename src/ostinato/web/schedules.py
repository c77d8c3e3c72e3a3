"""Schedules: what starts by the clock, and people's hands on it.

A schedule is named by its id (its slashes written %2F), or by its workflow if that has one only.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import Accepted
from ostinato.app.scheduling import Backfilled, ScheduleView
from ostinato.core.instants import parse_instant
from ostinato.errors import DefinitionError
from ostinato.web.answers import json_answer
from ostinato.web.bodies import Why, decode, read_body, read_why
from ostinato.web.door import caller_of, door_of
from ostinato.web.errors import unfit
from ostinato.web.events import Count
from ostinato.web.lists import Form, NoQuery, Paged, cut, page_answer, read_query
from ostinato.web.operation import JSON, Operations

doors = Operations("schedules")

Upcoming = Annotated[int, Meta(ge=0, le=1000, description="how many of the coming instants")]
Moment = Annotated[str, Meta(description="RFC 3339; a date alone is its midnight in UTC")]


class WhichUpcoming(Struct, forbid_unknown_fields=True):
    next: Upcoming = 0


class Backfill(Struct, forbid_unknown_fields=True, rename="camel"):
    since: Moment = field(name="from")
    until: Moment | None = field(name="to", default=None)
    dry_run: bool = False


@doors.get("/schedules", may="schedule:read", query=Paged, answers={200: list[ScheduleView]})
async def list_schedules(request: Request) -> Response:
    """List schedules by id."""
    query = read_query(request, Paged)
    found = await door_of(request).app.schedules()
    return page_answer(request, query, cut(query, found, _id, Form.SCHEDULE), _id, _as_it_is)


def _id(view: ScheduleView) -> str:
    return view.id


def _as_it_is(view: ScheduleView) -> ScheduleView:
    return view


@doors.get("/schedules/count", may="schedule:read", query=NoQuery, answers={200: Count})
async def count_schedules(request: Request) -> Response:
    """Count schedules."""
    read_query(request, NoQuery)
    return json_answer({"count": len(await door_of(request).app.schedules())})


@doors.get("/schedules/{id}", may="schedule:read", query=WhichUpcoming, answers={200: ScheduleView})
async def get_schedule(request: Request) -> Response:
    """Show a schedule: what it says, what comes next, what it did last."""
    query = read_query(request, WhichUpcoming)
    app = door_of(request).app
    return json_answer(await app.schedule(request.path_params["id"], query.next))


@doors.post(
    "/schedules/{id}/pause", may="schedule:write", bodies={JSON: Why}, answers={200: ScheduleView}
)
async def pause_schedule(request: Request) -> Response:
    """Pause a schedule. What comes due meanwhile is never started."""
    door = door_of(request)
    why = await read_why(request, door.bounds.body)
    name, by = request.path_params["id"], caller_of(request).name
    return json_answer(await door.app.pause_schedule(name, by=by, why=why))


@doors.post(
    "/schedules/{id}/resume",
    may="schedule:write",
    bodies={JSON: Why},
    answers={200: ScheduleView},
)
async def resume_schedule(request: Request) -> Response:
    """Let a schedule go on from now."""
    door = door_of(request)
    why = await read_why(request, door.bounds.body)
    name, by = request.path_params["id"], caller_of(request).name
    return json_answer(await door.app.resume_schedule(name, by=by, why=why))


@doors.post(
    "/schedules/{id}/fire", may="schedule:write", bodies={JSON: Why}, answers={202: Accepted}
)
async def fire_schedule(request: Request) -> Response:
    """Start a run now, whatever a pause and the last run say."""
    door = door_of(request)
    why = await read_why(request, door.bounds.body)
    name, by = request.path_params["id"], caller_of(request).name
    accepted = await door.app.fire_schedule(name, by=by, why=why, wait=False)
    return json_answer(accepted, 202)


@doors.post(
    "/schedules/{id}/backfill",
    may="schedule:write",
    bodies={JSON: Backfill},
    answers={200: Backfilled, 202: Backfilled},
)
async def backfill_schedule(request: Request) -> Response:
    """Start the planned instants of a span of the past that have not started. Safe to repeat.

    With `dryRun` it only says which: 200.
    """
    door = door_of(request)
    asked = decode(await read_body(request, door.bounds.body), Backfill)
    made = await door.app.backfill_schedule(
        request.path_params["id"],
        _instant(asked.since, "from"),
        None if asked.until is None else _instant(asked.until, "to"),
        by=caller_of(request).name,
        dry_run=asked.dry_run,
        wait=False,
    )
    return json_answer(made, 200 if asked.dry_run else 202)


def _instant(text: str, name: str) -> int:
    try:
        return parse_instant(text)
    except DefinitionError as error:
        raise unfit(str(error), name) from None
