"""One alternative of a pattern, and the ways in which an event can be led to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from ostinato.core.patterns.keys import Key, Kind
from ostinato.core.patterns.matchers import Test
from ostinato.core.patterns.parse import Leaf, canonical

Path = tuple[str, ...]
Place = tuple[Path, Key]

# A dotted name doubles the paths at which its value may be found. With more, a leaf is no way.
_MOST_PATHS = 8


class Way(NamedTuple):
    """An event that the alternative fits has, for each of its ways, one of the places."""

    path: Path
    places: tuple[Place, ...]

    @property
    def kind(self) -> Kind:
        return max(key.kind for _, key in self.places)


class Entry:
    """``order`` is that of its pattern among all; alternatives of one pattern share it."""

    __slots__ = ("order", "test", "ways")

    def __init__(self, order: int, leaves: list[Leaf], test: Test) -> None:
        self.order = order
        self.test = test
        self.ways = tuple(way for leaf in leaves for way in _ways(leaf))


def _ways(leaf: Leaf) -> Iterator[Way]:
    if leaf.test is None:
        return
    paths = _paths(leaf.path)
    if len(paths) <= _MOST_PATHS:
        keys = dict.fromkeys(leaf.keys)
        yield Way(canonical(leaf.path), tuple(product(paths, keys)))


def _paths(path: Path) -> list[Path]:
    """``a.b`` also means ``b`` in ``a``: each dotted name, whole and taken apart."""
    dotted = [name for name in path if "." in name and all(name.split("."))]
    if 2 ** len(dotted) > _MOST_PATHS:
        return [path] * (_MOST_PATHS + 1)
    forms = [[(name,), tuple(name.split("."))] if name in dotted else [(name,)] for name in path]
    return [
        canonical(tuple(name for form in choice for name in form)) for choice in product(*forms)
    ]
