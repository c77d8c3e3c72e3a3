"""All that a graph says, as plain values: two graphs with the same content do the same."""

from __future__ import annotations

from typing import Any

import msgspec

from ostinato.core.expressions import Expression, Template
from ostinato.core.graph import Flow, Graph, Node


def content(graph: Graph) -> dict[str, Any]:
    """Everything that is compiled from a document. Left out is what is set by whoever loads it."""
    return {
        "workflow": graph.workflow,
        "version": graph.version,
        "timeout": graph.timeout,
        "on_error": _plain(graph.root.on_error),
        "limits": _plain(graph.limits),
        "priority": graph.priority,
        "uid": _plain(graph.uid),
        "dedup": _plain(graph.dedup),
        "output": _plain(graph.output),
        "last": None if graph.last is None else graph.last.path,
        "nodes": {node.path: _node(node) for node in graph.root.walk() if node.parent is not None},
        "flows": [_flow(flow) for flow in graph.flows.values()],
    }


def _node(node: Node) -> dict[str, Any]:
    said = (
        "kind", "join", "split", "job", "each", "when", "optional", "timeout", "enough",
        "on_error", "undo", "limits",
    )  # fmt: skip
    return {name: _plain(getattr(node, name)) for name in said}


def _flow(flow: Flow) -> tuple[Any, ...]:
    return flow.name, flow.source.path, flow.target.path, _plain(flow.guard), flow.default


def _plain(value: Any) -> Any:
    if isinstance(value, Expression):
        return {"expression": value.text}
    if isinstance(value, Template):
        return {"template": value.source}
    if isinstance(value, msgspec.Struct):
        members = {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        return {"is": type(value).__name__, **members}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
