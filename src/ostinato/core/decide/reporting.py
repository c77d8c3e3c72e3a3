"""A job says how it went; answers and events arrive.

A report counts only for the attempt that is open: anything else changes nothing, so every
report may be repeated.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.commands import SetTimer
from ostinato.core.decide.failing import job_failed
from ostinato.core.decide.flowing import holds, onward
from ostinato.core.decide.moves import Said
from ostinato.core.decide.steps import next_beat, quiet, timeout_at, unarm, watch, withdrawn
from ostinato.core.expressions import Expression
from ostinato.core.facts import (
    Failure,
    JobCancelled,
    JobHeard,
    JobRepeated,
    JobRetried,
    JobReturned,
    JobStarted,
    JobSucceeded,
    JobTaken,
    JobWaiting,
)
from ostinato.core.model import Call, Repeat, Run, WaitEvent
from ostinato.core.names import Names
from ostinato.core.patterns import Pattern
from ostinato.core.state import BUSY, State, Step
from ostinato.core.timing import next_attempt
from ostinato.errors import ExpressionError


def busy_step(state: State, key: str, attempt: int) -> Step | None:
    """The step, if this attempt of it is the one at work."""
    step = state.steps.get(key)
    if step is None or step.attempt != attempt or step.status not in BUSY:
        return None
    return step


def completed(state: State, event: e.Completed, now: int) -> list[Said]:
    step = busy_step(state, event.key, event.attempt)
    if step is None:
        return []
    job = step.job
    if job.callback:
        return _wait_for_answer(step)
    if job.expect is None and job.repeat is None:
        return done(step, event.output)
    return succeeded(state, step, event.output, now)


def succeeded(
    state: State, step: Step, output: Raw, now: int, *, final: bool = False
) -> list[Said]:
    job = step.job
    if job.expect is not None:
        error = _unexpected(state, step, job.expect, output)
        if error is not None:
            return attempt_failed(state, step, error, now, final=final)
    if job.repeat is not None and step.status != "cancelling":
        return _repeated(state, step, job.repeat, output, now)
    return done(step, output)


def done(step: Step, output: Raw) -> list[Said]:
    said: list[Said] = [JobSucceeded(step.key, step.attempt, output)]
    said += quiet(step)
    said += onward(step.scope, step.node, step.key)
    return said


def _unexpected(state: State, step: Step, expect: Expression, output: Raw) -> Failure | None:
    try:
        if holds(expect, _over(state, step, output)):
            return None
    except ExpressionError as error:
        return Failure(error.code, f"expect: {error}")
    shown = bytes(output).decode(errors="replace")
    return Failure("Unexpected", f"expected {expect.text}, got {shown:.200}")


def _over(state: State, step: Step, output: Raw) -> Names:
    return Names(state, step.scope, step, extra={"output": msgspec.json.decode(output)})


def _repeated(state: State, step: Step, repeat: Repeat, output: Raw, now: int) -> list[Said]:
    """Done when the condition holds over what came; else once more."""
    try:
        if holds(repeat.until, _over(state, step, output)):
            return done(step, output)
    except ExpressionError as error:
        failure = Failure(error.code, f"repeat.until: {error}")
        return attempt_failed(state, step, failure, now, final=True)
    if step.repeats + 1 >= repeat.limit:
        text = f"{repeat.until.text} did not hold after {repeat.limit:,} times"
        return attempt_failed(state, step, Failure("RepeatLimit", text), now, final=True)
    due_at = now + repeat.every
    again = JobRepeated(step.key, step.attempt, output, due_at)
    return [*unarm(step), again, SetTimer(step.key, "repeat", due_at)]


def failed(state: State, event: e.Failed, now: int) -> list[Said]:
    step = busy_step(state, event.key, event.attempt)
    if step is None:
        return []
    return attempt_failed(state, step, event.error, now, final=event.final, after=event.after)


def attempt_failed(
    state: State,
    step: Step,
    error: Failure,
    now: int,
    *,
    final: bool = False,
    after: int | None = None,
) -> list[Said]:
    if step.status == "cancelling":
        return cancelled(step)
    due_at = None if final or step.scope.stopping else _retry_at(state, step, error, now, after)
    if due_at is None:
        return [*quiet(step), *_lost(state, step, error)]
    retried = JobRetried(step.key, step.attempt, error, due_at)
    return [*unarm(step), retried, SetTimer(step.key, "retry", due_at)]


def _lost(state: State, step: Step, error: Failure) -> list[Said]:
    return job_failed(state, step.scope, step.node, step.key, step.attempt, error)


def _retry_at(state: State, step: Step, error: Failure, now: int, after: int | None) -> int | None:
    job = step.job
    if not isinstance(job.action, Run | Call):
        return None
    seed = f"{state.seed}:{step.key}:{step.attempt}"
    failures = step.failures + 1
    return next_attempt(job.retry, error.name, failures, step.ready_at, now, seed, after)


def cancelled(step: Step) -> list[Said]:
    fact = JobCancelled(step.key, step.attempt)
    return [*quiet(step), fact, *onward(step.scope, step.node, step.key)]


def deferred(state: State, event: e.Deferred, now: int) -> list[Said]:
    """What its document says of a callback holds for it: ``callback: true`` was not written."""
    step = busy_step(state, event.key, event.attempt)
    if step is None:
        return []
    if step.job.callback or step.status == "cancelling":
        return _wait_for_answer(step)
    timeout = timeout_at(step.job, now) if step.timeout_at is None else step.timeout_at
    beat = next_beat(step.job, now)
    waiting = JobWaiting(step.key, "callback", step.attempt, timeout_at=timeout, beat_at=beat)
    return [waiting, *watch(step.key, timeout, beat)]


def _wait_for_answer(step: Step) -> list[Said]:
    """Nobody waits for an answer to a job that is being cancelled."""
    if step.status == "cancelling":
        return cancelled(step)
    return [
        JobWaiting(
            step.key, "callback", step.attempt, timeout_at=step.timeout_at, beat_at=step.beat_at
        )
    ]


def stopped(state: State, event: e.Stopped, now: int) -> list[Said]:
    step = busy_step(state, event.key, event.attempt)
    return cancelled(step) if step is not None and step.status == "cancelling" else []


def handed_over(state: State, event: e.HandedOver, now: int) -> list[Said]:
    step = busy_step(state, event.key, event.attempt)
    if step is None:
        return []
    if step.status == "cancelling":
        return cancelled(step)
    if step.topic is not None and not step.started:  # nobody has heard that it had begun
        return []
    return [JobReturned(step.key, step.attempt)]


def started(state: State, event: e.Started, now: int) -> list[Said]:
    step = busy_step(state, event.key, event.attempt)
    if step is None or step.status != "ready":
        return []
    return [JobStarted(step.key, step.attempt)]


def taken(state: State, event: e.Taken, now: int) -> list[Said]:
    step = busy_step(state, event.key, event.attempt)
    if step is None or step.status != "ready" or step.topic is None:
        return []
    return [JobTaken(step.key, step.attempt, event.worker, event.since)]


def heard(state: State, event: e.Heard, now: int) -> list[Said]:
    step = state.steps.get(event.key)
    if step is None or step.attempt != event.attempt or step.beat_at is None:
        return []
    due_at = next_beat(step.job, now) or now
    return [JobHeard(step.key, due_at), SetTimer(step.key, "heartbeat", due_at)]


def answered(state: State, event: e.Answered, now: int) -> list[Said]:
    """An answer is final. Between two attempts an error says nothing new, an output does."""
    step = state.steps.get(event.key)
    if step is None or not step.open or not _awaits_answer(step):
        return []
    if event.error is None:
        output = event.output or Raw(b"null")
        return [*withdrawn(step), *succeeded(state, step, output, now, final=True)]
    if step.kind == "retry":
        return []
    return [*withdrawn(step), *attempt_failed(state, step, event.error, now, final=True)]


def _awaits_answer(step: Step) -> bool:
    """What stands in for a job has its address, and mostly nothing to be answered.

    What waits for a person is for a person to end, and between two times nothing was asked.
    """
    if step.kind in ("repair", "catch", "repeat"):
        return False
    return step.caught is None or step.job.callback or step.kind == "callback"


def arrived(state: State, event: e.Arrived, now: int) -> list[Said]:
    step = state.steps.get(event.key)
    if step is None or step.status != "waiting" or step.kind != "event":
        return []
    return hear(state, step, event.event, now)


def hear(state: State, step: Step, event: Raw, now: int) -> list[Said]:
    """What the wait of ``step`` makes of an event."""
    found = msgspec.json.decode(event)
    if _was_heard(state, step, found) or not fits(step, found):
        return []
    return succeeded(state, step, event, now)


def _was_heard(state: State, step: Step, event: dict[str, Any]) -> bool:
    """It started this run, or continued it before this wait began."""
    name = (event["source"], event["id"])
    trigger = state.event_value
    if trigger is not None and (trigger["source"], trigger["id"]) == name:
        return True
    return state.heard.get(name, step.waiting_from) < step.waiting_from


def fits(step: Step, event: dict[str, Any]) -> bool:
    """Whether the event is one that this wait looks for."""
    if not isinstance(step.job.action, WaitEvent) or event["type"] not in step.types:
        return False
    return step.match is None or Pattern(msgspec.json.decode(step.match)).matches(event)
