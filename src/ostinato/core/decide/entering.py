"""Tokens enter nodes: a job becomes ready, a wait is armed, a scope or an ``each`` opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw

from ...errors import ExpressionError, NotStorable
from .. import correlation
from ..codec import encode_value
from ..commands import OpenWait, Publish, SetTimer, StartJob
from ..durations import parse_duration
from ..events import Start
from ..expressions import parse_instant
from ..facts import (
    Failure,
    GatewayPassed,
    ItemsResolved,
    JobFailed,
    JobReady,
    JobSkipped,
    JobSucceeded,
    JobWaiting,
    RunStarted,
    ScopeOpened,
    ScopeSkipped,
)
from ..graph import Node
from ..model import Emit, Job, Kind, Run, Set, WaitEvent, WaitUntil
from ..names import Names
from ..state import Scope, State
from .flowing import holds, onward
from .moves import Begin, Enter, Fail, Leave, Said, Settle
from .steps import beat_at, timeout_at, watch


def start(state: State, event: Start, now: int) -> list[Said]:
    if state.run_id:
        return []
    graph = state.graph
    due_at = None if graph.timeout is None else now + graph.timeout
    started = RunStarted(
        event.run_id, graph.workflow, graph.version, event.seed, event.uid,
        event.input, event.event, due_at,
    )  # fmt: skip
    said: list[Said] = [started]
    if due_at is not None:
        said.append(SetTimer("", "timeout", due_at))
    return [*said, Begin("")]


def begin(state: State, move: Begin, now: int) -> list[Said]:
    if move.key.endswith("]") and move.key not in state.scopes:
        return [ScopeOpened(move.key), move]
    scope = state.scopes[move.key]
    if scope.items is not None:
        return [Settle(scope.key)]
    if scope.node.kind is Kind.JOB:
        return _job(state, scope, scope.node, scope.key, now)
    if not scope.node.starts:
        return [Settle(scope.key)]
    return [Enter(scope, node) for node in scope.node.starts]


def enter(state: State, move: Enter, now: int) -> list[Said]:
    scope, node = move
    if scope.stopping:
        return [Settle(scope.key)]
    key = scope.next_key(node)
    if node.kind is Kind.JOB or node.kind is Kind.SCOPE:
        return _activity(state, scope, node, key, now)
    return [GatewayPassed(key), Leave(scope, node)]


def _activity(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    try:
        if node.when is not None and not holds(node.when, Names(state, scope, job_key=key)):
            why = f"{node.when.text} is false"
            return [*_skipped(node, key, why), Leave(scope, node)]
        if node.each is not None:
            return _each(state, scope, node, key, now)
    except (ExpressionError, NotStorable) as error:
        return _broken(scope, node, key, error)
    if node.kind is Kind.JOB:
        return _job(state, scope, node, key, now)
    return [*_opened(node, key, now), Begin(key)]


def _skipped(node: Node, key: str, why: str) -> list[Said]:
    """A skipped scope skips each job in it."""
    if node.kind is Kind.JOB:
        return [JobSkipped(key, why)]
    said: list[Said] = [ScopeSkipped(key, why)]
    for child in node.children:
        if child.kind is Kind.JOB or child.kind is Kind.SCOPE:
            said += _skipped(child, f"{key}/{child.name}", why)
    return said


def _broken(scope: Scope, node: Node, key: str, error: ExpressionError | NotStorable) -> list[Said]:
    failure = Failure(error.code, f"{node.path}: {error}", node.name)
    if node.kind is Kind.SCOPE or node.each is not None:
        return [Fail(scope, failure)]
    return failed(scope, node, key, 1, failure)


def failed(scope: Scope, node: Node, key: str, attempt: int, error: Failure) -> list[Said]:
    """The job has failed for good; an optional one lets its token go on."""
    fact = JobFailed(key, attempt, error)
    forgiven = node.optional and (node.each is None or scope.index is None)
    if forgiven or scope.stopping:
        return [fact, onward(scope, node)]
    return [fact, Fail(scope, Failure(error.name, error.message, node.name))]


def _each(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    assert node.each is not None  # noqa: S101
    items = node.each.items.evaluate(Names(state, scope))
    if not isinstance(items, list):
        raise ExpressionError(f"each.in: {node.each.items.text} gave {items!r:.80}, not a list")
    said = _opened(node, key, now)
    return [*said, ItemsResolved(key, encode_value(items)), Begin(key)]


def _opened(node: Node, key: str, now: int) -> list[Said]:
    if node.timeout is None or node.kind is Kind.JOB:
        return [ScopeOpened(key)]
    due_at = now + node.timeout
    return [ScopeOpened(key, due_at), SetTimer(key, "timeout", due_at)]


# jobs, by action


def _job(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = node.job
    assert job is not None  # noqa: S101
    try:
        return ACTIONS[type(job.action)](state, scope, node, key, now)
    except (ExpressionError, NotStorable) as error:
        failure = Failure(error.code, f"{node.path}: {error}", node.name)
        return failed(scope, node, key, 1, failure)


def _run(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = _spec(node)
    data = None
    if job.input is not None and not job.input.constant:
        data = encode_value(job.input.render(Names(state, scope, job_key=key)))
    timeout = timeout_at(job, now) if job.callback else None
    beat = beat_at(job, now)
    ready = JobReady(key, data, 1, timeout, beat)
    return [ready, start_job(state, node, key, 1, data), *watch(key, timeout, beat)]


def start_job(state: State, node: Node, key: str, attempt: int, data: Raw | None) -> StartJob:
    """One attempt of the job, with its recorded input or the definition's constant."""
    job = _spec(node)
    assert isinstance(job.action, Run)  # noqa: S101
    if data is None and job.input is not None:
        data = constant(node)
    timeout = None if job.callback else job.timeout
    token = state.token(key) if job.callback else ""
    return StartJob(key, attempt, job.action.handler, data, timeout, token)


