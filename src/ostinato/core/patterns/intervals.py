"""Closed ranges of numbers: which of them hold this one, in time that grows with the answer."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
Bounds = tuple[Any, Any]

# So many changes are kept in a plain list before the tree is built again.
_FEW = 16


class Intervals(Generic[T]):
    """A tree of what was there when it was built, and a list of what has come since.

    It is built again when a quarter of it has changed, so that a change costs O(log n) on average.
    """

    def __init__(self) -> None:
        self._held: dict[Bounds, T] = {}
        self._fresh: set[Bounds] = set()
        self._gone = 0
        self._root: _Centre | None = None

    def __len__(self) -> int:
        return len(self._held)

    def get(self, bounds: Bounds) -> T | None:
        return self._held.get(bounds)

    def add(self, bounds: Bounds, item: T) -> None:
        self._held[bounds] = item
        self._fresh.add(bounds)

    def remove(self, bounds: Bounds) -> None:
        del self._held[bounds]
        if bounds in self._fresh:
            self._fresh.discard(bounds)
        else:
            self._gone += 1

    def holding(self, number: Any) -> Iterator[T]:
        if len(self._fresh) + self._gone > max(_FEW, len(self._held) // 4):
            self._build()
        for bounds in self._fresh:
            if bounds[0] <= number <= bounds[1]:
                yield self._held[bounds]
        for bounds in _holding(self._root, number):
            if bounds in self._held and bounds not in self._fresh:
                yield self._held[bounds]

    def _build(self) -> None:
        self._root = _tree(list(self._held))
        self._fresh.clear()
        self._gone = 0


class _Centre(NamedTuple):
    """The ranges that hold ``at``, once by their lower and once by their upper bounds."""

    at: Any
    lower: list[Any]
    by_lower: list[Bounds]
    upper: list[Any]
    by_upper: list[Bounds]
    left: Any
    right: Any


def _tree(ranges: list[Bounds]) -> _Centre | None:
    if not ranges:
        return None
    at = sorted(low for low, _ in ranges)[len(ranges) // 2]
    here = [bounds for bounds in ranges if bounds[0] <= at <= bounds[1]]
    by_lower = sorted(here, key=lambda bounds: bounds[0])
    by_upper = sorted(here, key=lambda bounds: bounds[1])
    return _Centre(
        at,
        [low for low, _ in by_lower],
        by_lower,
        [high for _, high in by_upper],
        by_upper,
        _tree([bounds for bounds in ranges if bounds[1] < at]),
        _tree([bounds for bounds in ranges if bounds[0] > at]),
    )


def _holding(centre: _Centre | None, number: Any) -> Iterator[Bounds]:
    while centre is not None:
        if number < centre.at:
            yield from centre.by_lower[: bisect_right(centre.lower, number)]
            centre = centre.left
        else:
            yield from centre.by_upper[bisect_left(centre.upper, number) :]
            centre = centre.right
