"""What happens to the steps: one function per fact about a job."""

from __future__ import annotations

import msgspec

from ostinato.core import facts as f
from ostinato.core.fold.scopes import count, parent_of, visit
from ostinato.core.graph import UNDO
from ostinato.core.model import Set
from ostinato.core.state import BUSY, TAKEN_BACK, Scope, State, Step, path_of


def step_of(state: State, key: str, at: int) -> Step:
    """The step of this key, made when it is new."""
    step = state.steps.get(key)
    if step is not None:
        return step
    node = state.graph.nodes.get(key)  # a key is its node's path until something comes again
    if node is not None:
        step = Step(key, node, parent_of(state, key), at, node.job or node.spec)
    elif ":" in key:
        step = _taking_back(state, key, at)
    else:
        step = _again(state, key, at)
    state.steps[key] = step
    visit(step.scope, step)
    state.open[key] = step
    state.busy += 1
    return step


def _again(state: State, key: str, at: int) -> Step:
    item = _item(state, key) if "]" in key else None
    scope = item if item is not None else parent_of(state, key)
    node = scope.node if item is not None else state.graph.nodes[path_of(key)]
    return Step(key, node, scope, at, node.job or node.spec)


def _item(state: State, key: str) -> Scope | None:
    """The item of a job's own ``each`` that the step is: ``p/a[1]``, or ``p/a[1]#2``."""
    end = key.rfind("]") + 1
    if "/" in key[end:]:
        return None
    return state.scopes.get(key[:end])


def _taking_back(state: State, key: str, at: int) -> Step:
    undone = key.removesuffix(TAKEN_BACK)
    state.undoing = state.to_undo.pop()
    node = state.steps[undone].node
    return Step(key, node, state.scopes[UNDO], at, node.undo or node.spec)


def become(state: State, step: Step, status: str) -> None:
    state.busy += (status in BUSY) - (step.status in BUSY)
    if step.topic is not None:
        state.offered += (status == "ready") - (step.status == "ready")
    step.status = status


def offer(state: State, step: Step, topic: str | None) -> None:
    """A step that is ready is offered under this topic, or is begun here."""
    state.offered += (topic is not None) - (step.topic is not None)
    step.topic = topic


def job_ready(state: State, fact: f.JobReady, at: int) -> None:
    step = step_of(state, fact.key, at)
    become(state, step, "ready")
    step.attempt, step.started = fact.attempt, False
    step.due_at, step.beat_at, step.kind = None, fact.beat_at, ""
    if step.topic is not None:
        offer(state, step, None)
    if fact.timeout_at is not None:
        step.timeout_at = fact.timeout_at
    if (data := f.given(fact.input)) is not None:
        step.input = data


def job_offered(state: State, fact: f.JobOffered, at: int) -> None:
    job_ready(state, fact, at)
    step = state.steps[fact.key]
    offer(state, step, fact.topic)
    step.waiting_since = at


def job_started(state: State, fact: f.JobStarted, at: int) -> None:
    step = state.steps[fact.key]
    become(state, step, "running")
    step.attempt, step.started, step.started_at = fact.attempt, True, at


def job_taken(state: State, fact: f.JobTaken, at: int) -> None:
    job_started(state, fact, fact.since)
    state.steps[fact.key].worker = fact.worker


def job_waiting(state: State, fact: f.JobWaiting, at: int) -> None:
    step = step_of(state, fact.key, at)
    become(state, step, "waiting")
    step.kind, step.attempt = fact.kind, fact.attempt
    step.due_at, step.timeout_at, step.beat_at = fact.due_at, fact.timeout_at, fact.beat_at
    step.types, step.match = fact.types, f.given(fact.match)
    if (data := f.given(fact.input)) is not None:
        step.input = data
    step.waiting_since, step.waiting_from = at, state.seq


def job_reassigned(state: State, fact: f.JobReassigned, at: int) -> None:
    step = state.steps[fact.key]
    step.input, step.due_at = fact.input, fact.due_at


def job_heard(state: State, fact: f.JobHeard, at: int) -> None:
    state.steps[fact.key].beat_at = fact.beat_at


def job_retried(state: State, fact: f.JobRetried, at: int) -> None:
    step = state.steps[fact.key]
    become(state, step, "waiting")
    step.kind, step.due_at, step.error = "retry", fact.due_at, fact.error
    step.beat_at = None
    step.failures += 1


