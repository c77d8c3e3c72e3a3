"""Calls whose workflow stands in the document: whether it is there, and whether they go round.

A workflow may call itself, directly or through others, as long as something can end that: a `when`,
an `each` over a list that gets empty, a `catch`. Where every call on the way round is made by every
run, no run could ever end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ostinato.core.expressions import Expression
from ostinato.core.model import Call, Each
from ostinato.definitions.document import Document, Job
from ostinato.definitions.source import Path
from ostinato.errors import ExpressionError, Problem

__all__ = ["Circles", "Find", "call_problems", "finding"]

Find = Callable[[str], Document | None]
"""The newest document of a name; ``-`` and ``_`` are equal."""

Circles = dict[frozenset[str], str]
"""The circles that have been told, by the workflows in them: in which workflow's document."""

Told = tuple[bool, Problem]  # whether it is an error, and what


@dataclass(frozen=True, slots=True)
class _Named:
    """A call of a workflow that is named: ``sure`` when every run of the document makes it."""

    name: str
    path: Path
    sure: bool


def finding(documents: Iterable[Document], others: Find = lambda name: None) -> Find:
    """These documents first."""
    here = {_plain(document.workflow): document for document in documents}
    return lambda name: here.get(_plain(name)) or others(name)


def _plain(name: str) -> str:
    return name.replace("-", "_")


def call_problems(document: Document, find: Find, circles: Circles | None = None) -> Iterator[Told]:
    """Without ``circles`` that another document has told."""
    known: Circles = {} if circles is None else circles
    for call in _calls(document):
        called = find(call.name)
        if called is None:
            message = f"no workflow is called `{call.name}` here"
            hint = "it has to be deployed by the time this job begins"
            yield False, document.problem(call.path, message, hint)
            continue
        sure = _way(called, document, find, sure=True) if call.sure else []
        way = sure or _way(called, document, find, sure=False)
        if not way or known.setdefault(_circle(way), document.workflow) != document.workflow:
            continue
        if sure:
            message = f"{_chain(document, way)} calls itself in every run: none could ever end"
            hint = "give one of the calls a `when`"
            yield True, document.problem(call.path, message, hint)
        else:
            message = f"{_chain(document, way)} calls itself; see that every run comes to an end"
            hint = "`limits.call_depth` says how deep it may go"
            yield False, document.problem(call.path, message, hint)


def _circle(way: list[str]) -> frozenset[str]:
    return frozenset(map(_plain, way))


def _chain(document: Document, way: list[str]) -> str:
    return " → ".join(f"`{name}`" for name in (document.workflow, *way))


def _way(start: Document, goal: Document, find: Find, *, sure: bool) -> list[str]:
    """The workflows from ``start`` to ``goal``, both included; empty when no calls lead there."""
    came: dict[str, tuple[str, str]] = {_plain(start.workflow): ("", start.workflow)}
    todo = [start]
    for document in todo:  # which grows
        here = _plain(document.workflow)
        if here == _plain(goal.workflow):
            return _back(came, here)
        for call in _calls(document):
            name = _plain(call.name)
            if (call.sure or not sure) and name not in came and (next_ := find(call.name)):
                came[name] = (here, next_.workflow)
                todo.append(next_)
    return []


def _back(came: dict[str, tuple[str, str]], name: str) -> list[str]:
    way: list[str] = []
    while name:
        name, shown = came[name]
        way.insert(0, shown)
    return way


def _calls(document: Document) -> Iterator[_Named]:
    """Without those of one version: that stays as it is."""
    for phase in document.phases:
        certain = _holds(phase.when) and _has_items(phase.each) and phase.enough is None
        for job in phase.jobs:
            yield from _of(job, certain)
    for job in (*document.on_failure, *document.finally_):
        yield from _of(job, False)


def _of(job: Job, certain: bool) -> Iterator[_Named]:
    for body in job.bodies():
        if not isinstance(body.action, Call) or not body.action.target.constant:
            continue
        target = body.action.target.render({})
        if target.get("version") is None:
            own = body is job and _holds(job.when) and _has_items(job.each)
            sure = certain and own and not job.catch and not job.optional
            yield _Named(target["workflow"], (*body.path, "call"), sure)


def _holds(condition: Expression | None) -> bool:
    """In every run, whatever it is given."""
    return condition is None or _constant(condition) is True


def _has_items(each: Each | None) -> bool:
    """In every run, and none of them may fail."""
    if each is None:
        return True
    items = _constant(each.items)
    return isinstance(items, list) and bool(items) and each.may_fail(len(items)) == 0


def _constant(expression: Expression) -> Any:
    """What it gives without any name; None when it needs one."""
    try:
        return expression.evaluate({})
    except ExpressionError:
        return None
