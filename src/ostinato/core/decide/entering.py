"""Tokens enter nodes: a job begins, a scope or an ``each`` opens, or what is entered is skipped."""

from __future__ import annotations

from msgspec import Raw

from ostinato.core.codec import encode_value
from ostinato.core.commands import SetTimer
from ostinato.core.decide.failing import job_failed
from ostinato.core.decide.jobs import begin_job
from ostinato.core.decide.moves import Begin, Enter, Fail, Leave, Said, Settle
from ostinato.core.decide.queueing import queue_run
from ostinato.core.decide.skipping import skip
from ostinato.core.events import Start
from ostinato.core.facts import (
    NOTHING,
    Failure,
    GatewayPassed,
    ItemsResolved,
    RunStarted,
    ScopeOpened,
)
from ostinato.core.graph import FINALLY, ON_FAILURE, Node
from ostinato.core.model import Each, Kind
from ostinato.core.names import Names
from ostinato.core.state import Scope, State
from ostinato.errors import ExpressionError, UsageError


def start(state: State, event: Start, now: int) -> list[Said]:
    if state.run_id:
        return []
    graph = state.graph
    due_at = None if graph.timeout is None else now + graph.timeout
    started = RunStarted(
        event.run_id, graph.workflow, graph.version, event.seed, event.uid,
        event.input or NOTHING,
        event.event or NOTHING, due_at,
        event.given or NOTHING, event.forked_from, event.by, event.why,
    )  # fmt: skip
    said: list[Said] = [started]
    if due_at is not None:
        said.append(SetTimer("", "timeout", due_at))
    return [*said, Begin("", event.behind)]


def begin(state: State, move: Begin, now: int) -> list[Said]:
    if move.key.endswith("]") and move.key not in state.scopes:
        return [ScopeOpened(move.key), move]
    scope = state.scopes[move.key]
    if not move.key and (state.graph.limits or move.behind) and not state.places:
        return queue_run(state, move.behind)
    if scope.items is not None or scope.stopping:
        return [Settle(scope.key)]
    if scope.node.kind is Kind.JOB:
        return begin_job(state, scope, scope.node, scope.own_key, now, move.given)
    if not scope.node.starts:
        return [Settle(scope.key)]
    return [Enter(scope, node) for node in scope.node.starts]


def enter(state: State, move: Enter, now: int) -> list[Said]:
    scope, node = move.scope, move.node
    if scope.stopping:
        return [Settle(scope.key)]
    key = scope.next_key(node)
    if node.kind is Kind.JOB or node.kind is Kind.SCOPE:
        return _activity(state, scope, node, key, now, move.given)
    return [GatewayPassed(key), Leave(scope, node)]


def _activity(
    state: State, scope: Scope, node: Node, key: str, now: int, given: Raw | None
) -> list[Said]:
    if (full := _full(state)) is not None:
        return [Fail(scope if state.doing in LASTLY else state.root, _too_many(full, key))]
    try:
        if (skipped := skip(state, scope, node, key)) is not None:
            return skipped
        if node.each is not None:
            return _each(state, scope, node, node.each, key, now)
    except (ExpressionError, UsageError) as error:
        return _broken(state, scope, node, key, error)
    if node.kind is Kind.JOB:
        return begin_job(state, scope, node, key, now, given)
    return [*_opened(node, key, now), Begin(key)]


LASTLY = {ON_FAILURE: 2, FINALLY: 3}


def _full(state: State) -> int | None:
    """The most steps that there may be by now, when there are so many.

    ``on_failure`` and ``finally`` may still run in a run that has become too long; but a loop in
    them ends too.
    """
    if len(state.steps) < state.graph.most_steps:
        return None
    most = state.graph.most_steps * LASTLY.get(state.doing, 1)
    return most if len(state.steps) >= most else None


def _too_many(most: int, key: str) -> Failure:
    most_said = f"{most:,} steps of one run (limits.steps)"
    mend = "end its loop, or do the work in several runs, or raise the limit"
    return Failure("TooManySteps", f"{key} would be one more than {most_said}; {mend}")


def _broken(
    state: State, scope: Scope, node: Node, key: str, error: ExpressionError | UsageError
) -> list[Said]:
    failure = Failure(error.code, f"{node.path}: {error}", node.name)
    if node.kind is Kind.SCOPE:
        return [Fail(scope, failure)]
    return job_failed(state, scope, node, key, 1, failure, begun=False)


def _each(state: State, scope: Scope, node: Node, each: Each, key: str, now: int) -> list[Said]:
    items = each.items.evaluate(Names(state, scope))
    if not isinstance(items, list):
        raise ExpressionError(f"each.in: {each.items.text} gave {items!r:.80}, not a list")
    if len(items) > state.graph.most_steps:
        most = f"{state.graph.most_steps:,} steps of one run (limits.steps)"
        mend = "give it fewer at once, as pages of them, or raise the limit"
        raise ExpressionError(f"each.in: {len(items):,} items are more than {most}; {mend}")
    said = _opened(node, key, now)
    return [*said, ItemsResolved(key, encode_value(items)), Begin(key)]


def _opened(node: Node, key: str, now: int) -> list[Said]:
    if node.timeout is None or node.kind is Kind.JOB:
        return [ScopeOpened(key)]
    due_at = now + node.timeout
    return [ScopeOpened(key, due_at), SetTimer(key, "timeout", due_at)]
