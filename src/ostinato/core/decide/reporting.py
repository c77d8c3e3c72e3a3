"""A job says how it went; timers fire; answers and events arrive.

A report counts only for the attempt that is open: anything else changes nothing, so every
report may be repeated.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.commands import SetTimer
from ostinato.core.decide.ending import timed_out
from ostinato.core.decide.flowing import holds, onward
from ostinato.core.decide.jobs import job_failed, start_job
from ostinato.core.decide.moves import Said
from ostinato.core.decide.steps import beat_at, quiet, unarm, watch
from ostinato.core.facts import (
    Failure,
    JobAbandoned,
    JobCancelled,
    JobHeard,
    JobReady,
    JobRetried,
    JobStarted,
    JobSucceeded,
    JobWaiting,
)
from ostinato.core.model import Run, WaitEvent
from ostinato.core.names import Names
from ostinato.core.patterns import Pattern
from ostinato.core.state import BUSY, State, Step
from ostinato.core.timing import next_attempt
from ostinato.errors import ExpressionError

MAX_DEATHS = 3
"""Attempts that may die with their process before the job is given up."""


def _busy(state: State, key: str, attempt: int) -> Step | None:
    """The step, if this attempt of it is the one at work."""
    step = state.steps.get(key)
    if step is None or step.attempt != attempt or step.status not in BUSY:
        return None
    return step


def completed(state: State, event: e.Completed, now: int) -> list[Said]:
    step = _busy(state, event.key, event.attempt)
    if step is None:
        return []
    job = step.node.job
    if job is not None and job.callback and step.status != "cancelling":
        return _wait_for_answer(step)
    return _succeeded(state, step, event.output, now)


def _succeeded(state: State, step: Step, output: Raw, now: int) -> list[Said]:
    if (error := _unexpected(state, step, output)) is not None:
        return _attempt_failed(state, step, error, now)
    fact = JobSucceeded(step.key, step.attempt, output)
    return [fact, *quiet(step), onward(step.scope, step.node)]


def _unexpected(state: State, step: Step, output: Raw) -> Failure | None:
    job = step.node.job
    if job is None or job.expect is None:
        return None
    names = Names(state, step.scope, step, extra={"output": msgspec.json.decode(output)})
    try:
        if holds(job.expect, names):
            return None
    except ExpressionError as error:
        return Failure(error.code, f"expect: {error}")
    shown = bytes(output).decode(errors="replace")
    return Failure("Unexpected", f"expected {job.expect.text}, got {shown:.200}")


def failed(state: State, event: e.Failed, now: int) -> list[Said]:
    step = _busy(state, event.key, event.attempt)
    if step is None:
        return []
    return _attempt_failed(state, step, event.error, now, final=event.final, after=event.after)


def _attempt_failed(
    state: State,
    step: Step,
    error: Failure,
    now: int,
    *,
    final: bool = False,
    after: int | None = None,
) -> list[Said]:
    if step.status == "cancelling":
        return _cancelled(step)
    due_at = None if final or step.scope.stopping else _retry_at(state, step, error, now, after)
    if due_at is None:
        return [*quiet(step), *job_failed(step.scope, step.node, step.key, step.attempt, error)]
    retried = JobRetried(step.key, step.attempt, error, due_at)
    return [*unarm(step), retried, SetTimer(step.key, "retry", due_at)]


def _retry_at(
    state: State, step: Step, error: Failure, now: int, after: int | None
) -> int | None:
    job = step.node.job
    if job is None or not isinstance(job.action, Run) or error.name in NEVER_RETRIED:
        return None
    seed = f"{state.seed}:{step.key}:{step.attempt}"
    failures = step.failures + 1
    return next_attempt(job.retry, error.name, failures, step.ready_at, now, seed, after)


NEVER_RETRIED = frozenset({"Fail", "WrongArguments", "ExpressionError", "ExpressionTooCostly"})


def _cancelled(step: Step) -> list[Said]:
    fact = JobCancelled(step.key, step.attempt)
    return [*quiet(step), fact, onward(step.scope, step.node)]


def deferred(state: State, event: e.Deferred, now: int) -> list[Said]:
    step = _busy(state, event.key, event.attempt)
    if step is None or step.status == "cancelling":
        return []
    return _wait_for_answer(step)


def _wait_for_answer(step: Step) -> list[Said]:
    return [JobWaiting(step.key, "callback", step.attempt, timeout_at=step.timeout_at)]


def stopped(state: State, event: e.Stopped, now: int) -> list[Said]:
    step = _busy(state, event.key, event.attempt)
    return _cancelled(step) if step is not None and step.status == "cancelling" else []


def started(state: State, event: e.Started, now: int) -> list[Said]:
    step = _busy(state, event.key, event.attempt)
    if step is None or step.status != "ready":
        return []
    return [JobStarted(step.key, step.attempt)]


def heard(state: State, event: e.Heard, now: int) -> list[Said]:
    step = state.steps.get(event.key)
    if step is None or not step.open or step.attempt != event.attempt:
        return []
    job = step.node.job
    if job is None or job.heartbeat is None:
        return []
    beat_at = now + job.heartbeat
    return [JobHeard(step.key, beat_at), SetTimer(step.key, "heartbeat", beat_at)]


def answered(state: State, event: e.Answered, now: int) -> list[Said]:
    step = state.steps.get(event.key)
    if step is None or not step.open or step.kind == "retry":
        return []
    if event.error is not None:
        return _attempt_failed(state, step, event.error, now, final=True)
    return _succeeded(state, step, event.output or Raw(b"null"), now)


def arrived(state: State, event: e.Arrived, now: int) -> list[Said]:
    step = state.steps.get(event.key)
    if step is None or step.status != "waiting" or step.kind != "event":
        return []
    if not fits(step, msgspec.json.decode(event.event)):
        return []
    return _succeeded(state, step, event.event, now)


def fits(step: Step, event: dict[str, Any]) -> bool:
    """Whether the event is one that this wait looks for."""
    job = step.node.job
    if job is None or not isinstance(job.action, WaitEvent) or event["type"] not in step.types:
        return False
    return step.match is None or Pattern(msgspec.json.decode(step.match)).matches(event)


# timers


def timer_fired(state: State, event: e.TimerFired, now: int) -> list[Said]:
    if state.ended:
        return []
    step = state.steps.get(event.key)
    if step is None:
        return timed_out(state, event)
    if not step.open:
        return []
    rule = RULES.get(event.kind)
    return rule(state, step, event.due_at, now) if rule is not None else []


def _retry_due(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.kind != "retry" or step.due_at != due_at:
        return []
    attempt = step.attempt + 1
    beat = None if step.node.job is None else beat_at(step.node.job, now)
    return [
        JobReady(step.key, attempt=attempt, beat_at=beat),
        start_job(state, step.node, step.key, attempt, step.input),
        *watch(step.key, None, beat),
    ]


def _wait_over(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.kind != "timer" or step.due_at != due_at:
        return []
    output = Raw(msgspec.json.encode(due_at))
    return [JobSucceeded(step.key, step.attempt, output), onward(step.scope, step.node)]


def _step_timed_out(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.timeout_at != due_at:
        return []
    error = Failure("Timeout", f"{step.key}: nothing came in time", step.node.name)
    return _attempt_failed(state, step, error, now, final=True)


def _heartbeat_missed(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.beat_at != due_at:
        return []
    error = Failure("HeartbeatTimeout", f"{step.key}: no sign of life in time", step.node.name)
    return _attempt_failed(state, step, error, now)


def _grace_over(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.status != "cancelling" or step.due_at != due_at:
        return []
    return [JobCancelled(step.key, step.attempt), onward(step.scope, step.node)]


RULES = {
    "retry": _retry_due,
    "due": _wait_over,
    "timeout": _step_timed_out,
    "heartbeat": _heartbeat_missed,
    "grace": _grace_over,
}


# takeover


def taken_over(state: State, event: e.TakenOver, now: int) -> list[Said]:
    said: list[Said] = []
    for step in state.open.values():
        if step.status in BUSY:
            said += _taken_up(state, step)
    return said


def _taken_up(state: State, step: Step) -> list[Said]:
    """Start again, unless this job has taken its process down too often."""
    lost = JobAbandoned(step.key, step.attempt)
    if step.status == "cancelling":
        return [lost, *_cancelled(step)]
    if step.deaths + step.started >= MAX_DEATHS:
        error = Failure("Abandoned", f"{step.key} died with its process {MAX_DEATHS} times")
        return [lost, *quiet(step), *job_failed(
            step.scope, step.node, step.key, step.attempt, error
        )]  # fmt: skip
    attempt = step.attempt + 1
    return [
        lost,
        JobStarted(step.key, attempt),
        start_job(state, step.node, step.key, attempt, step.input),
    ]
