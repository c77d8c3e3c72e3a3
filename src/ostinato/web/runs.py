"""Runs: lists, one run, its history and its graph; cancelling it.

A run is named by its id, a unique beginning of it, its uid, or ``last``.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import StuckView
from ostinato.app.pages import lightened, seq_of, weight_of_fact
from ostinato.core.state import RunStatus
from ostinato.core.views import ErrorView, RunView, View
from ostinato.ports import Head, RunQuery
from ostinato.web.answers import json_answer
from ostinato.web.bodies import Why, read_why
from ostinato.web.door import Door, caller_of, door_of
from ostinato.web.events import Count
from ostinato.web.lists import (
    Form,
    Instant,
    NoQuery,
    Paged,
    instant,
    page_answer,
    page_of,
    read_query,
)
from ostinato.web.operation import JSON, Operations

doors = Operations("runs")

Statuses = Annotated[tuple[RunStatus, ...], Meta(description="any of these; several with a comma")]


class RunItem(View, omit_defaults=False):
    """What lists show of a run."""

    id: str
    workflow: str
    version: int
    uid: str | None
    status: str
    doing: str
    waiting_for: str | None
    started_at: int
    ended_at: int | None
    error: ErrorView | None


class HistoryItem(Struct):
    """One fact. What else it holds depends on its type."""

    seq: int
    at: int
    type: str


class RunList(Paged, rename="camel", kw_only=True):
    status: Statuses = ()
    workflow: str | None = None
    uid: str | None = None
    waiting_for: str | None = None
    failed_since: Instant = None
    text: str | None = None
    id_prefix: str | None = None


class RunCount(Struct, forbid_unknown_fields=True, rename="camel"):
    status: Statuses = ()
    workflow: str | None = None
    uid: str | None = None
    waiting_for: str | None = None
    failed_since: Instant = None
    text: str | None = None
    id_prefix: str | None = None


class StuckQuery(Struct, forbid_unknown_fields=True):
    since: Instant = None
    workflow: str | None = None


@doors.get("/runs", may="run:read", query=RunList, answers={200: list[RunItem]})
async def list_runs(request: Request) -> Response:
    """List runs, newest first."""
    query = read_query(request, RunList)
    found = await door_of(request).app.runs(_wanted(request, query), page_of(query, Form.RUN))
    return page_answer(request, query, found, _run_id, run_item)


@doors.get("/runs/count", may="run:read", query=RunCount, answers={200: Count})
async def count_runs(request: Request) -> Response:
    """Count runs."""
    query = read_query(request, RunCount)
    return json_answer({"count": await door_of(request).app.count_runs(_wanted(request, query))})


def _wanted(request: Request, query: RunList | RunCount) -> RunQuery:
    return RunQuery(
        status=query.status,
        workflow=query.workflow,
        uid=query.uid,
        waiting_for=query.waiting_for,
        failed_since=instant(query.failed_since, "failedSince", door_of(request).app.now()),
        text=query.text,
        id_prefix=query.id_prefix,
    )


def _run_id(head: Head) -> str:
    return head.run_id


def run_item(head: Head) -> RunItem:
    failed = head.error_name is not None
    return RunItem(
        id=head.run_id,
        workflow=head.workflow,
        version=head.version,
        uid=head.uid,
        status=head.status,
        doing=head.doing,
        waiting_for=head.waiting_for,
        started_at=head.started_at,
        ended_at=head.ended_at,
        error=ErrorView(name=head.error_name or "", message=head.error_message or "")
        if failed
        else None,
    )


async def named(request: Request, door: Door) -> Head:
    return await door.app.find_run(request.path_params["id"])


@doors.get("/stuck", may="run:read", query=StuckQuery, answers={200: StuckView})
async def find_stuck(request: Request) -> Response:
    """Find what does not go on by itself.

    What runs wait for and since when, failures that are one, timers that nobody served.
    """
    query = read_query(request, StuckQuery)
    app = door_of(request).app
    since = instant(query.since, "since", app.now())
    return json_answer(await app.stuck(since, query.workflow))


@doors.get("/runs/{id}", may="run:read", query=NoQuery, answers={200: RunView})
async def get_run(request: Request) -> Response:
    """Show a run: its jobs, what it waits for, its result or error."""
    read_query(request, NoQuery)
    door = door_of(request)
    head = await named(request, door)
    return json_answer(lightened(await door.app.run_view(head.run_id)))


@doors.get("/runs/{id}/history", may="run:read", query=Paged, answers={200: list[HistoryItem]})
async def get_history(request: Request) -> Response:
    """List the facts of a run, oldest first."""
    query = read_query(request, Paged)
    door, page = door_of(request), page_of(query, Form.NUMBER)
    head = await named(request, door)
    after = -1 if page.cursor is None else int(page.cursor)
    facts = await door.app.history(head.run_id, after, page.limit)
    return page_answer(request, query, facts, seq_of, _as_it_is, weight_of_fact)


def _as_it_is(fact: dict[str, Any]) -> dict[str, Any]:
    return fact


@doors.get("/runs/{id}/graph", may="run:read", query=NoQuery, answers={200: dict[str, Any]})
async def get_graph(request: Request) -> Response:
    """Show the graph that a run follows, each node with its status."""
    read_query(request, NoQuery)
    door = door_of(request)
    head = await named(request, door)
    return json_answer(await door.app.run_graph(head.run_id))


@doors.post("/runs/{id}/cancel", may="run:write", bodies={JSON: Why}, answers={200: RunView})
async def cancel_run(request: Request) -> Response:
    """Cancel a run. What runs is stopped; `finally` still runs."""
    door = door_of(request)
    why = await read_why(request, door.bounds.body)
    head = await named(request, door)
    view = await door.app.cancel(head.run_id, by=caller_of(request).name, why=why)
    return json_answer(view)
