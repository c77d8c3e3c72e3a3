"""Why an event does not fit: per failing path, what was found there and what was wanted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from json import dumps
from typing import Any, NamedTuple

from ostinato.core.patterns.compile import compiled, objects, scalars
from ostinato.core.patterns.parse import ALIASES, Leaf

_SHOWN = 200


class Failure(NamedTuple):
    path: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}, wanted {self.wanted}"


class Explanation(NamedTuple):
    """``failures`` are those of the alternative that came closest, when the pattern has ``$or``."""

    matched: bool
    failures: tuple[Failure, ...] = ()
    alternatives: int = 1

    def __bool__(self) -> bool:
        return self.matched

    def __str__(self) -> str:
        if self.matched:
            return "the event matches"
        text = "\n".join(map(str, self.failures))
        if self.alternatives == 1:
            return text
        return f"{text}\n(the closest of {self.alternatives} alternatives)"


def explain(alternatives: list[list[Leaf]], event: dict[str, Any]) -> Explanation:
    failures = [_failures(leaves, event) for leaves in alternatives]
    closest = min(failures, key=len)
    return Explanation(not closest, tuple(closest), len(alternatives))


def _failures(leaves: list[Leaf], event: dict[str, Any]) -> list[Failure]:
    if compiled(leaves)(event):
        return []
    alone = [_failure(leaf, event) for leaf in leaves if not compiled([leaf])(event)]
    return alone or _no_one_element(leaves, event)


def _failure(leaf: Leaf, event: dict[str, Any]) -> Failure:
    return Failure(leaf.name, _shown(_found(event, leaf.path)), leaf.wanted)


def _no_one_element(leaves: list[Leaf], event: dict[str, Any]) -> list[Failure]:
    """Each leaf holds for some element of an array of objects, but no element fits them all."""
    groups: dict[tuple[str, ...], list[Leaf]] = {}
    for leaf in leaves:
        groups.setdefault(_first_array(event, leaf.path), []).append(leaf)
    return [
        Failure(".".join(path), "no element that fits all", _together(group, len(path)))
        for path, group in groups.items()
        if not compiled(group)(event)
    ]


def _together(leaves: list[Leaf], depth: int) -> str:
    return " and ".join(f"{'.'.join(leaf.path[depth:])} {leaf.wanted}" for leaf in leaves)


def _first_array(event: dict[str, Any], path: tuple[str, ...]) -> tuple[str, ...]:
    value: Any = event
    for depth, name in enumerate(path):
        if not isinstance(value, dict):
            return path[:depth]
        value = next(_members(value, name, depth), None)
    return path


def _found(event: dict[str, Any], path: tuple[str, ...]) -> list[Any]:
    values: list[Any] = [event]
    for depth, name in enumerate(path):
        holders = [holder for value in values for holder in _holders(value)]
        values = [member for holder in holders for member in _members(holder, name, depth)]
    return values


def _holders(value: Any) -> Iterator[dict[str, Any]]:
    return objects(value if isinstance(value, (list, tuple)) else [value])


def _members(holder: dict[str, Any], name: str, depth: int) -> Iterator[Any]:
    if name in holder:
        yield holder[name]
    elif depth == 0 and ALIASES.get(name) in holder:
        yield holder[ALIASES[name]]
    elif "." in name and all(name.split(".")):
        yield from _found(holder, tuple(name.split(".")))


def _shown(values: list[Any]) -> str:
    if not values:
        return "nothing"
    plain = list(islice(scalars(values), 6))
    if not plain:
        return "an object" if any(isinstance(v, dict) for v in values) else "an empty array"
    more = [] if len(plain) < 6 else ["…"]
    return ", ".join([_json(value) for value in plain[:5]] + more)


def _json(value: Any) -> str:
    text = dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
