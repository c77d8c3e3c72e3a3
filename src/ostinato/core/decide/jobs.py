"""A job begins: a handler is asked for, an event published, variables set, a wait armed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
from msgspec import Raw

from ostinato.core import correlation
from ostinato.core.codec import encode_value
from ostinato.core.commands import OpenWait, Publish, SetTimer, StartJob
from ostinato.core.decide.flowing import onward
from ostinato.core.decide.moves import Fail, Said
from ostinato.core.decide.steps import beat_at, timeout_at, watch
from ostinato.core.durations import parse_duration
from ostinato.core.facts import NOTHING, Failure, JobFailed, JobReady, JobSucceeded, JobWaiting
from ostinato.core.graph import Node
from ostinato.core.instants import parse_instant
from ostinato.core.model import Emit, Run, Set, WaitEvent, WaitUntil
from ostinato.core.names import Names
from ostinato.core.patterns import Pattern
from ostinato.core.state import Scope, State
from ostinato.errors import DefinitionError, ExpressionError, PatternError, UsageError


def begin_job(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = node.spec
    try:
        return ACTIONS[type(job.action)](state, scope, node, key, now)
    except (ExpressionError, UsageError) as error:
        failure = Failure(error.code, f"{node.path}: {error}", node.name)
        return job_failed(scope, node, key, 1, failure)


def _run(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = node.spec
    data = None
    if job.input is not None and not job.input.constant:
        data = encode_value(job.input.render(Names(state, scope, job_key=key)))
    start = start_job(state, node, key, 1, data)
    if not job.callback:
        return [JobReady(key, data or NOTHING), start]
    timeout, beat = timeout_at(job, now), beat_at(job, now)
    return [JobReady(key, data or NOTHING, 1, timeout, beat), start, *watch(key, timeout, beat)]


def start_job(
    state: State, node: Node, key: str, attempt: int, data: Raw | None, deaths: int = 0
) -> StartJob:
    """One attempt of the job, with its recorded input or the definition's constant."""
    job = node.spec
    if data is None and job.input is not None and job.input.constant:
        data = constant(node)
    timeout = None if job.callback else job.timeout
    return StartJob(key, attempt, cast(Run, job.action).handler, data, timeout, deaths)


def outstanding(state: State) -> list[StartJob]:
    """The attempts that are open: what a process that lost its memory of them must start."""
    return [
        start_job(state, step.node, step.key, step.attempt, step.input, step.deaths)
        for step in state.open.values()
        if step.status in ("ready", "running")
    ]


def constant(node: Node) -> Raw:
    """A constant input, encoded once per graph."""
    if node.constant is None:
        job = node.spec
        node.constant = encode_value(None if job.input is None else job.input.render({}))
    return node.constant


def _emit(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = node.spec
    event = _rendered(state, scope, node, key)
    event_id = f"{state.run_id}:{key}"
    publish = _publish(event_id, event)
    if job.callback:
        timeout, beat = timeout_at(job, now), beat_at(job, now)
        waiting = JobWaiting(key, "callback", timeout_at=timeout, beat_at=beat)
        return [waiting, publish, *watch(key, timeout, beat)]
    output = Raw(msgspec.json.encode({"id": event_id}))
    return [JobSucceeded(key, 1, output), publish, onward(scope, node)]


def _publish(event_id: str, event: dict[str, Any]) -> Publish:
    for name in ("type", "subject", "source"):
        value = event.get(name)
        if value is not None and not isinstance(value, str):
            raise ExpressionError(f"emit.{name} gave {value!r:.80}, not a text")
    if not event.get("type"):
        raise ExpressionError("emit.type is empty")
    data = encode_value(event.get("data"))
    return Publish(event_id, event["type"], data, event.get("subject"), event.get("source"))


def _set(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    values = encode_value(_rendered(state, scope, node, key))
    return [JobSucceeded(key, 1, values), onward(scope, node)]


def _wait_until(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    span = cast(WaitUntil, node.spec.action).span
    if span is not None:
        due_at = now + span
    else:
        due_at = _instant(_rendered(state, scope, node, key).get("until"), now)
    return [JobWaiting(key, "timer", due_at=due_at), SetTimer(key, "due", due_at)]


LATEST = parse_instant("9999-12-31T23:59:59Z")


def _instant(value: Any, now: int) -> int:
    """An RFC 3339 text, ms since epoch, or a duration from now."""
    if isinstance(value, str):
        return _read_instant(value, now)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST:
        return int(value)
    raise ExpressionError(f"wait.until gave {value!r:.80}, not an instant")


def _read_instant(text: str, now: int) -> int:
    try:
        return (
            now + parse_duration(text)
            if text[:1] in "P0123456789" and "-" not in text
            else (parse_instant(text))
        )
    except (DefinitionError, ValueError) as error:
        raise ExpressionError(f"wait.until: {error}") from None


def _wait_event(state: State, scope: Scope, node: Node, key: str, now: int) -> list[Said]:
    job = node.spec
    action = cast(WaitEvent, job.action)
    match = _rendered(state, scope, node, key) if job.input is not None else {}
    values_key = correlation.key_of_values(action.paths, _values(action.paths, match))
    since: int | None = state.started_at
    if action.look_back is not None:
        since = max(state.started_at, now - action.look_back)
    if action.look_back == 0:
        since = None
    timeout = timeout_at(job, now)
    pattern = _pattern(match)
    waiting = JobWaiting(key, "event", timeout_at=timeout, types=action.types, match=pattern)
    wait = OpenWait(key, action.types, action.paths, values_key, since)
    return [waiting, wait, *watch(key, timeout, None)]


def _pattern(match: dict[str, Any]) -> Raw:
    """Looked at now: at an event's arrival nobody could be told that it is none."""
    if not match:
        return NOTHING
    try:
        Pattern(match)
    except PatternError as error:
        raise ExpressionError(f"wait.match: {error}") from None
    return encode_value(match)


def _values(paths: tuple[str, ...], match: dict[str, Any]) -> list[Any]:
    """What the pattern wants at each of ``paths``: one plain value each."""
    found = []
    for path in paths:
        leaf: Any = match
        for name in path.split("."):
            leaf = leaf[name]
        found.append(leaf[0])
    return found


def _rendered(state: State, scope: Scope, node: Node, key: str) -> dict[str, Any]:
    job = node.spec
    value = None if job.input is None else job.input.render(Names(state, scope, job_key=key))
    if not isinstance(value, dict):
        raise ExpressionError(f"the values are {value!r:.80}, not a map")
    return value


def job_failed(scope: Scope, node: Node, key: str, attempt: int, error: Failure) -> list[Said]:
    """The job has failed for good; an optional one lets its token go on."""
    fact = JobFailed(key, attempt, error)
    forgiven = node.optional and scope.node is not node  # an item asks its `each`
    if forgiven or scope.stopping:
        return [fact, onward(scope, node)]
    return [fact, Fail(scope, Failure(error.name, error.message, node.name))]


ACTIONS: dict[type, Callable[[State, Scope, Node, str, int], list[Said]]] = {
    Run: _run,
    Emit: _emit,
    Set: _set,
    WaitUntil: _wait_until,
    WaitEvent: _wait_event,
}
