"""Where we differ from event-ruler on purpose: the names under which the page lists it.

A difference is known by its pattern and event; whatever else differs is a fault of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Pattern = Any
Event = Any


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield name, member
            yield from _members(member)
    elif isinstance(value, list):
        for member in value:
            yield from _members(member)


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for member in value:
        yield from _scalars(member)


def _operands(pattern: Pattern, name: str) -> list[Any]:
    return [operand for found, operand in _members(pattern) if found == name]


def _or_is_a_name(pattern: Pattern) -> bool:
    """`$or` that holds no objects, one only, or matchers: event-ruler takes it for a field."""
    choices = _operands(pattern, "$or")
    return any(
        not isinstance(one, list) or len(one) < 2 or not all(map(_is_choice, one))
        for one in choices
    )


_RESERVED = ("cidr", "exactly", "exists", "numeric", "prefix", "suffix", "anything-but", "wildcard")


def _is_choice(choice: Any) -> bool:
    if not isinstance(choice, dict):
        return False
    return not any(name in (*_RESERVED, "equals-ignore-case") for name, _ in _members(choice))


def _asked_twice(pattern: Pattern) -> bool:
    """Inside and outside of `$or`: the pattern's own names, counted roughly."""
    names = [name for name, value in _members(pattern) if isinstance(value, list) and name != "$or"]
    return "$or" in json.dumps(pattern) and len(names) > len(set(names))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cidr_of_another_kind(pattern: Pattern, event: Event) -> bool:
    if not _operands(pattern, "cidr"):
        return False
    return any(
        _is_number(one) or re.fullmatch(r"[\d.]+|[\da-f:]+", str(one)) for one in _scalars(event)
    )


def _a_single_address(pattern: Pattern, event: Event) -> bool:
    return any(str(one).endswith(("/32", "/128")) for one in _operands(pattern, "cidr"))


def _a_range_of_one(pattern: Pattern, event: Event) -> bool:
    return any(
        isinstance(one, list) and len(one) == 4 and one[1] == one[3]
        for one in _operands(pattern, "numeric")
    )


def _beyond_the_basic_plane(pattern: Pattern, event: Event) -> bool:
    texts = map(str, _scalars(_operands(pattern, "equals-ignore-case")))
    return any(ord(letter) > 0xFFFF for text in texts for letter in text)


def _dotted(pattern: Pattern, event: Event) -> bool:
    return any("." in name for name, _ in [*_members(pattern), *_members(event)])


def _address(pattern: Pattern, event: Event) -> bool:
    return any(str(one).count(":") > 1 or str(one).count(".") == 3 for one in _scalars(pattern))


def _alias(pattern: Pattern, event: Event) -> bool:
    return any(name in ("data", "detail", "type", "detail-type") for name in pattern)


def _title_case(pattern: Pattern, event: Event) -> bool:
    texts = map(str, _scalars(_operands(pattern, "equals-ignore-case")))
    return any(letter not in (letter.lower(), letter.upper()) for text in texts for letter in text)


DIFFERENCES: dict[str, Callable[[Pattern, Event], bool]] = {
    "alias": _alias,
    "dotted name": _dotted,
    "mapped address": lambda pattern, event: "::ffff" in json.dumps(pattern),
    "single address": _a_single_address,
    "address of another kind": _cidr_of_another_kind,
    "address as text": _address,
    "range of one number": _a_range_of_one,
    "letter beyond U+FFFF": _beyond_the_basic_plane,
    "title-case letter": _title_case,
    "asked twice": lambda pattern, event: _asked_twice(pattern),
    "$or as a name": lambda pattern, event: _or_is_a_name(pattern),
    "infinity": lambda pattern, event: float("inf") in list(_scalars(pattern)),
}
# What no parsed event shows any more: a name that stands twice in one object.
TEXTUAL = "name twice"


def named(pattern: Pattern, event: Event = None) -> str | None:
    return next((name for name, holds in DIFFERENCES.items() if holds(pattern, event)), None)


def has_a_name_twice(text: str) -> bool:
    found: list[bool] = []

    def members(pairs: list[tuple[str, Any]]) -> None:
        found.append(len({name for name, _ in pairs}) < len(pairs))

    json.loads(text, object_pairs_hook=members)
    return any(found)
