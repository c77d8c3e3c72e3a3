"""The table of functions. ``has default now matches`` are not here: they steer what is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ostinato.core.expressions import conversions, lists, texts
from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.closures import Context, Run, Slots

__all__ = ["FUNCTIONS", "Function"]


class Function:
    """``call(budget, *arguments)`` with the count of arguments it takes."""

    MANY: ClassVar[int] = 1_000

    __slots__ = ("call", "least", "most")

    def __init__(self, call: Callable[..., Any], least: int, most: int | None = None) -> None:
        self.call = call
        self.least = least
        self.most = least if most is None else most

    def bind(self, arguments: tuple[Run, ...]) -> Run:
        if len(arguments) == 1:
            return _bound_to_one(self.call, arguments[0])
        if len(arguments) == 2:
            return _bound_to_two(self.call, *arguments)
        return _bound_to_many(self.call, arguments)


def _bound_to_one(call: Callable[..., Any], one: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        return call(budget, one(context, budget, slots))

    return run


def _bound_to_two(call: Callable[..., Any], one: Run, two: Run) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        return call(budget, one(context, budget, slots), two(context, budget, slots))

    return run


def _bound_to_many(call: Callable[..., Any], arguments: tuple[Run, ...]) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        return call(budget, *[argument(context, budget, slots) for argument in arguments])

    return run


FUNCTIONS: dict[str, Function] = {
    "size": Function(lists.size, 1),
    "merge": Function(lists.merge, 1, Function.MANY),
    "keys": Function(lists.keys, 1),
    "values": Function(lists.values, 1),
    "first": Function(lists.first, 1),
    "last": Function(lists.last, 1),
    "min": Function(lists.smallest, 1, Function.MANY),
    "max": Function(lists.largest, 1, Function.MANY),
    "sum": Function(lists.total, 1),
    "sort": Function(lists.sort, 1),
    "lower": Function(texts.lower, 1),
    "upper": Function(texts.upper, 1),
    "trim": Function(texts.trim, 1),
    "split": Function(texts.split, 2),
    "join": Function(texts.join, 2),
    "replace": Function(texts.replace, 3),
    "startsWith": Function(texts.starts_with, 2),
    "endsWith": Function(texts.ends_with, 2),
    "contains": Function(texts.contains, 2),
    "string": Function(conversions.string, 1),
    "number": Function(conversions.number, 1),
    "bool": Function(conversions.boolean, 1),
    "json": Function(conversions.json, 1),
    "parse": Function(conversions.parsed, 1),
    "date": Function(conversions.date, 1, 2),
    "duration": Function(conversions.duration, 1),
    "uuid5": Function(conversions.uuid5, 1, 2),
    "base64": Function(conversions.base64, 1),
    "sha256": Function(conversions.sha256, 1),
}
