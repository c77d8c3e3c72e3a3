"""A run that had failed, or was cancelled, goes on: what was lost in it is done once more.

The scopes in which something failed are opened again, and in each the nodes that did not end well
are entered once more, as ``push#2``. Tokens that were lost when everything stopped are laid again:
behind each node that ended well, where nothing has come after it.

Who names a step means that one: of what else had failed, each waits for repair.
"""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.core.commands import SetTimer
from ostinato.core.decide.flowing import after, holds
from ostinato.core.decide.moves import Begin, Edit, Enter, Join, Redo, Said, Settle, Skip
from ostinato.core.events import RetryRequested, SkipRequested
from ostinato.core.facts import (
    NOTHING,
    JobHeld,
    JobSkipped,
    JobSucceeded,
    RunReopened,
    RunRepaired,
    ScopeReopened,
    TokenRested,
)
from ostinato.core.graph import Flow, Node
from ostinato.core.model import Join as JoinKind
from ostinato.core.model import Kind, Split
from ostinato.core.names import Names
from ostinato.core.state import Scope, State, Step
from ostinato.errors import ConflictError, ExpressionError, NotFoundError

LOST = ("failed", "cancelled")


def refuse_reopening(state: State, key: str = "") -> None:
    """Raises ``ConflictError`` or ``NotFoundError``: who may begin again, and who must fork."""
    run = f"run {state.run_id}"
    if state.status not in LOST:
        why = "only a run that has failed or was cancelled is retried"
        raise ConflictError(f"{run} has {state.status}; {why}")
    undo = state.graph.undo
    if undo is not None and undo.name in state.staged:
        hint = "fork it, or start it again"
        raise ConflictError(f"{run} has been taken back (`undo` has run); {hint}")
    if not _is_plain(state.graph.root):
        raise ConflictError(f"{run} has gateways: nobody can tell where it stood; fork it")
    if key and key not in state.steps:
        raise NotFoundError(f"{run} has no step {key!r}")
    if key and state.steps[key].status not in LOST:
        raise ConflictError(f"step {key} has {state.steps[key].status}; it is not what failed")
    if key and (state.steps[key].scope, state.steps[key].node) not in _lost(state):
        why = f"{run} went on without step {key}, and would do so again"
        raise ConflictError(f"{why}; fork it to do the step once more")
    if key:
        _refuse_holding(state, state.steps[key])


def _refuse_holding(state: State, asked: Step) -> None:
    """What failed before it began would begin without its ``each``, or its ``when``."""
    for step in failed_steps(state):
        if step.node is asked.node and step.scope is asked.scope:
            continue
        if (member := before_it_began(state, step)) is not None:
            why = f"step {step.key} has failed too, by its `{member}`, and cannot wait for repair"
            raise ConflictError(f"{why}; say no step to do all of them once more, or fork the run")


def before_it_began(state: State, step: Step) -> str | None:
    """What it fails by before it has an input: ``each.in`` or ``when``."""
    node = step.node
    if step.scope.node is node:  # an item
        return None
    if node.when is not None:
        try:
            holds(node.when, Names(state, step.scope, job_key=step.key))
        except ExpressionError:
            return "when"
    return None if node.each is None else "each.in"


def failed_steps(state: State) -> list[Step]:
    """What a run that has failed would do once more because it failed, and not with it."""
    ends = [scope.latest.get(node.index) for scope, node in _lost(state)]
    return [step for step in ends if isinstance(step, Step) and _had_failed(step)]


def _had_failed(step: Step) -> bool:
    """Also one that was cancelled while it waited for repair."""
    return step.status == "failed" or (step.status == "cancelled" and step.kind == "repair")


def _lost(state: State) -> list[tuple[Scope, Node]]:
    """The jobs that are done once more, each with its scope."""
    lost: list[tuple[Scope, Node]] = []
    for scope in (state.root, *_lost_below(state, state.root)):
        if scope.node.kind is Kind.JOB and scope.items is None:
            lost.append((scope, scope.node))
        for node in _nodes(state, scope):
            if isinstance(scope.latest.get(node.index), Step) and _is_lost(scope, node):
                lost.append((scope, node))
    return lost


def _nodes(state: State, scope: Scope) -> list[Node]:
    """Those of its work: what else stands in it has a time of its own."""
    apart = (state.graph.on_failure, state.graph.finally_)
    nodes = scope.node.children if scope.items is None else ()
    return [node for node in nodes if node.kind is not Kind.UNDO and node not in apart]


def _is_lost(scope: Scope, node: Node) -> bool:
    """It has ended, and its end counts."""
    last = scope.latest[node.index]
    if last.ended_at is None:  # a scope that was opened again
        return False
    return last.status in LOST and not (node.optional and last.status == "failed")


