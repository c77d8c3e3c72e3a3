"""A graph as plain values, for pictures; with a state, each node says how it stands."""

from __future__ import annotations

from typing import Any

from ostinato.core.graph import Graph, Node
from ostinato.core.model import Call, Emit, End, Kind, Run, Set, Task, WaitEvent, WaitUntil
from ostinato.core.state import Scope, State

WORDS = {
    Emit: "emit", Set: "set", WaitUntil: "wait", WaitEvent: "wait", Task: "task", Run: "run",
    End: "end", Call: "call",
}  # fmt: skip


def outline(graph: Graph, state: State | None = None) -> dict[str, Any]:
    """``{workflow, version, nodes: [{path, name, kind, …}], flows: [{from, to, when?}]}``."""
    latest = _latest(state) if state is not None else {}
    return {
        "workflow": graph.workflow,
        "version": graph.version,
        "nodes": [
            _node(node, latest)
            for node in graph.root.walk()
            if node.parent is not None and node.kind is not Kind.UNDO
        ],
        "flows": [
            {"name": flow.name, "from": flow.source.path, "to": flow.target.path}
            | ({"when": flow.guard.text} if flow.guard else {})
            | ({"default": True} if flow.default else {})
            for flow in graph.flows.values()
        ],
    }


def _node(node: Node, latest: dict[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": node.path, "name": node.name, "kind": node.kind.value}
    if node.parent is not None and node.parent.path:
        shown["scope"] = node.parent.path
    if node.job is not None:
        shown["does"] = WORDS[type(node.job.action)]
        if isinstance(node.job.action, Run):
            shown["handler"] = node.job.action.handler
        elif isinstance(node.job.action, Call):
            shown["workflow"] = node.job.action.target.source["workflow"]
    if node.when is not None:
        shown["when"] = node.when.text
    if node.each is not None:
        shown["each"] = node.each.items.text
    if node.undo is not None:
        shown["undo"] = WORDS[type(node.undo.action)]
    if node.optional:
        shown["optional"] = True
    if latest:
        shown["status"] = latest.get(node.path, "pending")
    return shown


def _latest(state: State) -> dict[str, str]:
    """Node path to the status of what happened there last."""
    found: dict[str, str] = {"": state.status}
    things: list[Any] = [*state.scopes.values(), *state.steps.values()]
    for thing in things:
        if not isinstance(thing, Scope) or thing.index is None:
            found[thing.node.path] = thing.status if isinstance(thing, Scope) else thing.shown
    return found
