"""What a fork is given: the outputs of all that another run had done before, or beside, a step.

Left out are the step itself, what comes after it, and what stands outside the work: ``on_failure``,
``finally`` and what was taken back.
"""

from __future__ import annotations

import re

from msgspec import Raw, json

from ostinato.core.graph import Node
from ostinato.core.state import TAKEN_BACK, Scope, State, Step
from ostinato.errors import ConflictError, NotFoundError

AGAIN = re.compile(r"#\d+")

Way = list[tuple[str, Node]]
"""From the run down to a step: the scope instance, and the node in it."""


def given_to_fork(state: State, key: str = "") -> Raw:
    """A map of step keys to outputs; without ``key`` the steps that failed are where it begins.

    Raises ``NotFoundError``, and ``ConflictError`` when nothing failed.
    """
    ways = [_way(step) for step in _from(state, key)]
    given: dict[str, Raw] = {}
    for step in state.steps.values():
        if step.output is None or step.status not in ("succeeded", "skipped"):
            continue
        way = _way(step)
        apart = way[0][1] in state.graph.stages or step.key.endswith(TAKEN_BACK)
        if not apart and not any(_follows(way, begins) for begins in ways):
            given[AGAIN.sub("", step.key)] = step.output
    return Raw(json.encode(given))


def _from(state: State, key: str) -> list[Step]:
    if key:
        if key not in state.steps:
            raise NotFoundError(f"run {state.run_id} has no step {key!r}")
        return [state.steps[key]]
    failed = [
        step
        for step in state.steps.values()
        if (step.status == "failed" and not step.node.optional) or step.kind == "repair"
    ]
    if not failed:
        raise ConflictError(f"no step of run {state.run_id} has failed; say from which to fork")
    return failed


def _way(step: Step) -> Way:
    found: Way = []
    node: Node = step.node
    scope: Scope | None = step.scope
    while scope is not None:
        found.append((scope.key, node))
        node, scope = scope.node, scope.parent
    return found[::-1]


def _follows(way: Way, begins: Way) -> bool:
    """Whether ``way`` leads to the step where the fork begins, or to one after it."""
    for (scope, node), (other_scope, other) in zip(way, begins, strict=False):
        if scope != other_scope:
            return False  # another item
        if node is not other:
            return _reaches(other, node)
    return True


def _reaches(start: Node, wanted: Node) -> bool:
    seen: set[int] = set()
    todo = [start]
    while todo:
        for flow in todo.pop().outgoing:
            if flow.target is wanted:
                return True
            if flow.target.index not in seen:
                seen.add(flow.target.index)
                todo.append(flow.target)
    return False
