"""A graph as text: a tree for people, Mermaid and DOT for drawing programs, and data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ostinato.cli.conditions import of_node, of_runs
from ostinato.core.durations import format_duration
from ostinato.core.graph import Flow, Graph, Node
from ostinato.core.model import Call, Job, Kind, Run, Task, WaitEvent, WaitUntil


def tree(graph: Graph) -> Iterator[str]:
    yield "  ".join([f"{graph.workflow} v{graph.version}", *of_runs(graph)])
    yield from _branches(graph.root, "")


def _branches(scope: Node, indent: str) -> Iterator[str]:
    children = drawn(scope)
    for node in children:
        last = node is children[-1]
        yield f"{indent}{'└─' if last else '├─'} {_told(node)}"
        yield from _branches(node, indent + ("   " if last else "│  "))


def drawn(scope: Node) -> list[Node]:
    """Without the empty scope in which what was done is taken back: it stands in no document."""
    return [node for node in scope.children if node.kind is not Kind.UNDO]


def _told(node: Node) -> str:
    before = [flow.source.name for flow in node.incoming]
    in_order = node.parent is None or node.parent.parent is None  # phases follow one another
    after = f"after {', '.join(before)}" if before and not in_order else ""
    parts = [node.name, _does(node.job), after, *of_node(node)]
    return "  ".join(part for part in parts if part)


def _does(job: Job | None) -> str:
    if job is None:
        return ""
    callback = " and its callback" if job.callback else ""
    return f"[{_action(job)}{callback}]"


def _action(job: Job) -> str:
    match job.action:
        case Run(handler):
            return handler
        case Call(target):
            return f"call {target.source['workflow']}"
        case WaitEvent(types):
            return f"wait for {' or '.join(types)}"
        case WaitUntil(span):
            return f"wait {format_duration(span)}" if span is not None else "wait"
        case Task():
            return f"task{_asked(job)}"
        case other:
            return type(other).__name__.lower()


def _asked(job: Job) -> str:
    source = None if job.input is None else job.input.source
    who = source.get("assignee") if isinstance(source, dict) else None
    return f" for {who}" if who else ""


def mermaid(graph: Graph) -> Iterator[str]:
    yield "flowchart TD"
    yield from _mermaid_scope(graph.root, "  ")
    for flow in graph.flows.values():
        guard = f"|{_quoted(flow.guard.text)}|" if flow.guard else ""
        yield f"  n{flow.source.index} -->{guard} n{flow.target.index}"


def _mermaid_scope(scope: Node, indent: str) -> Iterator[str]:
    for node in drawn(scope):
        if node.kind is Kind.SCOPE:
            yield f"{indent}subgraph n{node.index}[{_quoted(_label(node))}]"
            yield from _mermaid_scope(node, indent + "  ")
            yield f"{indent}end"
        else:
            yield f"{indent}n{node.index}[{_quoted(_label(node))}]"


def dot(graph: Graph) -> Iterator[str]:
    yield f"digraph {_quoted(graph.workflow)} {{"
    yield "  compound=true; node [shape=box];"
    yield from _dot_scope(graph.root, "  ")
    for flow in graph.flows.values():
        yield f"  {_dot_flow(flow)}"
    yield "}"


def _dot_scope(scope: Node, indent: str) -> Iterator[str]:
    for node in drawn(scope):
        if node.kind is Kind.SCOPE:
            yield f"{indent}subgraph cluster_n{node.index} {{ label={_quoted(_label(node))};"
            yield from _dot_scope(node, indent + "  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}n{node.index} [label={_quoted(_label(node))}];"


def _dot_flow(flow: Flow) -> str:
    """DOT joins nodes, not clusters: one inside stands for a scope, its rim ends the line."""
    source, target = _inside(flow.source), _inside(flow.target)
    members = []
    if source is not flow.source:
        members.append(f"ltail=cluster_n{flow.source.index}")
    if target is not flow.target:
        members.append(f"lhead=cluster_n{flow.target.index}")
    if flow.guard:
        members.append(f"label={_quoted(flow.guard.text)}")
    told = f" [{', '.join(members)}]" if members else ""
    return f"n{source.index} -> n{target.index}{told};"


def _inside(node: Node) -> Node:
    while node.kind is Kind.SCOPE and node.children:
        node = node.children[0]
    return node


def _label(node: Node) -> str:
    return "  ".join([node.name, *of_node(node)])


def _quoted(text: str) -> str:
    """Both languages end a label at a double quote; Mermaid knows no escape for it."""
    return '"' + text.replace("\\", "\\\\").replace('"', "'").replace("\n", " ") + '"'


def graph_data(graph: Graph) -> dict[str, Any]:
    return {
        "workflow": graph.workflow,
        "version": graph.version,
        "nodes": [_node_data(node) for node in graph.nodes.values()],
        "flows": [
            {
                "from": flow.source.path,
                "to": flow.target.path,
                "guard": flow.guard.text if flow.guard else None,
                "default": flow.default,
            }
            for flow in graph.flows.values()
        ],
    }


def _node_data(node: Node) -> dict[str, Any]:
    return {
        "path": node.path,
        "kind": node.kind.value,
        "name": node.name,
        "parent": node.parent.path or None if node.parent else None,
        "does": _action(node.job) if node.job else None,
        "when": node.when.text if node.when else None,
        "each": node.each.items.text if node.each else None,
        "optional": node.optional,
    }


FORMATS: dict[str, Callable[[Graph], Iterator[str]]] = {
    "tree": tree,
    "mermaid": mermaid,
    "dot": dot,
}
