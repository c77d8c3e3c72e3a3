"""Scopes open and close; tokens rest and join."""

from __future__ import annotations

import msgspec

from ostinato.core import facts as f
from ostinato.core.graph import FINALLY
from ostinato.core.state import Scope, State, Step, path_of


def scope_opened(state: State, fact: f.ScopeOpened, at: int) -> None:
    scope = _new_scope(state, fact.key, at)
    scope.due_at = fact.due_at
    if scope.node in state.graph.stages:
        state.doing = scope.node.name.strip("~")
        state.staged = (*state.staged, scope.node.name)


def _new_scope(state: State, key: str, at: int) -> Scope:
    if key.endswith("]"):
        return _new_item(state, key, at)
    node, parent = state.graph.nodes[path_of(key)], parent_of(state, key)
    scope = Scope(key, node, parent, at)
    visit(parent, scope)
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


def parent_of(state: State, key: str) -> Scope:
    return state.scopes[key.rpartition("/")[0]]


def visit(parent: Scope, child: Step | Scope) -> None:
    index = child.node.index
    parent.visits[index] = parent.visits.get(index, 0) + 1
    parent.latest[index] = child
    parent.live[child.key] = child


def scope_skipped(state: State, fact: f.ScopeSkipped, at: int) -> None:
    scope = _new_scope(state, fact.key, at)
    _close(state, scope, "skipped", at)


def _close(state: State, scope: Scope, status: str, at: int) -> None:
    scope.status, scope.ended_at, scope.ended_seq = status, at, state.seq
    if scope.parent is not None:
        scope.parent.live.pop(scope.key, None)
        count(scope.parent, status)


def count(parent: Scope, status: str) -> None:
    """A child has ended."""
    if status == "succeeded":
        parent.succeeded += 1
    else:
        parent.lost += 1


def scope_failing(state: State, fact: f.ScopeFailing, at: int) -> None:
    scope = state.scopes[fact.key]
    scope.error = fact.error
    stop(scope)
    if scope.index is not None and scope.parent is not None:
        scope.parent.failed += 1
    if scope is state.root:
        state.error, state.stuck, state.doing = fact.error, None, "stopping"
        state.due_at, state.queued = None, False
    elif state.stuck is not None and _inside(scope, state.stuck[1]):
        state.stuck = None


def _inside(scope: Scope, tokens: tuple[str, ...]) -> bool:
    return bool(tokens) and all(token.startswith(scope.prefix) for token in tokens)


def stop(scope: Scope) -> None:
    scope.stopping, scope.due_at = True, None
    scope.resting.clear()
    scope.filled.clear()
    for child in scope.live.values():
        if isinstance(child, Scope):
            stop(child)


def scope_ended(state: State, fact: f.ScopeEnded, at: int) -> None:
    scope = state.scopes[fact.key]
    _close(state, scope, fact.status, at)
    if scope.node in state.graph.stages and scope.node is not state.graph.finally_:
        state.doing = "stopping"


def scope_reopened(state: State, fact: f.ScopeReopened, at: int) -> None:
    scope = state.scopes[fact.key]
    parent = scope.parent
    if parent is not None:
        parent.live[scope.key] = scope
        parent.lost -= 1
        parent.failed -= scope.index is not None and scope.error is not None
    scope.status, scope.error, scope.stopping, scope.satisfied = "running", None, False, False
    scope.ended_at, scope.ended_seq, scope.due_at = None, -1, fact.due_at
    if scope.node is state.graph.finally_:
        state.doing = FINALLY
        state.staged = (*state.staged, FINALLY)


def scope_satisfied(state: State, fact: f.ScopeSatisfied, at: int) -> None:
    scope = state.scopes[fact.key]
    scope.satisfied = True
    stop(scope)


def items_resolved(state: State, fact: f.ItemsResolved, at: int) -> None:
    state.scopes[fact.key].items = msgspec.json.decode(fact.items)


def token_rested(state: State, fact: f.TokenRested, at: int) -> None:
    scope, flow = state.scopes[fact.scope], state.graph.flows[fact.flow]
    resting = scope.resting.get(flow.index, 0)
    scope.resting[flow.index] = resting + 1
    if not resting:
        scope.filled[flow.target.index] = scope.filled.get(flow.target.index, 0) + 1


def tokens_joined(state: State, fact: f.TokensJoined, at: int) -> None:
    scope = state.scopes[fact.scope]
    for name in fact.flows:
        flow = state.graph.flows[name]
        scope.resting[flow.index] -= 1
        if not scope.resting[flow.index]:
            del scope.resting[flow.index]
            scope.filled[flow.target.index] -= 1


def gateway_passed(state: State, fact: f.GatewayPassed, at: int) -> None:
    scope, node = parent_of(state, fact.key), state.graph.nodes[path_of(fact.key)]
    scope.visits[node.index] = scope.visits.get(node.index, 0) + 1
