"""JSON values as the language sees them: six kinds, equality, text and weight.

A bool is not a number, so ``true == 1`` is false; values of different kinds are never equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.faults import failure

__all__ = ["EXACT", "equal", "finished", "json_text", "kind", "kinds", "text_of"]

EXACT = 2**53  # whole numbers up to here are the same in every JSON reader

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    tuple: "list",
    dict: "map",
}
_ATOMS = frozenset({type(None), bool, int, float})
_LARGEST = 10**308  # about where a broken number ends too
_DEEPEST = 100  # levels of a value; keeps every reader of it away from its own limit
_ITEM = 4  # bytes that a number, a bool or null is taken to weigh
_AROUND = 2  # quotes, or a comma and a colon
_EXACT_ATOMS = frozenset({bool, int, type(None)})


def kind(value: Any) -> str:
    found = _KINDS.get(type(value))
    if found is None:
        found = "map" if isinstance(value, Mapping) else type(value).__name__
    return found


def kinds(left: Any, right: Any) -> str:
    return f"{kind(left)} and {kind(right)}"


def equal(left: Any, right: Any, budget: Budget) -> bool:
    kind_of = type(left)
    if kind_of is type(right) and kind_of in _ATOMS:
        return bool(left == right)
    if kind_of is str and type(right) is str:
        budget.charge(len(left) >> 8)
        return bool(left == right)
    return _equal_deep(left, right, budget)


def _equal_deep(left: Any, right: Any, budget: Budget) -> bool:
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        shape = kind(one)
        if shape != kind(other):
            return False
        if shape in ("list", "map"):
            budget.charge(len(one))
            if not _same_shape(one, other, shape):
                return False
            pairs.extend(zip(one, other, strict=True) if shape == "list" else _members(one, other))
        elif one != other:
            return False
    return True


def _same_shape(one: Any, other: Any, shape: str) -> bool:
    return len(one) == len(other) and (shape == "list" or all(key in other for key in one))


def _members(one: Any, other: Any) -> list[tuple[Any, Any]]:
    return [(one[key], other[key]) for key in one]


def text_of(value: Any, budget: Budget) -> str:
    """What a value is inside a text: null is nothing, 1.0 is 1, lists and maps are JSON."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (int, float):
        return _number_text(value)
    return json_text(value, budget)


def _number_text(value: float) -> str:
    if type(value) is int:
        return _whole_text(value)
    if not isfinite(value):
        raise failure("NaN and Infinity are not numbers of JSON")
    return str(int(value)) if value == int(value) and abs(value) <= EXACT else repr(value)


def _whole_text(value: int) -> str:
    if abs(value) > _LARGEST:  # Python refuses to write out what is much longer
        raise failure("a number is too large")
    return str(value)


def json_text(value: Any, budget: Budget) -> str:
    text = _encoded(_plain(value, budget.size, budget)).decode()
    budget.charge_text(len(text))
    return text


def finished(value: Any, budget: Budget, *, built: bool) -> Any:
    """The result of an evaluation: JSON, not too large, and no lazy view of anything.

    What was only read is part of the context and can be weighed by writing it. What was built may
    hold one list a million times over, so it is weighed level by level, and that stops in time.
    """
    take = budget.take if built else budget.hand_on
    if type(value) is str:
        take(len(value))
        return value
    if type(value) is float and isfinite(value):
        return value
    if not built and type(value) in (list, dict):
        try:
            take(len(_encoded(value)))
            return value
        except TypeError:
            pass  # a lazy view further down
    return _plain(value, budget.room, budget, taken=True)


def _encoded(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (RecursionError, ValueError, OverflowError) as problem:
        raise failure(f"a value is not JSON: {problem}") from None


def _plain(value: Any, limit: int, budget: Budget, *, taken: bool = False) -> Any:
    scale = _Scale(limit, budget)
    weight = scale.weigh(value)
    if taken:
        budget.take(weight)
    return _copied(value) if scale.lazy else value


class _Scale:
    """Weighs a value breadth first, so that depth needs no recursion and excess is seen early."""

    __slots__ = ("budget", "lazy", "limit", "weight")

    def __init__(self, limit: int, budget: Budget) -> None:
        self.limit = limit
        self.budget = budget
        self.weight = 0
        self.lazy = False

    def weigh(self, value: Any) -> int:
        level = [value]
        for _ in range(_DEEPEST):
            deeper: list[Any] = []
            for item in level:
                if type(item) is str and item.isascii():
                    self.weight += len(item) + _AROUND
                elif type(item) in _EXACT_ATOMS:
                    self.weight += _ITEM
                else:
                    self._open(item, deeper)
            self._check()
            if not deeper:
                return self.weight
            level = deeper
        raise failure(f"a value is nested deeper than {_DEEPEST} levels")

    def _open(self, item: Any, deeper: list[Any]) -> None:
        found = kind(item)
        if found == "map":
            self._open_map(item, deeper)
        elif found == "list":
            self._check(len(item) * _AROUND)
            deeper.extend(item)
        elif found == "text":
            self.weight += len(item.encode(errors="replace")) + _AROUND
        elif found != "number":
            raise failure(f"a value of type {found} is not JSON")
        elif not isfinite(item):
            raise failure("NaN and Infinity are not numbers of JSON")
        else:
            self.weight += _ITEM

    def _open_map(self, item: Mapping[Any, Any], deeper: list[Any]) -> None:
        for key in item:
            if not isinstance(key, str):
                raise failure(f"the keys of a map are texts, not {kind(key)}")
            self.weight += len(key) + _AROUND
        self._check(len(item) * _AROUND)
        self.lazy = self.lazy or type(item) is not dict
        deeper.extend(item.values())

    def _check(self, more: int = 0) -> None:
        """Before a level grows: one list may be in it a million times."""
        self.weight += more
        if self.weight > self.limit:
            raise self.budget.too_large()


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    return value