def _is_plain(root: Node) -> bool:
    """Jobs and scopes in an order: what every document is."""
    return all(
        node.kind in (Kind.JOB, Kind.SCOPE, Kind.UNDO)
        and node.split is Split.ALL
        and node.join is not JoinKind.SOME
        for node in root.walk()
    )


def reopen(state: State, asked: RetryRequested | SkipRequested, now: int) -> list[Said]:
    by, why = asked.by, asked.why
    scopes = [state.root, *_lost_below(state, state.root)]
    due_at = _due(state.graph.timeout, now) if _work_is_lost(state) else None
    said: list[Said] = [RunReopened(by, why, due_at)]
    if due_at is not None:
        said.append(SetTimer("", "timeout", due_at))
    for scope in scopes[1:]:
        item = scope.index is not None
        due_at = None if item else _due(scope.node.timeout, now)
        said.append(ScopeReopened(scope.key, due_at))
        if due_at is not None:
            said.append(SetTimer(scope.key, "timeout", due_at))
    step = state.steps.get(asked.key)
    wish = None if step is None else _wish(step, asked)
    if wish is not None:
        said.append(RunRepaired(_action(asked), by, why, (asked.key,)))
    for scope in scopes:
        mine = wish if step is not None and step.scope is scope else None
        said.append(Redo(scope, mine, hold=step is not None))
    return said


def _wish(step: Step, asked: RetryRequested | SkipRequested) -> Skip | Edit:
    """What a person wants of this one job."""
    if isinstance(asked, RetryRequested):
        return Edit(step.node, asked.input)
    output = NOTHING if asked.output is None else asked.output
    return Skip(step.node, asked.why or "skipped by a person", output, asked.done)


def _action(asked: RetryRequested | SkipRequested) -> str:
    if isinstance(asked, RetryRequested):
        return "retry"
    return "complete" if asked.done else "skip"


def _work_is_lost(state: State) -> bool:
    """Else only ``finally`` has failed."""
    return state.root.error is not None or state.cancelled is not None


def _due(timeout: int | None, now: int) -> int | None:
    return None if timeout is None else now + timeout


def _lost_below(state: State, scope: Scope) -> Iterator[Scope]:
    """The scopes that did not end well, from the top down; of stages only the last that failed."""
    below = scope.elements if scope.items is not None else list(scope.latest.values())
    for child in below:
        if isinstance(child, Scope) and child.status in LOST and _is_part(state, child):
            yield child
            yield from _lost_below(state, child)


def _is_part(state: State, scope: Scope) -> bool:
    """A failed ``finally`` is done again only where nothing else had failed."""
    if scope.node is state.graph.finally_:
        return not _work_is_lost(state)
    return scope.node is not state.graph.on_failure


def redo(state: State, move: Redo, now: int) -> list[Said]:
    scope = move.scope
    if scope.items is not None:
        return [Settle(scope.key)]
    if scope.node.kind is Kind.JOB:
        return _once_more(move, scope.node)
    said: list[Said] = []
    for node in _nodes(state, scope):
        said += _redone(move, node)
    return [*said, Settle(scope.key)]


def _once_more(move: Redo, node: Node) -> list[Said]:
    """As a person wants it, who may have asked for another step."""
    scope, asked = move.scope, move.asked
    last = scope.latest.get(node.index)
    if asked is not None and asked.node is node:
        if isinstance(asked, Skip):
            return _skip(scope, asked)
        given = asked.input
    elif move.hold and isinstance(last, Step) and last.error is not None and _had_failed(last):
        return [JobHeld(_next_key(scope, node), 0, last.error)]
    else:
        given = None
    return [Begin(scope.key, given=given) if scope.node is node else Enter(scope, node, given)]


def _redone(move: Redo, node: Node) -> list[Said]:
    scope = move.scope
    last = scope.latest.get(node.index)
    if last is None:
        return [] if node.incoming else [Enter(scope, node)]
    if last.ended_at is None:  # a scope that was opened again
        return []
    if _is_lost(scope, node):
        return _once_more(move, node) if isinstance(last, Step) else []
    said: list[Said] = []
    for flow in node.outgoing:
        if flow.target.index not in scope.latest:
            said += _laid(scope, flow)
    return said


def _laid(scope: Scope, flow: Flow) -> list[Said]:
    if flow.target.join is JoinKind.EACH:
        return [Enter(scope, flow.target)]
    return [TokenRested(scope.key, flow.name), Join(scope, flow)]


def _skip(scope: Scope, skip: Skip) -> list[Said]:
    key = _next_key(scope, skip.node)
    fact = (
        JobSucceeded(key, 1, skip.output) if skip.done else JobSkipped(key, skip.why, skip.output)
    )
    return [fact, after(scope, skip.node)]


def _next_key(scope: Scope, node: Node) -> str:
    return scope.own_key if scope.node is node else scope.next_key(node)