def job_repeated(state: State, fact: f.JobRepeated, at: int) -> None:
    step = state.steps[fact.key]
    become(state, step, "waiting")
    step.kind, step.due_at, step.output = "repeat", fact.due_at, fact.output
    step.beat_at, step.failures = None, 0
    step.repeats += 1


def job_caught(state: State, fact: f.JobCaught, at: int) -> None:
    step = step_of(state, fact.key, at)
    become(state, step, "waiting")
    step.error, step.attempt, step.failures = fact.error, fact.attempt, 0
    step.caught, step.kind = step.node.spec.catch[fact.catch], "catch"
    step.job = step.caught.job or step.node.spec
    step.due_at = step.beat_at = step.timeout_at = None
    step.input = step.output = None
    step.places = ()


def job_queued(state: State, fact: f.JobQueued, at: int) -> None:
    step = step_of(state, fact.key, at)
    become(state, step, "waiting")
    step.kind, step.attempt, step.places = "turn", fact.attempt, fact.names
    if (data := f.given(fact.input)) is not None:
        step.input = data
    step.waiting_since, step.waiting_from = at, state.seq


def job_held(state: State, fact: f.JobHeld, at: int) -> None:
    step = step_of(state, fact.key, at)
    become(state, step, "waiting")
    state.held = True
    step.kind, step.error, step.attempt = "repair", fact.error, fact.attempt
    step.places = ()
    step.due_at = step.beat_at = step.timeout_at = None
    step.waiting_since, step.waiting_from = at, state.seq


def job_abandoned(state: State, fact: f.JobAbandoned, at: int) -> None:
    step = state.steps[fact.key]
    step.deaths += step.started
    step.started = False
    if step.topic is not None:
        become(state, step, "ready")


def job_returned(state: State, fact: f.JobReturned, at: int) -> None:
    step = state.steps[fact.key]
    become(state, step, "ready")
    step.started = False


def job_cancelling(state: State, fact: f.JobCancelling, at: int) -> None:
    step = state.steps[fact.key]
    become(state, step, "cancelling")
    step.due_at, step.beat_at, step.timeout_at = fact.due_at, None, None


def job_succeeded(state: State, fact: f.JobSucceeded, at: int) -> None:
    step = step_of(state, fact.key, at)
    step.output, step.attempt = fact.output, fact.attempt
    if step.caught is None:
        step.error = None
    if step.kind == "event":
        _hear(state, fact.output)
    _close_step(state, step, "succeeded", at)
    if isinstance(step.job.action, Set):
        _set(state, fact.output)


def _set(state: State, output: msgspec.Raw) -> None:
    """What stands in for the values, or was given by a person, may be no map: it sets nothing."""
    values = msgspec.json.decode(output)
    if isinstance(values, dict):
        state.vars.update(values)


def _hear(state: State, output: msgspec.Raw) -> None:
    event = msgspec.json.decode(output)
    if isinstance(event, dict):
        name = (event.get("source", ""), event.get("id", ""))
        state.heard.setdefault(name, state.seq)
        if state.signals:
            state.signals = tuple(one for one in state.signals if _name(one) != name)


def _name(event: msgspec.Raw) -> tuple[str, str]:
    members = msgspec.json.decode(event)
    return members["source"], members["id"]


def job_failed(state: State, fact: f.JobFailed, at: int) -> None:
    step = step_of(state, fact.key, at)
    step.error, step.attempt = fact.error, fact.attempt
    _close_step(state, step, "failed", at)


def job_skipped(state: State, fact: f.JobSkipped, at: int) -> None:
    step = step_of(state, fact.key, at)
    step.why = fact.why
    if (output := f.given(fact.output)) is not None:
        step.output = output
        if isinstance(step.job.action, Set):  # as in a fork, to which the output is given
            _set(state, output)
    if fact.key.endswith(TAKEN_BACK):  # it was not taken back
        state.undoing = None
    _close_step(state, step, "skipped", at)


def job_cancelled(state: State, fact: f.JobCancelled, at: int) -> None:
    _close_step(state, state.steps[fact.key], "cancelled", at)


def _close_step(state: State, step: Step, status: str, at: int) -> None:
    become(state, step, status)
    step.ended_at, step.ended_seq, step.places = at, state.seq, ()
    step.due_at = step.beat_at = step.timeout_at = None
    del state.open[step.key]
    step.scope.live.pop(step.key, None)
    if step.scope.node.enough is not None:
        count(step.scope, status)
