"""Tokens leave nodes, and scopes come to their end."""

from __future__ import annotations

from ostinato.core.commands import ClearTimer
from ostinato.core.decide.enough import has_enough
from ostinato.core.decide.joining import fire, full
from ostinato.core.decide.moves import (
    Begin,
    Enter,
    Fail,
    Finish,
    Join,
    Leave,
    NoteUndo,
    Said,
    Settle,
    Stop,
    TakeBack,
)
from ostinato.core.decide.steps import no_timers
from ostinato.core.expressions import Expression
from ostinato.core.facts import Failure, RunStuck, ScopeEnded, ScopeSatisfied, TokenRested
from ostinato.core.graph import Flow, Node
from ostinato.core.model import Join as JoinKind
from ostinato.core.model import Kind, Split
from ostinato.core.names import Names
from ostinato.core.state import Scope, State
from ostinato.errors import ExpressionError


def leave(state: State, move: Leave, now: int) -> list[Said]:
    scope, node = move.scope, move.node
    if scope.node.enough is not None and has_enough(scope) and not scope.stopping:
        return [*no_timers(state, scope), ScopeSatisfied(scope.key), Stop(scope.key)]
    if scope.stopping or not node.outgoing:
        return [Settle(scope.key)]
    try:
        flows = _taken(state, scope, node)
    except ExpressionError as error:
        return [Fail(scope, Failure(error.code, f"{node.path}: {error}"))]
    said: list[Said] = []
    for flow in flows:
        if flow.target.join is JoinKind.EACH and not state.paused:
            said.append(Enter(scope, flow.target))
        else:
            said += (TokenRested(scope.key, flow.name), Join(scope, flow))
    if not flows or scope.node.inclusive:
        said.append(Settle(scope.key))
    return said


def _taken(state: State, scope: Scope, node: Node) -> list[Flow]:
    """The outgoing flows that get a token, by the node's split."""
    if node.split is Split.ALL:
        return node.outgoing
    names = Names(state, scope)
    taken = []
    for flow in node.outgoing:
        if not flow.default and (flow.guard is None or holds(flow.guard, names)):
            taken.append(flow)
            if node.split is Split.FIRST:
                return taken
    if taken:
        return taken
    default = [flow for flow in node.outgoing if flow.default]
    if not default:
        raise ExpressionError("no outgoing flow's condition is true, and none is the default")
    return default


def holds(condition: Expression, names: Names) -> bool:
    """The truth of a condition; anything but true and false is an error."""
    value = condition.evaluate(names)
    if value is not True and value is not False:
        raise ExpressionError(f"{condition.text} gave {value!r:.80}, not true or false")
    return value


def settle(state: State, move: Settle, now: int) -> list[Said]:
    scope = state.scopes[move.key]
    if scope.ended_at is not None or state.ended or state.paused:
        return []
    if scope.node.kind is Kind.UNDO:
        return [] if scope.live else [TakeBack(scope)]
    if not scope.stopping and (opened := _next_items(scope)):
        return opened
    for node in scope.node.inclusive:
        if not scope.stopping and (flows := full(scope, node)):
            return [*fire(scope, node, flows), Settle(scope.key)]
    if scope.live:
        return _stuck(state, scope) if scope.resting and _idle(scope) else []
    if scope.resting:
        return _stuck(state, scope)
    if scope.node.enough is not None and (missed := _too_few(scope)) is not None:
        return [Fail(scope, missed)]
    return close(state, scope)


def _too_few(scope: Scope) -> Failure | None:
    """Some failed and were forgiven, as long as enough others could succeed."""
    enough = scope.node.enough
    if enough is None or scope.stopping or has_enough(scope):
        return None
    failed = [child for child in scope.latest.values() if child.status == "failed"]
    if not failed:
        return None
    return Failure("TooFew", f"{scope.succeeded} of {enough} in {scope.key} have succeeded")


def _next_items(scope: Scope) -> list[Said]:
    """The next items of an ``each``, up to ``at_once`` at a time."""
    each, items = scope.node.each, scope.items
    if each is None or items is None:
        return []
    first = len(scope.elements)
    room = min(each.at_once - len(scope.live), len(items) - first)
    return [Begin(f"{scope.key}[{index}]") for index in range(first, first + room)]


def _idle(scope: Scope) -> bool:
    """Only resting tokens here, and scopes of which that is true; an empty one is yet to end."""
    if scope.empty:
        return False
    return all(isinstance(child, Scope) and _idle(child) for child in scope.live.values())


def _stuck(state: State, scope: Scope) -> list[Said]:
    if state.stuck:
        return []
    flows = scope.node.flows
    tokens = tuple(f"{scope.prefix}{flows[index].name}" for index in scope.resting)
    return [RunStuck("deadlock", tokens)]


def close(state: State, scope: Scope) -> list[Said]:
    """The scope is empty: it ends, and its parent goes on."""
    if scope.parent is None:
        return [Finish("")]
    said: list[Said] = [ScopeEnded(scope.key, _status(scope))]
    if scope.due_at is not None:
        said.append(ClearTimer(scope.key, "timeout"))
    if scope.node in state.graph.stages:
        return [*said, Finish(scope.key)]
    return [*said, _onward(scope, scope.parent)]


def _status(scope: Scope) -> str:
    if scope.error is not None:
        return "failed"
    return "cancelled" if scope.stopping and not scope.satisfied else "succeeded"


def _onward(scope: Scope, parent: Scope) -> Said:
    return Settle(parent.key) if scope.index is not None else Leave(parent, scope.node)


def onward(scope: Scope, node: Node, key: str) -> list[Said]:
    """What follows when the job ``node`` is done in ``scope``, as the step of this key."""
    if scope.node.kind is Kind.UNDO:
        return [Settle(scope.key)]
    on = Settle(scope.key) if scope.node is node else Leave(scope, node)
    return [on] if node.undo is None else [NoteUndo(key), on]


def after(scope: Scope, node: Node) -> Said:
    """Its token goes on; an item's and an undo's ends here."""
    if scope.node is node or scope.node.kind is Kind.UNDO:
        return Settle(scope.key)
    return Leave(scope, node)
