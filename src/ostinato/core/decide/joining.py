"""Tokens meet: when a join may fire, and which tokens it takes (BPMN 2.0.2, 13.4.3).

A parallel join wants a token on every incoming flow. An inclusive one fires once no further token
can come; that is only known when nothing else moves, so ``settle`` asks.
"""

from __future__ import annotations

from ostinato.core.decide.moves import Enter, Join, Said, Settle
from ostinato.core.facts import TokensJoined
from ostinato.core.graph import Flow, Node
from ostinato.core.model import Join as JoinKind
from ostinato.core.state import Scope, State


def join(state: State, move: Join, now: int) -> list[Said]:
    scope, flow = move.scope, move.flow
    node = flow.target
    if scope.stopping or node.join is JoinKind.SOME or state.paused:
        return [Settle(scope.key)]
    if scope.filled[node.index] == len(node.incoming):
        return fire(scope, node, node.incoming)
    return [Settle(scope.key)]


def fire(scope: Scope, node: Node, flows: list[Flow]) -> list[Said]:
    return [TokensJoined(scope.key, tuple(flow.name for flow in flows)), Enter(scope, node)]


def full(scope: Scope, node: Node) -> list[Flow]:
    """The flows whose tokens an inclusive join takes now, or none: BPMN 2.0.2, 13.4.3.

    It waits while some token elsewhere can reach an empty incoming flow, unless that token can
    also reach one that is already filled.
    """
    filled = [flow for flow in node.incoming if flow.index in scope.resting]
    if not filled:
        return []
    empty_mask = filled_mask = 0
    for flow in node.incoming:
        if flow.index in scope.resting:
            filled_mask |= node.masks[flow.index]
        else:
            empty_mask |= node.masks[flow.index]
    for place in _places(scope):
        bit = 1 << place.index
        if place is not node and empty_mask & bit and not filled_mask & bit:
            return []
    return filled


def _places(scope: Scope) -> list[Node]:
    """The nodes in which, or before which, this scope's tokens stand."""
    flows = scope.node.flows
    return [child.node for child in scope.live.values()] + [
        flows[index].target for index in scope.resting
    ]
