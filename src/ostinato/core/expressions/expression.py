"""An expression: its text, what it reads, and how to evaluate it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.closures import Run
from ostinato.core.expressions.compiler import Compiler
from ostinato.core.expressions.faults import failure, fault, within
from ostinato.core.expressions.lexer import LONGEST, Token, tokens
from ostinato.core.expressions.parser import parse_tree
from ostinato.core.expressions.syntax import Index, Member, Name, Node
from ostinato.core.expressions.values import finished, kind
from ostinato.errors import ExpressionError

__all__ = ["Expression", "from_tokens", "parse"]

_SMALL = frozenset({bool, int, type(None)})  # results that are never too large


class Expression:
    """Safe to share: an evaluation leaves nothing behind in it.

    A result may be part of the context, not a copy; treat both as read-only. A bare path only
    reads, anything else ``makes`` a value.
    """

    __slots__ = ("_cost", "_run", "_slots", "makes", "names", "paths", "text")

    def __init__(self, text: str, tree: Node, run: Run, compiled: Compiler) -> None:
        self.text = text
        self.paths: frozenset[tuple[str, ...]] = frozenset(compiled.paths)
        self.names: frozenset[str] = frozenset(path[0] for path in compiled.paths)
        self._run = run
        self._cost = compiled.cost
        self._slots = [None] * compiled.slots
        self.makes = not isinstance(tree, Name | Member | Index)

    def evaluate(self, context: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """``context`` gives the names; ``now()`` reads its ``now``, text or ms since 1970."""
        if budget is None:
            budget = Budget()
        budget.left -= self._cost
        try:
            if budget.left < 0:
                raise budget.too_long()
            value = self._run(context, budget, self._slots[:])
            if type(value) in _SMALL:
                return value
            return finished(value, budget, built=self.makes)
        except ExpressionError as error:
            raise within(error, self.text) from None
        except RecursionError:
            raise within(failure("a value is nested too deeply"), self.text) from None

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def parse(text: str) -> Expression:
    """Also takes the text inside ``${ }``, since a document may write it either way."""
    if not isinstance(text, str):
        raise failure(f"an expression is a text, not {kind(text)}")
    text = text.strip()
    if text.startswith("${"):
        return _parse_wrapped(text)
    if len(text) > LONGEST:
        raise fault(text, 0, f"an expression is longer than {LONGEST:,} characters")
    return from_tokens(text, tokens(text))


def _parse_wrapped(text: str) -> Expression:
    found = tokens(text, 2, inside=True)
    if found[-1].end != len(text):
        hint = "text around ${ } makes a template; join with + here"
        raise fault(text, found[-1].end, "here stands one expression and nothing else", hint)
    return from_tokens(text, found)


def from_tokens(text: str, found: list[Token]) -> Expression:
    compiler = Compiler(text)
    try:
        tree = parse_tree(text, found)
        run = compiler.compile(tree)
    except RecursionError:  # the caller may have used up most of the stack before
        raise fault(text, found[0].at, "an expression is nested too deeply") from None
    written = text[found[0].at : found[-1].at].strip()
    return Expression(written, tree, run, compiler)
