"""Functions on lists and maps."""

from __future__ import annotations

from typing import Any

from ostinato.core.expressions.arguments import wanted
from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.operators import add
from ostinato.core.expressions.values import kind, kinds

__all__ = [
    "first",
    "keys",
    "largest",
    "last",
    "merge",
    "size",
    "smallest",
    "sort",
    "total",
    "values",
]


def size(budget: Budget, value: Any) -> int:
    return len(wanted("size", value, "text", "list", "map"))


def merge(budget: Budget, *maps: Any) -> dict[str, Any]:
    """Later members win; null is taken as a map without members."""
    merged: dict[str, Any] = {}
    for found in maps:
        members = wanted("merge", found, "map", "null") or {}
        budget.charge(len(members))
        merged.update(members.items())
    return merged


def keys(budget: Budget, value: Any) -> list[str]:
    found = wanted("keys", value, "map")
    budget.charge(len(found))
    return list(found)


def values(budget: Budget, value: Any) -> list[Any]:
    found = wanted("values", value, "map")
    budget.charge(len(found))
    return list(found.values())


def first(budget: Budget, value: Any) -> Any:
    items = wanted("first", value, "list")
    return items[0] if items else None


def last(budget: Budget, value: Any) -> Any:
    items = wanted("last", value, "list")
    return items[-1] if items else None


def total(budget: Budget, value: Any) -> Any:
    items, result = wanted("sum", value, "list"), 0
    budget.charge(len(items))
    for item in items:
        result = add(result, wanted("sum", item, "number"), budget)
    return result


def smallest(budget: Budget, *given: Any) -> Any:
    items = _ordered("min", _spread("min", given), budget)
    return min(items) if items else None


def largest(budget: Budget, *given: Any) -> Any:
    items = _ordered("max", _spread("max", given), budget)
    return max(items) if items else None


def _spread(name: str, given: tuple[Any, ...]) -> list[Any]:
    """``max(list)`` and ``max(a, b, …)`` are both wanted."""
    return wanted(name, given[0], "list") if len(given) == 1 else list(given)


def sort(budget: Budget, value: Any) -> list[Any]:
    items = wanted("sort", value, "list")
    budget.charge(len(items) * (len(items).bit_length() // 4))
    return sorted(_ordered("sort", items, budget))


def _ordered(name: str, items: list[Any], budget: Budget) -> list[Any]:
    budget.charge(len(items))
    for item in items:
        if kind(item) not in ("number", "text"):
            raise failure(f"{name}() needs numbers or texts, not {kind(item)}")
        if kind(item) != kind(items[0]):
            raise failure(f"{name}() cannot compare {kinds(items[0], item)}")
        budget.charge(len(item) >> 8 if type(item) is str else 0)
    return items
