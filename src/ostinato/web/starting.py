"""Starting runs. An ``Idempotency-Key`` makes a repeated request answer as the first one did.

The answer is remembered in the same commit as the run, so it is the run at its start. With
``wait`` the answer is the run at its end, and a repetition waits for the same end.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import Once
from ostinato.core.views import RunView
from ostinato.errors import InvalidInput
from ostinato.web.answers import encode, json_answer, url_of
from ostinato.web.bodies import decode, members, read_body
from ostinato.web.door import caller_of, door_of, headers_of
from ostinato.web.errors import Refusal, not_yet, unfit
from ostinato.web.lists import Wait, read_query, seconds
from ostinato.web.operation import JSON, Operations
from ostinato.web.workflows import definition_id

doors = Operations("runs")

IDEMPOTENT = {
    "idempotency-key": "same key, same answer, for as long as the setting `idempotency` says"
}


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


class Start(Struct):
    """What is asked for, whichever route asks; ``seen`` makes the run its answer."""

    workflow: str
    input: Raw | UnsetType
    uid: str | None
    version: int | None
    scope: str
    body: bytes
    seen: Callable[[RunView], bytes]


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
    wait = _seconds(request)
    body = await read_body(request, door_of(request).bounds.start)
    asked = decode(body, StartRun)
    start = Start(asked.workflow, asked.input, asked.uid, asked.version, "runs", body, encode)
    content, run_id, duplicate, replayed = await _started(request, start, wait)
    headers = {"location": url_of(request, f"/runs/{run_id}")} | replayed
    return json_answer(Raw(content), 200 if duplicate else 201, headers)


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
    wait, name = _seconds(request), request.path_params["name"]
    body = await read_body(request, door_of(request).bounds.start)
    asked = _execute(body)
    versions = await door_of(request).app.versions(name)
    workflow_id = versions[0].workflow_id

    def seen(view: RunView) -> bytes:
        return encode(_instance(request, view, workflow_id))

    scope = f"execute {workflow_id}"
    start = Start(name, asked.input, asked.uid, asked.workflow_version, scope, body, seen)
    try:
        content, _, _, replayed = await _started(request, start, wait)
    except InvalidInput as error:  # 422 everywhere else
        raise Refusal(400, error.code, error.message, problems=error.problems) from None
    return json_answer(Raw(content), 200, replayed)


def _execute(body: bytes) -> Execute:
    if not body.strip():
        return Execute()
    found = members(body)
    if "input" not in found and not {"metadata", "stages"}.isdisjoint(found):
        raise not_yet("`metadata` and `stages`, the initialize of an activity workflow")
    return decode(body, Execute)


def _seconds(request: Request) -> float | None:
    return seconds(read_query(request, StartQuery).wait, "wait")


class Remembered(Struct):
    body: Raw
    duplicate: bool


async def _started(
    request: Request, start: Start, wait: float | None
) -> tuple[bytes, str, bool, dict[str, str]]:
    """The answer's body, the run's id, whether it was there before, and what marks a replay."""
    door = door_of(request)
    run = await door.app.start_run(
        start.workflow,
        {} if start.input is UNSET else start.input,
        uid=start.uid,
        version=start.version,
        wait=False,
        once=_once(request, start),
    )
    duplicate, replayed = run.duplicate, {}
    if run.replayed:
        first = decode(run.answer, Remembered)
        duplicate, replayed = first.duplicate, {"idempotent-replay": "true"}
        if not wait:
            return bytes(first.body), run.id, duplicate, replayed
    view = None
    if wait:
        view = await door.within(door.app.wait_ended(run.id, wait), wait + 1)
    view = view or await run.view()
    if duplicate:
        view.duplicate = True
    return start.seen(view), run.id, duplicate, replayed


def _once(request: Request, start: Start) -> Once | None:
    key = headers_of(request).get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= 255:
        raise unfit("an Idempotency-Key has 1 to 255 characters", "idempotency-key")

    def answer(view: RunView) -> bytes:
        return encode(Remembered(Raw(start.seen(view)), view.duplicate is True))

    return Once(f"{start.scope} {caller_of(request).name}", key, start.body, answer)


def _instance(request: Request, view: RunView, workflow_id: str) -> dict[str, object]:
    href = url_of(request, f"/runs/{view.id}")
    return decode(encode(view), dict[str, object]) | {
        "definitionId": definition_id(view.workflow, view.version, workflow_id),
        "businessKey": view.uid,
        "caseInstanceId": None,
        "ended": view.ended_at is not None,
        "suspended": view.status == "paused",
        "tenantId": None,
        "links": [{"method": "GET", "href": href, "rel": "self"}],
    }
