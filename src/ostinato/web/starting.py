"""Starting runs. An ``Idempotency-Key`` makes a repeated request answer as the first one did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import Run
from ostinato.core.views import RunView
from ostinato.errors import InvalidInput, NotFoundError
from ostinato.web.answers import encode, json_answer, url_of
from ostinato.web.bodies import decode, members, read_body, value
from ostinato.web.door import Door, caller_of, door_of, headers_of
from ostinato.web.errors import Refusal, not_yet, unfit
from ostinato.web.lists import Wait, read_query, seconds
from ostinato.web.operation import JSON, Operations
from ostinato.web.workflows import definition_id

doors = Operations("runs")

IDEMPOTENT = {"idempotency-key": "remembered for 24 h: the same key gets the same answer"}


class StartRun(Struct, forbid_unknown_fields=True):
    workflow: str
    input: Raw | UnsetType = UNSET
    uid: str | None = None
    version: int | None = None


class Execute(Struct, forbid_unknown_fields=True, rename="camel"):
    input: Raw | UnsetType = UNSET
    uid: str | None = None
    workflow_version: int | None = None


class StartQuery(Struct, forbid_unknown_fields=True):
    wait: Wait = None


class Link(Struct):
    method: str
    href: str
    rel: str


class InstanceView(RunView, omit_defaults=False, kw_only=True):
    """A run, and what the workflow service calls an instance."""

    definition_id: str
    business_key: str | None
    case_instance_id: None
    ended: bool
    suspended: bool
    tenant_id: None
    links: list[Link]


class Answer(Struct):
    """What is remembered under an Idempotency-Key."""

    status: int
    body: Raw
    location: str


@doors.post(
    "/runs",
    may="run:start",
    query=StartQuery,
    bodies={JSON: StartRun},
    headers=IDEMPOTENT,
    answers={201: RunView, 200: RunView},
)
async def start_run(request: Request) -> Response:
    """Start a run: 201, or 200 with the run that is open under the uid (`duplicate: true`).

    With `?wait=30s` it answers at the run's end, or with the run as it is by then.
    """
    door, seconds_ = door_of(request), _seconds(request)
    body = await read_body(request, door.bounds.body)
    asked = decode(body, StartRun)

    async def act() -> Answer:
        run = await _started(door, asked.workflow, asked.input, asked.uid, asked.version)
        view = await _seen(door, run, seconds_)
        return Answer(200 if run.duplicate else 201, Raw(encode(view)), f"/runs/{view.id}")

    return await _once(request, "runs", body, act)


@doors.post(
    "/workflows/{name}/execute",
    may="run:start",
    seed=True,
    query=StartQuery,
    bodies={JSON: Execute},
    headers=IDEMPOTENT,
    answers={200: InstanceView},
)
async def execute_workflow(request: Request) -> Response:
    """Start a run of this workflow, with the members that the workflow service answers as well."""
    door, name, seconds_ = door_of(request), request.path_params["name"], _seconds(request)
    body = await read_body(request, door.bounds.body)
    asked = _execute(body)

    async def act() -> Answer:
        try:
            run = await _started(door, name, asked.input, asked.uid, asked.workflow_version)
        except InvalidInput as error:
            raise Refusal(400, error.code, error.message, problems=error.problems) from None
        except NotFoundError as error:
            raise await _missing(door, name, asked.workflow_version, error) from None
        view = await _seen(door, run, seconds_)
        return Answer(200, Raw(encode(await _instance(request, view))), "")

    return await _once(request, f"execute {name}", body, act)


def _execute(body: bytes) -> Execute:
    if not body.strip():
        return Execute()
    found = members(body)
    if "input" not in found and not {"metadata", "stages"}.isdisjoint(found):
        raise not_yet("`metadata` and `stages`, the initialize of an activity workflow")
    return decode(body, Execute)


def _seconds(request: Request) -> float | None:
    return seconds(read_query(request, StartQuery).wait, "wait")


async def _started(
    door: Door, workflow: str, input: Raw | UnsetType, uid: str | None, version: int | None
) -> Run:
    given = {} if input is UNSET else value(input)
    return await door.app.start_run(workflow, given, uid=uid, version=version, wait=False)


async def _seen(door: Door, run: Run, seconds_: float | None) -> RunView:
    view = None
    if seconds_:
        view = await door.within(_ended(door, run.id, seconds_), seconds_ + 1)
    view = view or await run.view()
    if run.duplicate:
        view.duplicate = True
    return view


async def _ended(door: Door, run_id: str, seconds_: float) -> RunView | None:
    try:
        return await door.app.wait_ended(run_id, seconds_)
    except TimeoutError:
        return None


async def _missing(
    door: Door, name: str, version: int | None, error: NotFoundError
) -> Refusal | NotFoundError:
    """Which of the two is not there; older clients look at the name."""
    known = "WorkflowNotFound"
    if version is not None:
        try:
            await door.app.workflow(name)
            known = "WorkflowVersionNotFound"
        except NotFoundError:
            pass
    return Refusal(404, known, error.message)


async def _instance(request: Request, view: RunView) -> dict[str, Any]:
    deployed, _ = await door_of(request).app.workflow(view.workflow, view.version)
    href = url_of(request, f"/runs/{view.id}")
    return decode(encode(view), dict[str, Raw]) | {
        "definitionId": definition_id(view.workflow, view.version, deployed.id),
        "businessKey": view.uid,
        "caseInstanceId": None,
        "ended": view.ended_at is not None,
        "suspended": view.status == "paused",
        "tenantId": None,
        "links": [{"method": "GET", "href": href, "rel": "self"}],
    }


async def _once(
    request: Request, scope: str, body: bytes, act: Callable[[], Awaitable[Answer]]
) -> Response:
    key = headers_of(request).get("idempotency-key")
    if key is None:
        return _answer(request, await act())
    if not 0 < len(key) <= 255:
        raise unfit("an Idempotency-Key has 1 to 255 characters", "idempotency-key")

    async def acted() -> bytes:
        return encode(await act())

    scope = f"{scope} {caller_of(request).name}"
    remembered, replayed = await door_of(request).app.once(scope, key, body, acted)
    response = _answer(request, decode(remembered, Answer))
    if replayed:
        response.headers["idempotent-replay"] = "true"
    return response


def _answer(request: Request, answer: Answer) -> Response:
    headers = {"location": url_of(request, answer.location)} if answer.location else None
    return json_answer(answer.body, answer.status, headers)
