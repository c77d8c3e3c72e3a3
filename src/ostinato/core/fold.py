"""Facts into state: the only code that writes a state.

``fold`` is a table by fact type. It never evaluates an expression and never decides: what it
needs stands in the fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ostinato.core import facts as f
from ostinato.core.graph import Graph
from ostinato.core.model import Set
from ostinato.core.state import BUSY, Scope, State, Step, path_of


def fold(state: State, fact: f.Fact, at: int) -> None:
    """Apply one fact that was recorded at ``at`` (ms since epoch)."""
    FOLD[type(fact)](state, fact, at)
    state.seq += 1


def replay(graph: Graph, records: Iterable[tuple[int, Iterable[f.Fact]]]) -> State:
    """The state after all ``records``, each (at, facts)."""
    state = State(graph)
    for at, facts in records:
        state.now = max(state.now, at)
        for fact in facts:
            fold(state, fact, at)
    return state


# the run


def _run_started(state: State, fact: f.RunStarted, at: int) -> None:
    state.run_id, state.uid, state.seed = fact.run_id, fact.uid, fact.seed
    state.input, state.event = f.given(fact.input), f.given(fact.event)
    state.status, state.started_at, state.due_at = "running", at, fact.due_at
    state.root.opened_at = at


def _run_finishing(state: State, fact: f.RunFinishing, at: int) -> None:
    state.output = fact.output


def _run_cancelling(state: State, fact: f.RunCancelling, at: int) -> None:
    state.cancelled = fact.why
    state.doing = "stopping"
    state.stuck = None
    _stop(state.root)


def _run_succeeded(state: State, fact: f.RunSucceeded, at: int) -> None:
    state.output = fact.output
    _end(state, "succeeded", at)


def _run_failed(state: State, fact: f.RunFailed, at: int) -> None:
    state.error = fact.error
    _end(state, "failed", at)


def _run_cancelled(state: State, fact: f.RunCancelled, at: int) -> None:
    _end(state, "cancelled", at)


def _end(state: State, status: str, at: int) -> None:
    state.status, state.ended_at = status, at
    state.stuck = None


def _run_stuck(state: State, fact: f.RunStuck, at: int) -> None:
    state.stuck = (fact.reason, fact.tokens)


def _run_warned(state: State, fact: f.RunWarned, at: int) -> None:
    state.warnings.append(fact.message)


# scopes and tokens


def _scope_opened(state: State, fact: f.ScopeOpened, at: int) -> None:
    scope = _new_scope(state, fact.key, at)
    scope.due_at = fact.due_at
    if scope.node is state.graph.on_failure or scope.node is state.graph.finally_:
        state.doing = scope.node.name


def _new_scope(state: State, key: str, at: int) -> Scope:
    if key.endswith("]"):
        return _new_item(state, key, at)
    node, parent = state.graph.nodes[path_of(key)], _parent(state, key)
    scope = Scope(key, node, parent, at)
    _visit(parent, scope)
    state.scopes[key] = scope
    return scope


def _new_item(state: State, key: str, at: int) -> Scope:
    container_key, _, index = key[:-1].rpartition("[")
    container = state.scopes[container_key]
    scope = Scope(key, container.node, container, at)
    scope.index = int(index)
    scope.item = container.items[scope.index] if container.items is not None else None
    scope.stopping = container.stopping
    container.live[key] = scope
    container.elements.append(scope)
    state.scopes[key] = scope
    return scope


def _parent(state: State, key: str) -> Scope:
    return state.scopes[key.rpartition("/")[0]]


def _visit(parent: Scope, child: Step | Scope) -> None:
    index = child.node.index
    parent.visits[index] = parent.visits.get(index, 0) + 1
    parent.latest[index] = child
    parent.live[child.key] = child


def _scope_skipped(state: State, fact: f.ScopeSkipped, at: int) -> None:
    scope = _new_scope(state, fact.key, at)
    _close(scope, "skipped", at)


def _close(scope: Scope, status: str, at: int) -> None:
    scope.status, scope.ended_at = status, at
    if scope.parent is not None:
        scope.parent.live.pop(scope.key, None)


def _scope_failing(state: State, fact: f.ScopeFailing, at: int) -> None:
    scope = state.scopes[fact.key]
    scope.error = fact.error
    _stop(scope)
    if scope.index is not None and scope.parent is not None:
        scope.parent.failed += 1
    if scope is state.root:
        state.error, state.stuck, state.doing = fact.error, None, "stopping"


def _stop(scope: Scope) -> None:
    scope.stopping = True
    scope.resting.clear()
    for child in scope.live.values():
        if isinstance(child, Scope):
            _stop(child)


def _scope_ended(state: State, fact: f.ScopeEnded, at: int) -> None:
    scope = state.scopes[fact.key]
    _close(scope, fact.status, at)
    if scope.node is state.graph.on_failure:
        state.doing = "stopping"


def _items_resolved(state: State, fact: f.ItemsResolved, at: int) -> None:
    state.scopes[fact.key].items = msgspec.json.decode(fact.items)


def _token_rested(state: State, fact: f.TokenRested, at: int) -> None:
    scope, index = state.scopes[fact.scope], state.graph.flows[fact.flow].index
    scope.resting[index] = scope.resting.get(index, 0) + 1


def _tokens_joined(state: State, fact: f.TokensJoined, at: int) -> None:
    resting = state.scopes[fact.scope].resting
    for name in fact.flows:
        index = state.graph.flows[name].index
        if resting[index] == 1:
            del resting[index]
        else:
            resting[index] -= 1


def _gateway_passed(state: State, fact: f.GatewayPassed, at: int) -> None:
    scope, node = _parent(state, fact.key), state.graph.nodes[path_of(fact.key)]
    scope.visits[node.index] = scope.visits.get(node.index, 0) + 1


# jobs


def _step(state: State, key: str, at: int) -> Step:
    """The step of this key, made when it is new."""
    step = state.steps.get(key)
    return step if step is not None else _new_step(state, key, at)


def _new_step(state: State, key: str, at: int) -> Step:
    item = state.scopes.get(key) if key.endswith("]") else None
    scope = item if item is not None else _parent(state, key)
    step = Step(key, scope.node if item is not None else state.graph.nodes[path_of(key)], scope, at)
    state.steps[key] = step
    _visit(scope, step)
    state.open[key] = step
    state.busy += 1
    return step


def _become(state: State, step: Step, status: str) -> None:
    state.busy += (status in BUSY) - (step.status in BUSY)
    step.status = status


def _job_ready(state: State, fact: f.JobReady, at: int) -> None:
    step = _step(state, fact.key, at)
    _become(state, step, "ready")
    step.attempt, step.started = fact.attempt, False
    step.due_at, step.beat_at, step.kind = None, fact.beat_at, ""
    if fact.timeout_at is not None:
        step.timeout_at = fact.timeout_at
    if (data := f.given(fact.input)) is not None:
        step.input = data


def _job_started(state: State, fact: f.JobStarted, at: int) -> None:
    step = state.steps[fact.key]
    _become(state, step, "running")
    step.attempt, step.started, step.started_at = fact.attempt, True, at


def _job_waiting(state: State, fact: f.JobWaiting, at: int) -> None:
    step = _step(state, fact.key, at)
    _become(state, step, "waiting")
    step.kind, step.attempt = fact.kind, fact.attempt
    step.due_at, step.timeout_at = fact.due_at, fact.timeout_at
    step.types, step.match = fact.types, f.given(fact.match)
    step.waiting_since = at


def _job_heard(state: State, fact: f.JobHeard, at: int) -> None:
    state.steps[fact.key].beat_at = fact.beat_at


def _job_retried(state: State, fact: f.JobRetried, at: int) -> None:
    step = state.steps[fact.key]
    _become(state, step, "waiting")
    step.kind, step.due_at, step.error = "retry", fact.due_at, fact.error
    step.beat_at = None
    step.failures += 1


def _job_abandoned(state: State, fact: f.JobAbandoned, at: int) -> None:
    step = state.steps[fact.key]
    step.deaths += step.started
    step.started = False


def _job_cancelling(state: State, fact: f.JobCancelling, at: int) -> None:
    step = state.steps[fact.key]
    _become(state, step, "cancelling")
    step.due_at, step.beat_at, step.timeout_at = fact.due_at, None, None


def _job_succeeded(state: State, fact: f.JobSucceeded, at: int) -> None:
    step = _step(state, fact.key, at)
    step.output, step.attempt = fact.output, fact.attempt
    _close_step(state, step, "succeeded", at)
    job = step.node.job
    if job is not None and isinstance(job.action, Set):
        state.vars.update(msgspec.json.decode(fact.output))


def _job_failed(state: State, fact: f.JobFailed, at: int) -> None:
    step = _step(state, fact.key, at)
    step.error, step.attempt = fact.error, fact.attempt
    _close_step(state, step, "failed", at)


def _job_skipped(state: State, fact: f.JobSkipped, at: int) -> None:
    step = _step(state, fact.key, at)
    step.why = fact.why
    _close_step(state, step, "skipped", at)


def _job_cancelled(state: State, fact: f.JobCancelled, at: int) -> None:
    _close_step(state, state.steps[fact.key], "cancelled", at)


def _close_step(state: State, step: Step, status: str, at: int) -> None:
    _become(state, step, status)
    step.ended_at = at
    step.due_at = step.beat_at = step.timeout_at = None
    del state.open[step.key]
    step.scope.live.pop(step.key, None)


FOLD: dict[type[f.Fact], Callable[[State, Any, int], None]] = {
    f.RunStarted: _run_started,
    f.RunFinishing: _run_finishing,
    f.RunCancelling: _run_cancelling,
    f.RunSucceeded: _run_succeeded,
    f.RunFailed: _run_failed,
    f.RunCancelled: _run_cancelled,
    f.RunStuck: _run_stuck,
    f.RunWarned: _run_warned,
    f.ScopeOpened: _scope_opened,
    f.ScopeSkipped: _scope_skipped,
    f.ScopeFailing: _scope_failing,
    f.ScopeEnded: _scope_ended,
    f.ItemsResolved: _items_resolved,
    f.TokenRested: _token_rested,
    f.TokensJoined: _tokens_joined,
    f.GatewayPassed: _gateway_passed,
    f.JobReady: _job_ready,
    f.JobStarted: _job_started,
    f.JobWaiting: _job_waiting,
    f.JobHeard: _job_heard,
    f.JobRetried: _job_retried,
    f.JobAbandoned: _job_abandoned,
    f.JobCancelling: _job_cancelling,
    f.JobSucceeded: _job_succeeded,
    f.JobFailed: _job_failed,
    f.JobSkipped: _job_skipped,
    f.JobCancelled: _job_cancelled,
}
