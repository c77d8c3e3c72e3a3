"""The operators. An error names both kinds; nothing is converted and nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable
from math import fmod, isfinite
from typing import Any

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.closures import Context, Run, Slots
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.values import EXACT, equal, kind, kinds

__all__ = [
    "ARITHMETIC",
    "ORDERINGS",
    "add",
    "arithmetic",
    "choice",
    "conjunction",
    "differs",
    "disjunction",
    "equals",
    "is_in",
    "negation",
    "negative",
    "ordering",
]

_NUMBERS = frozenset({int, float})
Operation = Callable[[Any, Any, Budget], Any]


def checked(number: Any) -> Any:
    """Keeps a result inside what JSON carries exactly."""
    if type(number) is int:
        if not -EXACT <= number <= EXACT:
            raise failure("a whole number is beyond 2^53", "make one side broken: 1.0 * …")
    elif not isfinite(number):
        raise failure("a number is too large")
    return number


def _pair(left: Any, right: Any, verb: str, hint: str = "") -> None:
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
        raise failure(f"cannot {verb} {kinds(left, right)}", hint)


def add(left: Any, right: Any, budget: Budget) -> Any:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return _computed(lambda: left + right)
    if type(left) is str and type(right) is str:
        budget.charge_text(len(left) + len(right))
        return left + right
    if kind(left) == kind(right) == "list":
        budget.charge(len(left) + len(right))
        return [*left, *right]
    raise failure(f"cannot add {kinds(left, right)}", _add_hint(left, right))


def _computed(compute: Callable[[], Any]) -> Any:
    try:
        return checked(compute())
    except OverflowError:
        raise failure("a number is too large") from None


def _add_hint(left: Any, right: Any) -> str:
    found = {kind(left), kind(right)}
    if found == {"map"}:
        return "write merge(a, b)"
    if "null" in found:
        return "write default(x, …) for what may be missing"
    return "write string(x) to make a text" if "text" in found else ""


def _subtract(left: Any, right: Any, budget: Budget) -> Any:
    _pair(left, right, "subtract")
    return _computed(lambda: left - right)


def _multiply(left: Any, right: Any, budget: Budget) -> Any:
    _pair(left, right, "multiply")
    return _computed(lambda: left * right)


def _divide(left: Any, right: Any, budget: Budget) -> Any:
    _pair(left, right, "divide")
    if right == 0:
        raise failure("division by zero")
    return _computed(lambda: left / right)


def _remainder(left: Any, right: Any, budget: Budget) -> Any:
    """Has the sign of the left side, as in CEL: ``-7 % 3`` is ``-1``."""
    _pair(left, right, "take the remainder of")
    if left % 1 or right % 1:
        raise failure("% is for whole numbers")
    if right == 0:
        raise failure("division by zero")
    if type(left) is int and type(right) is int:
        return abs(left) % abs(right) * (-1 if left < 0 else 1)
    return _computed(lambda: fmod(left, right))


ARITHMETIC: dict[str, Operation] = {
    "+": add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _remainder,
}


def arithmetic(first: Run, steps: tuple[tuple[Operation, Run], ...]) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        value = first(context, budget, slots)
        for operate, operand in steps:
            value = operate(value, operand(context, budget, slots), budget)
        return value

    return run


def negative(operand: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        value = operand(context, budget, slots)
        if type(value) not in _NUMBERS:
            raise failure(f"cannot negate {kind(value)}")
        return checked(-value)

    return run


def _less(left: Any, right: Any) -> bool:
    return bool(left < right)


def _at_most(left: Any, right: Any) -> bool:
    return bool(left <= right)


def _more(left: Any, right: Any) -> bool:
    return bool(left > right)


def _at_least(left: Any, right: Any) -> bool:
    return bool(left >= right)


ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": _less,
    "<=": _at_most,
    ">": _more,
    ">=": _at_least,
}


def ordering(compare: Callable[[Any, Any], bool], left: Run, right: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        one, other = left(context, budget, slots), right(context, budget, slots)
        if type(one) in _NUMBERS and type(other) in _NUMBERS:
            return compare(one, other)
        if type(one) is str and type(other) is str:
            budget.charge(min(len(one), len(other)) >> 8)
            return compare(one, other)
        hint = "write default(x, …) for what may be missing" if None in (one, other) else ""
        raise failure(f"cannot compare {kinds(one, other)}", hint)

    return run


def equals(left: Run, right: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        return equal(left(context, budget, slots), right(context, budget, slots), budget)

    return run


def differs(left: Run, right: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        return not equal(left(context, budget, slots), right(context, budget, slots), budget)

    return run


def is_in(item: Run, group: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        wanted, inside = item(context, budget, slots), group(context, budget, slots)
        shape = kind(inside)
        if shape == "list":
            budget.charge(len(inside))
            return any(equal(wanted, one, budget) for one in inside)
        if shape == "map" and type(wanted) is str:
            return wanted in inside
        raise failure(f"cannot look for {kind(wanted)} in {shape}", _IN_HINTS.get(shape, ""))

    return run


_IN_HINTS = {
    "text": "write contains(text, part)",
    "null": "write default(x, []) for what may be missing",
    "map": "the keys of a map are texts",
}


def negation(operand: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        return not truth(operand(context, budget, slots), "!")

    return run


def truth(value: Any, sign: str) -> bool:
    if value is True or value is False:
        return bool(value)
    raise failure(f"{sign} needs a bool, not {kind(value)}", _TRUTH_HINTS.get(kind(value), ""))


_TRUTH_HINTS = {
    "null": "write x != null, or default(x, false)",
    "number": "write x != 0",
    "text": 'write x != ""',
    "list": "write size(x) > 0",
    "map": "write size(x) > 0",
}


def conjunction(operands: tuple[Run, ...]) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        for operand in operands:
            value = operand(context, budget, slots)
            if value is not True and not truth(value, "&&"):
                return False
        return True

    return run


def disjunction(operands: tuple[Run, ...]) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        for operand in operands:
            value = operand(context, budget, slots)
            if value is not False and truth(value, "||"):
                return True
        return False

    return run


def choice(condition: Run, yes: Run, no: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        chosen = truth(condition(context, budget, slots), "?:")
        return (yes if chosen else no)(context, budget, slots)

    return run
