"""A job begins: a handler is asked for, an event published, variables set, a wait armed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
from msgspec import Raw

from ostinato.core.cloudevents.event import MAX_SOURCE, MAX_SUBJECT, MAX_TYPE, header_problem
from ostinato.core.codec import NULL, encode_value
from ostinato.core.commands import Command, FreePlaces, OfferJob, Publish, StartJob
from ostinato.core.decide import asking, calls, waits
from ostinato.core.decide.activation import Activation, constant
from ostinato.core.decide.failing import job_failed
from ostinato.core.decide.flowing import after, onward
from ostinato.core.decide.moves import Fail, Said, StandIn, Stop
from ostinato.core.decide.queueing import queue_job
from ostinato.core.decide.steps import beat_at, no_timers, timeout_at, watch
from ostinato.core.facts import (
    NOTHING,
    Failure,
    JobCalled,
    JobOffered,
    JobReady,
    JobSucceeded,
    JobWaiting,
    RunCancelling,
    RunHalting,
    ScopeSatisfied,
)
from ostinato.core.graph import Graph, Node
from ostinato.core.labels import label_problem
from ostinato.core.model import Call, Emit, End, Job, Kind, Run, Set, Task, WaitEvent, WaitUntil
from ostinato.core.routes import OWN, OWN_NAME, Routes
from ostinato.core.state import Scope, State, Step
from ostinato.errors import ExpressionError, UsageError


def begin_job(
    state: State, scope: Scope, node: Node, key: str, now: int, given: Raw | None = None
) -> list[Said]:
    if key in state.given:
        return [JobSucceeded(key, 1, state.given[key]), after(scope, node)]
    return begin(Activation(state, scope, node, node.job or node.spec, key, 1, now, given))


def begin(at: Activation) -> list[Said]:
    try:
        if at.node.limits and at.job is at.node.job:
            return queue_job(at)
        return ACTIONS[type(at.job.action)](at)
    except (ExpressionError, UsageError) as error:
        failure = Failure(error.code, f"{at.node.path}: {error}", at.node.name)
        return job_failed(at.state, at.scope, at.node, at.key, at.attempt, failure)


def admitted(at: Activation) -> list[Said]:
    """It has the places that it needs. One that is over at once keeps none."""
    try:
        said = ACTIONS[type(at.job.action)](at)
    except (ExpressionError, UsageError) as error:
        failure = Failure(error.code, f"{at.node.path}: {error}", at.node.name)
        said = job_failed(at.state, at.scope, at.node, at.key, at.attempt, failure)
    if isinstance(said[0], JobReady | JobWaiting | JobCalled):
        return said
    return [FreePlaces(at.key), *said]


def stand_in(state: State, move: StandIn, now: int) -> list[Said]:
    """A failure was caught: what the document has for it begins, under the same key."""
    step = state.steps[move.key]
    caught = step.caught
    if caught is None or step.kind != "catch" or state.paused:
        return []
    at = Activation(state, step.scope, step.node, step.job, step.key, step.attempt + 1, now)
    if caught.job is not None:
        return begin(at)
    try:
        output = NULL if caught.output is None else encode_value(caught.output.render(at.names))
    except (ExpressionError, UsageError) as error:
        failure = Failure(error.code, f"{step.node.path}: {error}", step.node.name)
        return job_failed(state, step.scope, step.node, step.key, step.attempt, failure)
    return [JobSucceeded(step.key, step.attempt, output), *onward(step.scope, step.node, step.key)]


def _run(at: Activation) -> list[Said]:
    job, key, data = at.job, at.key, at.given
    if data is None and job.input is not None and not job.input.constant:
        data = encode_value(job.input.render(at.names))
    start = start_job(at.state.graph, job, key, at.attempt, data)
    if not job.callback:
        return [_ready(start, data), start]
    timeout, beat = timeout_at(job, at.now), beat_at(job, at.now)
    return [_ready(start, data, timeout, beat), start, *watch(key, timeout, beat)]


def _ready(
    start: StartJob | OfferJob,
    data: Raw | None = None,
    timeout: int | None = None,
    beat: int | None = None,
) -> JobReady:
    if isinstance(start, OfferJob):
        return JobOffered(start.key, data or NOTHING, start.attempt, timeout, beat, start.topic)
    return JobReady(start.key, data or NOTHING, start.attempt, timeout, beat)


def once_more(
    state: State, step: Step, attempt: int, beat: int | None, deaths: int
) -> tuple[JobReady, StartJob | OfferJob]:
    """Another attempt, with what was recorded of the step."""
    start = start_job(state.graph, step.job, step.key, attempt, step.input, deaths)
    return _ready(start, beat=beat), start


def start_job(
    graph: Graph, job: Job, key: str, attempt: int, data: Raw | None, deaths: int = 0
) -> StartJob | OfferJob:
    """One attempt of the job, with its recorded input or the definition's constant.

    Without a handler of this name here it is offered to workers elsewhere.
    """
    if data is None and job.input is not None and job.input.constant:
        data = constant(job.input)
    timeout = None if job.callback else job.timeout
    action: Any = job.action
    handler, here = action.handler, graph.here
    if here is None or handler in here:
        return StartJob(key, attempt, handler, data, timeout, deaths)
    return OfferJob(key, attempt, handler, data, timeout, deaths)


def outstanding(state: State) -> list[StartJob | OfferJob]:
    """The attempts that are open: what a process that lost its memory of them must start."""
    return [
        start_job(state.graph, step.job, step.key, step.attempt, step.input, step.deaths)
        for step in state.open.values()
        if step.status in ("ready", "running")
    ]


def _emit(at: Activation) -> list[Said]:
    event = at.values()
    event_id = f"{at.state.run_id}:{at.key}"
    publish = _publish(event_id, event, at.state.graph.routes)
    if at.job.callback:
        timeout, beat = timeout_at(at.job, at.now), beat_at(at.job, at.now)
        waiting = JobWaiting(at.key, "callback", at.attempt, timeout_at=timeout, beat_at=beat)
        return [waiting, publish, *watch(at.key, timeout, beat)]
    output = Raw(msgspec.json.encode({"id": event_id}))
    return [JobSucceeded(at.key, at.attempt, output), publish, *onward(at.scope, at.node, at.key)]


def _publish(event_id: str, event: dict[str, Any], routes: Routes) -> Publish:
    for name, longest in (("type", MAX_TYPE), ("subject", MAX_SUBJECT), ("source", MAX_SOURCE)):
        value = event.get(name)
        if value is not None and not isinstance(value, str):
            raise ExpressionError(f"emit.{name} gave {value!r:.80}, not a text")
        if value and (why := label_problem(value, longest)):
            raise ExpressionError(f"emit.{name} {why}")
    if not event.get("type"):
        raise ExpressionError("emit.type is empty")
    data = encode_value(event.get("data"))
    headers = _headers(event["headers"]) if "headers" in event else None
    said = (event_id, event["type"], data, event.get("subject"), event.get("source"), headers)
    return Publish(*said, _buses(event, routes))


def _buses(event: dict[str, Any], routes: Routes) -> tuple[str, ...]:
    bus = event.get("bus")
    if bus is None:
        return routes.of(event["type"])
    if not isinstance(bus, str) or (why := routes.problem(bus)):
        raise ExpressionError(f"emit.bus {why if isinstance(bus, str) else f'gave {bus!r:.80}'}")
    return (OWN if bus == OWN_NAME else bus,)


def _headers(given: Any) -> dict[str, str] | None:
    """What is null is left out."""
    if not isinstance(given, dict):
        raise ExpressionError(f"emit.headers gave {given!r:.80}, not a map")
    headers = {name: value for name, value in given.items() if value is not None}
    for name, value in headers.items():
        if why := header_problem(name):
            raise ExpressionError(f"emit.headers.{name}: {why}")
        if not isinstance(value, str) or len(value) > MAX_SUBJECT or not value.isprintable():
            wanted = f"a text of at most {MAX_SUBJECT} characters that print"
            raise ExpressionError(f"emit.headers.{name} gave {value!r:.80}, not {wanted}")
    return headers or None


def _set(at: Activation) -> list[Said]:
    values = encode_value(at.values())
    return [JobSucceeded(at.key, at.attempt, values), *onward(at.scope, at.node, at.key)]


def _end(at: Activation) -> list[Said]:
    """The job is done, and with it the run; what is still open is cancelled."""
    done, why = JobSucceeded(at.key, at.attempt, NULL), f"{at.key} ended the run"
    status = cast(End, at.job.action).status
    if at.scope.node.kind is Kind.UNDO:
        return [done, *onward(at.scope, at.node, at.key)]
    if (stage := _stage(at)) is not None:
        return [done, *_end_stage(at.state, stage, status, Failure("Ended", why, at.node.name))]
    match status:
        case "failed":
            return [done, Fail(at.state.root, Failure("Ended", why, at.node.name))]
        case "cancelled":
            return [done, *_no_timers(at), RunCancelling(at.key, why), Stop("")]
        case _:
            return [done, *_no_timers(at), RunHalting(at.key), Stop("")]


def _no_timers(at: Activation) -> list[Command]:
    return no_timers(at.state, at.state.root)


def _stage(at: Activation) -> Scope | None:
    """``on_failure`` or ``finally``, when the job is in it."""
    scope: Scope | None = at.scope
    while scope is not None and scope.parent is not at.state.root:
        scope = scope.parent
    stages = (at.state.graph.on_failure, at.state.graph.finally_)
    return scope if scope is not None and scope.node in stages else None


def _end_stage(state: State, stage: Scope, status: str, error: Failure) -> list[Said]:
    """There it ends what is left of the list: how the run ends is decided already."""
    if status == "failed":
        return [Fail(stage, error)]
    return [*no_timers(state, stage), ScopeSatisfied(stage.key), Stop(stage.key)]


ACTIONS: dict[type, Callable[[Activation], list[Said]]] = {
    Run: _run,
    Emit: _emit,
    Set: _set,
    End: _end,
    WaitUntil: waits.until,
    WaitEvent: waits.event,
    Call: calls.call,
    Task: asking.ask,
}
