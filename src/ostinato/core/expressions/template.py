"""Any JSON-like value whose texts may hold ``${ … }``.

A text that is one ``${ … }`` keeps the type of its value; inside longer text a value becomes text
(null is nothing, 1.0 is 1, lists and maps are compact JSON). ``$${`` is a literal ``${``. The keys
of maps are never templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.expression import Expression, from_tokens
from ostinato.core.expressions.faults import failure, fault
from ostinato.core.expressions.lexer import tokens
from ostinato.core.expressions.values import kind, text_of
from ostinato.errors import ExpressionError, Problem

__all__ = ["Template", "parse_template"]

_DEEPEST = 100

Render = Callable[[Mapping[str, Any], Budget, bool], Any]
Piece = str | Expression


class Template:
    """``constant`` ones cost nothing and always give the same object: treat it as read-only.

    ``encoded`` is for whoever keeps what a constant one gives in another form.
    """

    __slots__ = ("_render", "_value", "_written", "constant", "encoded", "names", "paths")

    def __init__(
        self, value: Any, render: Render | None, expressions: list[Expression], written: Any
    ) -> None:
        self._written = written
        self.constant = render is None
        self.names: frozenset[str] = frozenset().union(*(one.names for one in expressions))
        self.paths: frozenset[tuple[str, ...]] = frozenset().union(
            *(one.paths for one in expressions)
        )
        self.encoded: Any = None
        self._value = value
        self._render = render

    @property
    def source(self) -> Any:
        """The value that makes the same template, each expression in it as ``${ text }``."""
        return _written(self._written)

    def render(self, context: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """Without a budget each expression has its own operations; all share the size."""
        if self._render is None:
            return self._value
        if budget is None:
            return self._render(context, Budget(), True)
        return self._render(context, budget, False)


def parse_template(value: Any) -> Template:
    reader = _Reader()
    constant, render = reader.read(value, "", 0)
    if reader.problems:
        raise _joined(reader.problems)
    return Template(constant, render, reader.expressions, value)


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _written(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    return "".join(
        piece.replace("${", "$${") if isinstance(piece, str) else f"${{ {piece.text} }}"
        for piece in _pieces(value)
    )


def _joined(problems: list[Problem]) -> ExpressionError:
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return ExpressionError(f"{problems[0]}{more}", problems=tuple(problems))


Read = tuple[Any, Render | None]  # the constant part, and how to make the rest of it


class _Reader:
    """Reads a whole value before it complains, so that all its mistakes are told at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.expressions: list[Expression] = []

    def read(self, value: Any, pointer: str, depth: int) -> Read:
        if depth > _DEEPEST:
            self._complain(failure(f"a value is nested deeper than {_DEEPEST} levels"), pointer)
            return None, None
        shape = kind(value)
        if shape == "text":
            return self._text(value, pointer)
        if shape == "map":
            return self._map(value, pointer, depth)
        if shape == "list":
            return self._list(value, pointer, depth)
        return value, None

    def _complain(self, error: ExpressionError, pointer: str) -> None:
        first = error.problems[0]
        self.problems.append(Problem(error.message, pointer, line=first.line, column=first.column))

    def _text(self, text: str, pointer: str) -> Read:
        if "${" not in text:
            return text, None
        try:
            pieces = _pieces(text)
        except ExpressionError as error:
            self._complain(error, pointer)
            return None, None
        found = [piece for piece in pieces if isinstance(piece, Expression)]
        self.expressions.extend(found)
        if not found:
            return "".join(map(str, pieces)), None
        if len(pieces) == 1:
            return None, _whole(found[0], pointer)
        return None, _mixed(pieces, pointer)

    def _map(self, value: Mapping[Any, Any], pointer: str, depth: int) -> Read:
        base: dict[str, Any] = {}
        moving: list[tuple[Any, Render]] = []
        for key, member in value.items():
            if not isinstance(key, str):
                self._complain(failure(f"the keys of a map are texts, not {kind(key)}"), pointer)
                continue
            base[key], render = self.read(member, f"{pointer}/{_escaped(key)}", depth + 1)
            if render is not None:
                moving.append((key, render))
        return base, _filled(base, moving) if moving else None

    def _list(self, value: list[Any], pointer: str, depth: int) -> Read:
        base: list[Any] = []
        moving: list[tuple[Any, Render]] = []
        for index, item in enumerate(value):
            constant, render = self.read(item, f"{pointer}/{index}", depth + 1)
            base.append(constant)
            if render is not None:
                moving.append((index, render))
        return base, _filled(base, moving) if moving else None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _pieces(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    at = 0
    while (opening := text.find("${", at)) >= 0:
        if text[at:opening].endswith("$"):
            pieces.append(text[at : opening - 1] + "${")
            at = opening + 2
            continue
        pieces.append(text[at:opening])
        expression, at = _expression(text, opening)
        pieces.append(expression)
    pieces.append(text[at:])
    return [piece for piece in pieces if piece != ""]


def _expression(text: str, opening: int) -> tuple[Expression, int]:
    found = tokens(text, opening + 2, inside=True)
    if len(found) == 1:
        raise fault(text, opening, "`${ }` is empty", "write $${ for the characters")
    return from_tokens(text, found), found[-1].end


def _whole(expression: Expression, pointer: str) -> Render:
    def render(context: Mapping[str, Any], budget: Budget, each: bool) -> Any:
        if each:
            budget.left = budget.operations
        try:
            return expression.evaluate(context, budget)
        except ExpressionError as error:
            raise _placed(error, pointer) from None

    return render


def _mixed(pieces: list[Piece], pointer: str) -> Render:
    parts = [piece if isinstance(piece, str) else _as_text(piece, pointer) for piece in pieces]

    def render(context: Mapping[str, Any], budget: Budget, each: bool) -> Any:
        return "".join(
            part if isinstance(part, str) else part(context, budget, each) for part in parts
        )

    return render


def _as_text(expression: Expression, pointer: str) -> Render:
    """What was only read becomes part of a text that is made."""
    whole = _whole(expression, pointer)

    def render(context: Mapping[str, Any], budget: Budget, each: bool) -> Any:
        value = whole(context, budget, each)
        try:
            text = text_of(value, budget)
            if not expression.makes:
                budget.take(len(text))
        except ExpressionError as error:
            raise _placed(error, pointer) from None
        return text

    return render


def _filled(base: Any, moving: list[tuple[Any, Render]]) -> Render:
    def render(context: Mapping[str, Any], budget: Budget, each: bool) -> Any:
        made = base.copy()
        for key, part in moving:
            made[key] = part(context, budget, each)
        return made

    return render


def _placed(error: ExpressionError, pointer: str) -> ExpressionError:
    told = error.problems or (Problem(error.message),)
    problems = tuple(Problem(one.message, pointer, hint=one.hint) for one in told)
    message = f"{pointer}: {error.message}" if pointer else error.message
    return type(error)(message, problems=problems, **error.details)
