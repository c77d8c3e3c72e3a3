"""What people do to runs: pause, resume, retry, skip, fork, signal. Who asked, and why, is kept."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import UNSET, Raw, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from ostinato.core.views import RunView
from ostinato.web.answers import json_answer
from ostinato.web.bodies import Why, decode, read_body, value
from ostinato.web.door import Door, caller_of, door_of
from ostinato.web.operation import JSON, Operations
from ostinato.web.runs import named

doors = Operations("runs")

T = TypeVar("T", bound="Why")


class RetryBody(Why, forbid_unknown_fields=True, kw_only=True):
    """``job`` is a step's key; ``input`` replaces what it was given."""

    job: str = ""
    input: Raw | UnsetType = UNSET


class SkipBody(Why, forbid_unknown_fields=True, kw_only=True):
    """``done``: the job counts as succeeded, because its work was done by hand."""

    job: str
    output: Raw | UnsetType = UNSET
    done: bool = False


class ForkBody(Why, forbid_unknown_fields=True, kw_only=True):
    """``job`` is the key of the step where it begins; ``input`` replaces the run's."""

    job: str = ""
    input: Raw | UnsetType = UNSET


class SignalBody(Why, forbid_unknown_fields=True, kw_only=True):
    type: str
    data: Raw | UnsetType = UNSET
    id: str | None = None


async def _asked(request: Request, kind: type[T]) -> tuple[Door, str, dict[str, Any], T]:
    """The door, the run's id, who asks and why, and the body."""
    door = door_of(request)
    bounds = door.bounds
    bound = {Why: bounds.body, SignalBody: bounds.signal}.get(kind, bounds.repair)
    body = await read_body(request, bound)
    asked = decode(body if body.strip() else b"{}", kind)
    head = await named(request, door)
    return door, head.run_id, {"by": caller_of(request).name, "why": asked.why}, asked


@doors.post("/runs/{id}/pause", may="run:write", bodies={JSON: Why}, answers={200: RunView})
async def pause_run(request: Request) -> Response:
    """Pause a run: nothing new starts in it, what is at work may end."""
    door, run_id, who, _ = await _asked(request, Why)
    return json_answer(await door.app.pause(run_id, **who))


@doors.post("/runs/{id}/resume", may="run:write", bodies={JSON: Why}, answers={200: RunView})
async def resume_run(request: Request) -> Response:
    """Resume a paused run."""
    door, run_id, who, _ = await _asked(request, Why)
    return json_answer(await door.app.resume(run_id, **who))


@doors.post("/runs/{id}/retry", may="run:write", bodies={JSON: RetryBody}, answers={200: RunView})
async def retry_run(request: Request) -> Response:
    """Do what failed in a run once more, or one step of it; a run that has failed goes on."""
    door, run_id, who, asked = await _asked(request, RetryBody)
    return json_answer(await door.app.retry(run_id, asked.job, input=asked.input, **who))


@doors.post("/runs/{id}/skip", may="run:write", bodies={JSON: SkipBody}, answers={200: RunView})
async def skip_job(request: Request) -> Response:
    """Go on without a job, with a value for those who come after it."""
    door, run_id, who, asked = await _asked(request, SkipBody)
    output = None if asked.output is UNSET else asked.output
    view = await door.app.skip(run_id, asked.job, output=output, done=asked.done, **who)
    return json_answer(view)


@doors.post("/runs/{id}/fork", may="run:start", bodies={JSON: ForkBody}, answers={201: RunView})
async def fork_run(request: Request) -> Response:
    """Start another run with what this one had done before a step."""
    door, run_id, who, asked = await _asked(request, ForkBody)
    given = UNSET if asked.input is UNSET else value(asked.input)
    run = await door.app.fork(run_id, asked.job, input=given, **who)
    return json_answer(await door.app.run_view(run.id), 201)


@doors.post("/runs/{id}/signal", may="run:write", bodies={JSON: SignalBody}, answers={200: RunView})
async def signal_run(request: Request) -> Response:
    """Send an event to one run alone."""
    door, run_id, who, asked = await _asked(request, SignalBody)
    data = None if asked.data is UNSET else asked.data
    return json_answer(await door.app.signal(run_id, asked.type, data, id=asked.id, **who))