def constant(node: Node) -> Raw:
    """A constant input, encoded once per graph."""
    if node.constant is None:
        job = _spec(node)
        node.constant = encode_value(job.input.value if job.input is not None else None)
    return node.constant


def _emit(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = _spec(node)
    event = _rendered(state, scope, node, key)
    if not isinstance(event.get("type"), str) or not event["type"]:
        raise ExpressionError("emit.type is not a text")
    event_id, subject = f"{state.run_id}:{key}", event.get("subject")
    publish = Publish(
        event_id, event["type"], encode_value(event.get("data")), subject and str(subject)
    )
    if job.callback:
        timeout, beat = timeout_at(job, now), beat_at(job, now)
        waiting = JobWaiting(key, "callback", timeout_at=timeout)
        return [waiting, publish, *watch(key, timeout, beat)]
    output = Raw(msgspec.json.encode({"id": event_id}))
    return [JobSucceeded(key, 1, output), publish, onward(scope, node)]


def _set(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    values = encode_value(_rendered(state, scope, node, key))
    return [JobSucceeded(key, 1, values), onward(scope, node)]


def _wait_until(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = _spec(node)
    assert isinstance(job.action, WaitUntil)  # noqa: S101
    if job.action.span is not None:
        due_at = now + job.action.span
    else:
        due_at = _instant(_rendered(state, scope, node, key).get("until"), now)
    return [JobWaiting(key, "timer", due_at=due_at), SetTimer(key, "due", due_at)]


def _instant(value: Any, now: int) -> int:
    """An RFC 3339 text, ms since epoch, or a duration from now."""
    if isinstance(value, str):
        try:
            return now + parse_duration(value)
        except ValueError:
            return parse_instant(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"wait.until gave {value!r:.80}, not an instant")


def _wait_event(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = _spec(node)
    action = job.action
    assert isinstance(action, WaitEvent)  # noqa: S101
    match = _rendered(state, scope, node, key) if job.input is not None else {}
    values_key = correlation.key_of_pattern(action.paths, match)
    since: int | None = state.started_at
    if action.look_back is not None:
        since = max(state.started_at, now - action.look_back)
    if action.look_back == 0:
        since = None
    timeout = timeout_at(job, now)
    pattern = encode_value(match) if match else None
    waiting = JobWaiting(
        key, "event", timeout_at=timeout, types=action.types, match=pattern
    )
    wait = OpenWait(key, action.types, action.paths, values_key, since)
    return [waiting, wait, *watch(key, timeout, None)]


def _rendered(state: State, scope: Scope, node: Node, key: str) -> dict[str, Any]:
    job = _spec(node)
    value = None if job.input is None else job.input.render(Names(state, scope, job_key=key))
    if not isinstance(value, dict):
        raise ExpressionError(f"the values are {value!r:.80}, not a map")
    return value


def _spec(node: Node) -> Job:
    assert node.job is not None  # noqa: S101
    return node.job


ACTIONS: dict[type, Callable[[State, Scope, Node, str, int], list[Said]]] = {
    Run: _run,
    Emit: _emit,
    Set: _set,
    WaitUntil: _wait_until,
    WaitEvent: _wait_event,
}
