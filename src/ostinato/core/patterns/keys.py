"""What a value must have so that a matcher can fit it, in a form that can be looked up.

A key may let through more than its matcher does, and never less: whoever finds a pattern by a key
asks the pattern itself.
"""

from __future__ import annotations

import math
from enum import IntEnum
from itertools import takewhile
from typing import Any, NamedTuple


class Kind(IntEnum):
    """In the order of how much a key of this kind is expected to leave out."""

    TEXT = 0
    NUMBER = 1
    CONSTANT = 2
    NETWORK = 3
    PREFIX = 4
    SUFFIX = 5
    LOWER_PREFIX = 6
    LOWER_SUFFIX = 7
    RANGE = 8
    PRESENT = 9


class Key(NamedTuple):
    kind: Kind
    value: Any


Keys = tuple[Key, ...]

PRESENT: Keys = (Key(Kind.PRESENT, None),)


def of_values(values: list[Any]) -> Keys:
    return tuple(Key(_kind(value), value) for value in values)


def _kind(value: Any) -> Kind:
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.CONSTANT if value is None or isinstance(value, bool) else Kind.NUMBER


def of_affix(kind: Kind, text: str) -> Keys:
    return (Key(kind, text),) if text else PRESENT


def of_wildcard(parts: list[str]) -> Keys:
    """By the literal text at its beginning or its end, whichever is longer."""
    if len(parts) == 1:
        return (Key(Kind.TEXT, parts[0]),)
    start, end = parts[0], parts[-1]
    return of_affix(Kind.PREFIX, start) if len(start) >= len(end) else of_affix(Kind.SUFFIX, end)


def of_start_in_any_case(text: str) -> Keys:
    """Only ASCII letters are sure to have forms of one length: the text before the first other."""
    return of_affix(Kind.LOWER_PREFIX, "".join(takewhile(str.isascii, text)).lower())


def of_end_in_any_case(text: str) -> Keys:
    end = "".join(takewhile(str.isascii, reversed(text)))
    return of_affix(Kind.LOWER_SUFFIX, end[::-1].lower())


def of_bounds(bounds: list[tuple[str, Any]]) -> Keys:
    low, high = -math.inf, math.inf
    for operator, number in bounds:
        if operator == "=":
            return (Key(Kind.NUMBER, number),)
        low, high = (number, high) if operator[0] == ">" else (low, number)
    return (Key(Kind.RANGE, (low, high)),)


def of_network(network: Any) -> Keys:
    place = network.version, network.prefixlen, int(network.network_address) >> free_bits(network)
    return (Key(Kind.NETWORK, place),)


def free_bits(network: Any) -> int:
    return int(network.max_prefixlen - network.prefixlen)


def together(keys: list[Keys]) -> Keys:
    """What has one of them; anything, when one of them takes anything."""
    return PRESENT if PRESENT in keys else tuple(key for some in keys for key in some)
