"""What an expression can give, as far as its text tells: enough to refuse what never works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from ostinato.core.durations import parse_duration
from ostinato.core.expressions import Expression
from ostinato.core.expressions import syntax as s
from ostinato.core.expressions.lexer import tokens
from ostinato.core.expressions.parser import parse_tree
from ostinato.core.expressions.values import kind
from ostinato.core.instants import parse_instant
from ostinato.core.state import JOB_STATUSES
from ostinato.definitions.document import Document
from ostinato.definitions.reader import Use
from ostinato.definitions.source import Path
from ostinato.errors import DefinitionError, ExpressionError, Problem

__all__ = ["constant", "meaning_problems"]

_TRUTH, _TEXT, _NUMBER, _LIST = "bool", "text", "number", "list"

_GIVES = {
    "has": _TRUTH, "contains": _TRUTH, "matches": _TRUTH, "startsWith": _TRUTH, "endsWith": _TRUTH,
    "bool": _TRUTH, "all": _TRUTH, "exists": _TRUTH, "size": _NUMBER, "number": _NUMBER,
    "sum": _NUMBER, "keys": _LIST, "split": _LIST, "filter": _LIST, "map": _LIST, "lower": _TEXT,
    "upper": _TEXT, "trim": _TEXT, "join": _TEXT, "replace": _TEXT, "string": _TEXT, "json": _TEXT,
    "uuid5": _TEXT, "base64": _TEXT, "sha256": _TEXT,
}  # fmt: skip

_WANTED = {
    "condition": ((_TRUTH,), "true or false"),
    "list": ((_LIST,), "a list"),
    "instant": ((_TEXT, _NUMBER), "an instant"),
}

Told = tuple[bool, Problem]  # whether it is an error, and what


def constant(expression: Expression | None) -> tuple[Any] | None:
    """The value of an expression that reads nothing."""
    if expression is None or expression.names:
        return None
    try:
        return (expression.evaluate({}),)
    except ExpressionError:
        return None


def meaning_problems(document: Document) -> Iterator[Told]:
    for use in document.uses:
        if use.expression is not None:
            yield from _use(document, use, use.expression)


def _use(document: Document, use: Use, expression: Expression) -> Iterator[Told]:
    tree = _tree(expression)
    found = _kind(tree)
    if not expression.names:
        try:
            value = expression.evaluate({})
        except ExpressionError as error:
            yield True, document.problem(use.path, f"this always fails: {error}")
            return
        found = kind(value)
        if message := _no_instant(use, value):
            hint = "write date('2027-01-01T00:00:00Z')"
            yield True, document.problem(use.path, message, hint)
    if use.role in _WANTED and found is not None:
        kinds, wanted = _WANTED[use.role]
        if found not in kinds:
            message = f"{wanted} is expected, and `{expression.text}` gives a {found}"
            yield True, document.problem(use.path, message, _quote_hint(use.role, found))
    yield from _comparisons(document, use.path, tree)


def _no_instant(use: Use, value: Any) -> str:
    if use.role != "instant" or not isinstance(value, str):
        return ""
    for reads in (parse_instant, parse_duration):
        try:
            reads(value)
        except (DefinitionError, ValueError):
            continue
        return ""
    return f"{value[:40]!r} is not an instant"


def _quote_hint(role: str, found: str) -> str:
    if role == "condition" and found == _TEXT:
        return "compare it with something"
    return "a list is written \"['a', 'b']\"" if role == "list" else ""


def _tree(expression: Expression) -> s.Node:
    return parse_tree(expression.text, tokens(expression.text))


def _kind(node: s.Node) -> str | None:
    match node:
        case s.Literal(value=value):
            return kind(value)
        case s.Logic() | s.Not() | s.Compare():
            return _TRUTH
        case s.Negate():
            return _NUMBER
        case s.ListOf():
            return _LIST
        case s.MapOf():
            return "map"
        case s.Choice(yes=yes, no=no):
            return _kind(yes) if _kind(yes) == _kind(no) else None
        case s.Call(name=name) | s.Method(name=name):
            return _GIVES.get(name)
        case s.Arithmetic(first=first, steps=steps):
            known = {_kind(first), *(_kind(one) for _, one in steps)} - {None}
            return _NUMBER if all(sign != "+" for sign, _ in steps) else next(iter(known), None)
        case s.Member(target=s.Member(target=s.Name(name="jobs")), name="status" | "attempts"):
            return _TEXT if node.name == "status" else _NUMBER
        case _:
            return None


def _comparisons(document: Document, path: Path, tree: s.Node) -> Iterator[Told]:
    """A job's status compared with a word that no status is."""
    for node in _walk(tree):
        if not isinstance(node, s.Compare):
            continue
        for one, other in ((node.left, node.right), (node.right, node.left)):
            match one, other:
                case (
                    s.Member(target=s.Member(target=s.Name(name="jobs")), name="status"),
                    s.Literal(value=str() as word),
                ) if word not in JOB_STATUSES:
                    hint = "one of " + " ".join(JOB_STATUSES)
                    yield False, document.problem(path, f"no job's status is {word!r}", hint)


def _walk(node: s.Node) -> Iterator[s.Node]:
    todo: list[Any] = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, s.Node):
            yield one
            todo += structs.astuple(one)
        elif isinstance(one, tuple):
            todo += one
