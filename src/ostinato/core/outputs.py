"""What jobs gave, seen from a place in the run: ``jobs.x``, and the outputs of a last phase.

The activation nearest to the place is meant. Inside an ``each``, ``jobs.x.output`` is this item's;
outside, it is the list over the items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from ostinato.core.facts import Failure
from ostinato.core.graph import Node
from ostinato.core.state import Scope, State, Step

PENDING: dict[str, Any] = {"status": "pending", "output": None, "error": None, "attempts": 0}


class Members(Mapping[str, Any]):
    """A mapping whose members are made when asked for."""

    __slots__ = ()
    members: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return self.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, name: object) -> bool:
        return name in self.members

    def get(self, name: str, default: Any = None) -> Any:
        return self.read(name) if name in self.members else default

    def read(self, name: str) -> Any:
        return getattr(self, f"_{name}")()


class Jobs(Members):
    __slots__ = ("scope", "state")

    def __init__(self, state: State, scope: Scope) -> None:
        self.state = state
        self.scope = scope

    def __iter__(self) -> Iterator[str]:
        return iter(self.state.graph.jobs)

    def __len__(self) -> int:
        return len(self.state.graph.jobs)

    def __contains__(self, name: object) -> bool:
        return name in self.state.graph.jobs

    def get(self, name: str, default: Any = None) -> Any:
        node = self.state.graph.jobs.get(name)
        if node is None:
            return default
        return _names(self.state, _find(self.scope, node))


class JobNames(Members):
    __slots__ = ("state", "step")
    members = ("status", "output", "error", "attempts")

    def __init__(self, state: State, step: Step) -> None:
        self.state = state
        self.step = step

    def _status(self) -> str:
        return self.step.shown

    def _output(self) -> Any:
        return output_of(self.state, self.step)

    def _error(self) -> Any:
        return error_value(self.step.error)

    def _attempts(self) -> int:
        return self.step.attempt


def output_of(state: State, step: Step) -> Any:
    """The decoded output of a step, decoded once; null when there is none."""
    if step.output is None:
        return None
    name = f"output {step.key}"
    if name not in state.cache:
        state.cache[name] = msgspec.json.decode(step.output)
    return state.cache[name]


def error_value(error: Failure | None) -> dict[str, Any] | None:
    if error is None:
        return None
    value: dict[str, Any] = {"name": error.name, "message": error.message}
    return value | {"job": error.job} if error.job else value


def outputs(scope: Scope, node: Node) -> dict[str, Any]:
    """Job name to output, as encoded, for the jobs below ``node``: a result without ``output``."""
    return {job.name: _encoded(_find(scope, job)) for job in node.jobs}


def weight(found: Any) -> int:
    """About how many bytes such outputs have together."""
    if isinstance(found, dict):
        found = found.values()
    return len(found) if isinstance(found, Raw) else sum(map(weight, found or ()))


class Gathered(NamedTuple):
    """What was found for each item of an ``each``."""

    each: Scope
    found: list[Any]


Found = Step | Gathered | None

WORST = ("failed", "cancelled", "running", "ready", "waiting", "pending")


def _find(scope: Scope, node: Node) -> Found:
    """The activation of ``node`` that is nearest to ``scope``; a list where it is repeated."""
    here = scope
    while here.parent is not None and not _surrounds(here, node):
        here = here.parent
    return _descend(here, node.way, len(here.node.way))


def _surrounds(scope: Scope, node: Node) -> bool:
    depth = len(scope.node.way)
    inside = depth < len(node.way) and node.way[depth - 1] is scope.node
    return inside and not _gathers(scope)


def _gathers(scope: Scope) -> bool:
    """An ``each`` itself, not one of its items."""
    return scope.node.each is not None and scope.index is None


def _descend(scope: Scope, way: tuple[Node, ...], at: int) -> Found:
    """What stands at the end of ``way``, whose part up to ``at`` leads to ``scope``."""
    here = scope.latest.get(way[at].index)
    if not isinstance(here, Scope):
        return here
    below = min(at + 1, len(way) - 1)  # a job's own item is on the job's place
    if _gathers(here) and here.status != "skipped":
        return Gathered(here, [_descend(item, way, below) for item in here.elements])
    return _descend(here, way, below) if below > at else None


def _names(state: State, found: Found) -> Mapping[str, Any]:
    if found is None:
        return PENDING
    if isinstance(found, Step):
        return JobNames(state, found)
    shown = [_names(state, item) for item in found.found]
    return {
        "status": _together(found.each, [each["status"] for each in shown]),
        "output": [each["output"] for each in shown],
        "error": next((each["error"] for each in shown if each["error"]), None),
        "attempts": max((each["attempts"] for each in shown), default=0),
    }


def _encoded(found: Found) -> Raw | list[Any] | None:
    if isinstance(found, Gathered):
        return [_encoded(item) for item in found.found]
    return None if found is None else found.output


def _together(each: Scope, statuses: list[str]) -> str:
    """One status for many items: the worst, but what an ``each`` tolerated does not count."""
    if each.status != "succeeded":
        worst = next((status for status in WORST if status in statuses), None)
        if worst is not None or each.ended_at is None or not statuses:
            return worst or each.status
    return "skipped" if statuses and set(statuses) == {"skipped"} else "succeeded"
