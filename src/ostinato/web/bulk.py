"""Many runs at once: a preview, the repair that it allows, and how far that is."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app.bulk import OperationView, Preview, check_pace
from ostinato.core.state import RunStatus
from ostinato.ports import RunFilter
from ostinato.web.answers import json_answer, url_of
from ostinato.web.bodies import Why, decode, read_body, read_why
from ostinato.web.door import Door, caller_of, door_of
from ostinato.web.errors import unfit
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


class RunsWhere(Struct, forbid_unknown_fields=True, rename="camel"):
    """What `GET /runs` asks for, and `fingerprint`, as `GET /stuck` tells it."""

    status: RunStatus | tuple[RunStatus, ...] = ()
    workflow: str | None = None
    uid: str | None = None
    waiting_for: str | None = None
    failed_since: Instant = None
    text: str | None = None
    id_prefix: str | None = None
    fingerprint: str | None = None


class BulkBody(Struct, forbid_unknown_fields=True, rename="camel"):
    """With `dryRun`: `action` and `where`, for skip and retry a `job`. Then `previewToken`.

    What stands beside the token must be what the preview was about.
    """

    action: str | None = None
    where: RunsWhere | None = None
    dry_run: bool = False
    job: str | None = None
    output: Raw | UnsetType = UNSET
    preview_token: str | None = None
    rate: Annotated[float, Meta(description="runs per second")] = 10.0
    why: str = ""


@doors.post(
    "/runs/bulk",
    may="run:write",
    bodies={JSON: BulkBody},
    answers={200: Preview, 202: OperationView},
)
async def repair_runs(request: Request) -> Response:
    """Repair many runs: cancel, pause, resume, retry or skip, oldest first, at a rate.

    First with `dryRun: true`: 200 says how many fit, and gives a `previewToken`, valid for an hour.
    With that: 202, and an operation to watch, about those runs and no others. One that has gone on
    by itself is passed over, one that cannot be repaired is counted with its reason.
    """
    door = door_of(request)
    asked = decode(await read_body(request, door.bounds.body), BulkBody)
    check_pace(asked.rate, asked.why)
    if asked.preview_token is None:
        return json_answer(await _preview(door, asked))
    if asked.dry_run:
        raise unfit("`previewToken` begins the repair, `dryRun` only looks", "dryRun")
    operation = await _begun(door, asked, asked.preview_token, caller_of(request).name)
    headers = {"location": url_of(request, f"/operations/{operation.id}")}
    return json_answer(operation, 202, headers)


async def _begun(door: Door, asked: BulkBody, token: str, by: str) -> OperationView:
    """How long ago counts from the preview: there it is the same instant."""
    then = (await door.app.previewed(token)).created_at
    return await door.app.start_bulk(
        token,
        rate=asked.rate,
        by=by,
        why=asked.why,
        action=asked.action,
        where=None if asked.where is None else _filter(asked.where, then),
        job=asked.job,
        output=asked.output,
    )


async def _preview(door: Door, asked: BulkBody) -> Preview:
    if not asked.dry_run:
        hint = "send it with dryRun: true first"
        raise unfit("many runs are repaired with the token of a preview", "previewToken", hint)
    if asked.action is None or asked.where is None:
        raise unfit("say what to do, and to which runs: `action` and `where`", "action")
    now = door.app.now()
    where, job = _filter(asked.where, now), asked.job or ""
    return await door.app.preview_bulk(asked.action, where, job=job, output=asked.output, now=now)


def _filter(where: RunsWhere, now: int) -> RunFilter:
    """How long ago becomes an instant: the preview and the repair mean the same one."""
    status = (where.status,) if isinstance(where.status, str) else where.status
    since = instant(where.failed_since, "where.failedSince", now)
    return RunFilter(
        status, where.workflow, where.uid, where.waiting_for, since, where.text, where.id_prefix,
        where.fingerprint,
    )  # fmt: skip


@doors.get("/operations", may="run:read", query=Paged, answers={200: list[OperationView]})
async def list_operations(request: Request) -> Response:
    """List repairs of many runs, newest first."""
    query = read_query(request, Paged)
    found = await door_of(request).app.operations(page_of(query, Form.OPERATION))
    return page_answer(request, query, found, _id, _as_it_is)


@doors.get("/operations/{id}", may="run:read", query=NoQuery, answers={200: OperationView})
async def get_operation(request: Request) -> Response:
    """Show how far a repair is: done, refused with the reasons, passed over, left."""
    read_query(request, NoQuery)
    return json_answer(await door_of(request).app.operation(request.path_params["id"]))


@doors.post(
    "/operations/{id}/stop", may="run:write", bodies={JSON: Why}, answers={200: OperationView}
)
async def stop_operation(request: Request) -> Response:
    """Stop a repair: what is on its way ends, the rest is left."""
    door = door_of(request)
    why = await read_why(request, door.bounds.body)
    name, by = request.path_params["id"], caller_of(request).name
    return json_answer(await door.app.stop_operation(name, by=by, why=why))


def _id(operation: OperationView) -> str:
    return operation.id


def _as_it_is(operation: OperationView) -> OperationView:
    return operation
