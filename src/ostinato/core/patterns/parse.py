"""A pattern as written → its alternatives, each a list of leaves that must all hold.

``$or`` is multiplied out here, as event-ruler does, so that everything after this page knows only
"and". A leaf whose list mixes ``{"exists": false}`` with other rules is two alternatives too: what
is absent and what is present are asked in different ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from json import dumps
from typing import Any, NamedTuple

from ostinato.core.patterns.keys import Keys
from ostinato.core.patterns.matchers import (
    ROWS,
    Matcher,
    Rows,
    Test,
    absent,
    any_of,
    exactly,
    is_number,
    kind,
    matcher,
    number,
    refuse,
)

MAX_DEPTH = 100
MAX_VALUES = 10_000
MAX_ALTERNATIVES = 1_000  # EventBridge's own bound for what `$or` multiplies to
MAX_LEAVES = 50_000  # of all alternatives together

OR = "$or"

# EventBridge's names for members of ours. A pattern may use either; an event is asked for the
# name the pattern uses and, where it has no such member, for the other.
OURS = {"detail": "data", "detail-type": "type"}
ALIASES = OURS | {ours: theirs for theirs, ours in OURS.items()}

# Names that event-ruler keeps for itself inside `$or`: a field of that name there is, far more
# often than not, a matcher that was put one level too high.
_RESERVED = frozenset(ROWS) | {"=", "<", "<=", ">", ">=", "regex"}


class Leaf(NamedTuple):
    """``test`` is None, and there are no ``keys``, when nothing may be there."""

    path: tuple[str, ...]
    test: Test | None
    wanted: str
    keys: Keys = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)


Alternative = dict[tuple[str, ...], Leaf]


class Language(NamedTuple):
    """``root``: the path at which the fields stand in what is asked; ``flat``: why none is nested.

    ``rows`` are the matchers there are, and ``exactly`` what a list of plain values becomes.
    """

    root: tuple[str, ...] = ()
    rows: Rows = ROWS
    exactly: Callable[[list[Any]], Matcher] = exactly
    number: Callable[[Any, str], Any] = number
    flat: str = ""


EVENTS = Language()


def parse(pattern: Any, language: Language = EVENTS) -> list[list[Leaf]]:
    """Leaves come in the order of their names: which element an absence is asked of hangs on it."""
    if not isinstance(pattern, Mapping):
        refuse("", f"a pattern is an object, not {kind(pattern)}", 'as {"type": ["ORDER_PLACED"]}')
    alternatives = _Reader(language).object(pattern, language.root, "", False)
    return [sorted(one.values(), key=lambda leaf: leaf.name) for one in alternatives]


def canonical(path: tuple[str, ...]) -> tuple[str, ...]:
    return (OURS.get(path[0], path[0]), *path[1:])


class _Reader:
    def __init__(self, language: Language) -> None:
        self._language = language
        self._values = 0

    def object(
        self, pattern: Mapping[Any, Any], path: tuple[str, ...], shown: str, in_or: bool
    ) -> list[Alternative]:
        if not pattern:
            refuse(shown, "an empty object", 'to ask for presence: [{"exists": true}]')
        alternatives: list[Alternative] = [{}]
        for key, value in pattern.items():
            place = f"{shown}.{key}" if shown else str(key)
            member = self._member(key, value, path, place, in_or)
            alternatives = self._and(alternatives, member, place)
            _check_size(alternatives, place)
        return alternatives

    def _member(
        self, key: Any, value: Any, path: tuple[str, ...], place: str, in_or: bool
    ) -> list[Alternative]:
        if not isinstance(key, str):
            refuse(place, f"a field's name is text, not {kind(key)}")
        if key == OR:
            return self._or(value, path, place)
        if in_or and key in _RESERVED:
            refuse(place, f"{dumps(key)} cannot be a field's name inside $or", "put it in a list")
        return self._field(value, (*path, key), place, in_or)

    def _field(
        self, value: Any, path: tuple[str, ...], place: str, in_or: bool
    ) -> list[Alternative]:
        _check_depth(path, place)
        if isinstance(value, Mapping):
            if self._language.flat:
                refuse(place, "an array of values is needed, not an object", self._language.flat)
            return self.object(value, path, place, in_or)
        if isinstance(value, (list, tuple)):
            return [{canonical(path): leaf} for leaf in self._leaves(value, path, place)]
        refuse(place, f"an array of values is needed, not {kind(value)}", f"as {_as_list(value)}")

    def _and(
        self, left: list[Alternative], right: list[Alternative], place: str
    ) -> list[Alternative]:
        _check_count(len(left) * len(right), place)
        for one in right:
            for path in one:
                if any(path in other for other in left):
                    name = ".".join(path[len(self._language.root) :])
                    refuse(place, f"{name} is asked for twice", "put the values in one list")
        if len(right) == 1:
            for one in left:
                one |= right[0]
            return left
        return [one | other for one in left for other in right]

    def _or(self, choices: Any, path: tuple[str, ...], place: str) -> list[Alternative]:
        if not isinstance(choices, (list, tuple)) or len(choices) < 2:
            refuse(place, "needs an array of at least two objects")
        alternatives: list[Alternative] = []
        for index, choice in enumerate(choices):
            here = f"{place}[{index}]"
            if not isinstance(choice, Mapping):
                refuse(here, f"an object is needed, not {kind(choice)}")
            _check_depth(path, here)
            alternatives += self.object(choice, path, here, True)
            _check_count(len(alternatives), place)
        return alternatives

    def _leaves(self, rules: Any, path: tuple[str, ...], place: str) -> list[Leaf]:
        if not rules:
            refuse(
                place, "an empty array matches nothing", 'for an absent value: {"exists": false}'
            )
        matchers = [self._rule(rule, f"{place}[{i}]") for i, rule in enumerate(rules)]
        present = [m for m in matchers if m is not None and m.test is not absent]
        plain = [rule for rule in rules if not isinstance(rule, Mapping)]
        if plain:
            present.insert(0, self._language.exactly(plain))
        one = any_of(present) if present else None
        leaves = [Leaf(path, one.test, one.wanted, one.keys)] if one else []
        if len(present) - bool(plain) < sum(m is not None for m in matchers):
            leaves.append(Leaf(path, None, "no value"))
        return leaves

    def _rule(self, rule: Any, place: str) -> Matcher | None:
        self._values += _size(rule)
        if self._values > MAX_VALUES:
            refuse(place, f"more than {MAX_VALUES} values in one pattern")
        if isinstance(rule, Mapping):
            return matcher(rule, place, self._language.rows)
        if is_number(rule):
            self._language.number(rule, place)
        elif not (rule is None or isinstance(rule, (str, bool))):
            refuse(place, f"a value is text, a number, true, false or null, not {kind(rule)}")
        return None


def _size(rule: Any, levels: int = 2) -> int:
    """How many values it holds: some matchers take a list of them, two levels down at most."""
    if isinstance(rule, Mapping) and levels:
        return sum(_size(operand, levels - 1) for operand in rule.values()) or 1
    return len(rule) if isinstance(rule, (list, tuple)) else 1


def _check_count(size: int, place: str) -> None:
    if size > MAX_ALTERNATIVES:
        refuse(place[:200], f"$or multiplies to more than {MAX_ALTERNATIVES} combinations")


def _check_size(alternatives: list[Alternative], place: str) -> None:
    if sum(map(len, alternatives)) > MAX_LEAVES:
        refuse(place[:200], f"$or multiplies to more than {MAX_LEAVES} conditions")


def _check_depth(path: tuple[str, ...], place: str) -> None:
    names = len(path) + sum(name.count(".") for name in path)
    if names + place.count(OR) > MAX_DEPTH:
        refuse(place[:200], f"nested deeper than {MAX_DEPTH}")


def _as_list(value: Any) -> str:
    try:
        return dumps([value], ensure_ascii=False)[:80]
    except (TypeError, ValueError):
        return "[…]"
