"""Equality with something written in the text, the commonest test of all, without the general way.

Both kinds being equal is part of equality, so each kind of literal has its own shortest check.
"""

from __future__ import annotations

from typing import Any

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.closures import Context, Run, Slots
from ostinato.core.expressions.operators import differs, equals

__all__ = ["equality"]


def equality(operator: str, left: Run, right: Run, literal: Any, *, literally: bool) -> Run:
    if literally and type(literal) is str:
        return _is_text(left, literal) if operator == "==" else _is_not_text(left, literal)
    if literally and (literal is None or type(literal) is bool):
        return _is(left, literal) if operator == "==" else _is_not(left, literal)
    return equals(left, right) if operator == "==" else differs(left, right)


def _is_text(left: Run, literal: str) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        return bool(left(context, budget, slots) == literal)

    return run


def _is_not_text(left: Run, literal: str) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        return bool(left(context, budget, slots) != literal)

    return run


def _is(left: Run, literal: bool | None) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        return left(context, budget, slots) is literal

    return run


def _is_not(left: Run, literal: bool | None) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        return left(context, budget, slots) is not literal

    return run
