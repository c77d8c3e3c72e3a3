"""``all exists filter map``: each item in turn becomes the variable of a body.

The whole list is paid for before the first item is looked at, also where the answer may come
early: an expression that is too costly should be so in the test and not only in production.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.closures import Context, Run, Slots
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.operators import truth
from ostinato.core.expressions.values import kind

__all__ = ["COMPREHENSIONS"]

Comprehension = Callable[[Run, Run, int, int], Run]


def _items(value: Any, name: str, price: int, budget: Budget) -> list[Any]:
    if type(value) is not list and kind(value) != "list":
        raise failure(f"{name} is for lists, not {kind(value)}", _HINTS.get(kind(value), ""))
    budget.charge(len(value) * price)
    found: list[Any] = value
    return found


_HINTS = {
    "map": "write keys(x) or values(x) first",
    "null": "write default(x, []) for what may be missing",
}


def _map(target: Run, body: Run, place: int, price: int) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> list[Any]:
        made = []
        for item in _items(target(context, budget, slots), "map", price, budget):
            slots[place] = item
            made.append(body(context, budget, slots))
        return made

    return run


def _filter(target: Run, body: Run, place: int, price: int) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> list[Any]:
        kept = []
        for item in _items(target(context, budget, slots), "filter", price, budget):
            slots[place] = item
            if truth(body(context, budget, slots), "filter"):
                kept.append(item)
        return kept

    return run


def _all(target: Run, body: Run, place: int, price: int) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        for item in _items(target(context, budget, slots), "all", price, budget):
            slots[place] = item
            if not truth(body(context, budget, slots), "all"):
                return False
        return True

    return run


def _exists(target: Run, body: Run, place: int, price: int) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        for item in _items(target(context, budget, slots), "exists", price, budget):
            slots[place] = item
            if truth(body(context, budget, slots), "exists"):
                return True
        return False

    return run


COMPREHENSIONS: dict[str, Comprehension] = {
    "all": _all,
    "exists": _exists,
    "filter": _filter,
    "map": _map,
}
