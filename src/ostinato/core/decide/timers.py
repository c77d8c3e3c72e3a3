"""Timers fire. One that no longer fits its moment changes nothing."""

from __future__ import annotations

from msgspec import Raw, json

from ostinato.core import events as e
from ostinato.core.callers import CALLING
from ostinato.core.decide.activation import Activation
from ostinato.core.decide.asking import escalate
from ostinato.core.decide.ending import timed_out
from ostinato.core.decide.flowing import onward
from ostinato.core.decide.jobs import admitted, once_more
from ostinato.core.decide.moves import Said
from ostinato.core.decide.reporting import attempt_failed
from ostinato.core.decide.steps import beat_at, halted, placeless, watch
from ostinato.core.facts import Failure, JobCancelled, JobSucceeded
from ostinato.core.model import Call
from ostinato.core.state import State, Step


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


def _again_due(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.kind not in ("retry", "repeat") or step.due_at != due_at or state.paused:
        return []
    attempt = step.attempt + 1
    if isinstance(step.job.action, Call):
        return admitted(Activation(
            state, step.scope, step.node, step.job, step.key, attempt, now, step.input
        ))  # fmt: skip
    beat = beat_at(step.job, now)
    return [
        *once_more(state, step, attempt, beat, step.deaths),
        *watch(step.key, None, beat),
    ]


def _wait_over(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.kind != "timer" or step.due_at != due_at:
        return []
    output = Raw(json.encode(due_at))
    done = JobSucceeded(step.key, step.attempt, output)
    return [done, *placeless(step), *onward(step.scope, step.node, step.key)]


def _step_timed_out(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.timeout_at != due_at:
        return []
    error = Failure("Timeout", f"{_late(step)} in time", step.node.name)
    return [*halted(step), *attempt_failed(state, step, error, now, final=True)]


def _late(step: Step) -> str:
    if step.kind in CALLING:
        return f"run {step.types[0]} did not end"
    return "nobody answered" if step.kind == "task" else "nothing came"


def _heartbeat_missed(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.beat_at != due_at:
        return []
    error = Failure("HeartbeatTimeout", f"{step.key}: no sign of life in time", step.node.name)
    return [*halted(step), *attempt_failed(state, step, error, now)]


def _grace_over(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    if step.status != "cancelling" or step.due_at != due_at:
        return []
    gone = JobCancelled(step.key, step.attempt)
    return [gone, *placeless(step), *onward(step.scope, step.node, step.key)]


RULES = {
    "retry": _again_due,
    "repeat": _again_due,
    "due": _wait_over,
    "timeout": _step_timed_out,
    "heartbeat": _heartbeat_missed,
    "grace": _grace_over,
    "escalate": escalate,
}
