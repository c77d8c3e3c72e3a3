"""Tests of one text: without regard to case, by wildcard, as an address. All take linear time."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

TextTest = Callable[[str], bool]
Network = IPv4Network | IPv6Network

# The longest IPv6 address as text; anything beyond need not be parsed to be refused.
_LONGEST_ADDRESS = 45


def equal_ignoring_case(wanted: str) -> TextTest:
    fits = re.compile(_either_case(wanted)).fullmatch
    return lambda value: fits(value) is not None


def prefix_ignoring_case(wanted: str) -> TextTest:
    fits = re.compile(_either_case(wanted)).match
    return lambda value: fits(value) is not None


def suffix_ignoring_case(wanted: str) -> TextTest:
    # A letter may be longer in its other case (the German sharp s), so the end cannot be counted
    # off. Searching for it would take the square of its length: it is read backwards instead.
    fits = re.compile(_either_case(wanted, backwards=True)).match
    window = 3 * len(wanted)
    return lambda value: fits(value[: -window - 1 : -1]) is not None


def _either_case(wanted: str, *, backwards: bool = False) -> str:
    """Letter by letter, as event-ruler does: no folding that would make two letters equal one."""
    step = -1 if backwards else 1
    return "".join(_letter(c, step) for c in wanted[::step])


def _letter(letter: str, step: int) -> str:
    forms = dict.fromkeys(form[::step] for form in (letter, letter.lower(), letter.upper()))
    if len(forms) == 1:
        return re.escape(letter)
    return f"(?:{'|'.join(re.escape(f) for f in forms)})"


def wildcard(parts: list[str]) -> TextTest:
    """Of its literal parts: what stands before, between and after the wildcards."""
    if len(parts) == 1:
        return lambda value: value == parts[0]
    start, *middle, end = parts
    least = sum(map(len, parts))

    def fits(value: str) -> bool:
        if len(value) < least or not (value.startswith(start) and value.endswith(end)):
            return False
        return _in_order(value, middle, len(start), len(value) - len(end))

    return fits


def _in_order(value: str, parts: list[str], at: int, stop: int) -> bool:
    """The leftmost place for each part leaves the most room for the next: no need to go back."""
    for part in parts:
        at = value.find(part, at, stop)
        if at < 0:
            return False
        at += len(part)
    return True


def literal_parts(wanted: str) -> list[str]:
    parts, rest = [""], iter(wanted)
    previous = ""
    for char in rest:
        if char == "*":
            if previous == "*":
                raise ValueError("two wildcards side by side mean no more than one")
            parts.append("")
        else:
            parts[-1] += _unescaped(rest) if char == "\\" else char
        previous = char
    return parts


def _unescaped(rest: object) -> str:
    char = next(rest, "")  # type: ignore[call-overload]
    if char not in ("*", "\\"):
        raise ValueError("a backslash may only stand before * or another backslash")
    return str(char)


def network(wanted: str) -> Network:
    _, slash, mask = wanted.partition("/")
    if not slash:
        raise ValueError("the mask is missing")
    if not (mask.isascii() and mask.isdigit()):
        raise ValueError("the mask is a number of bits")
    if "%" in wanted:
        raise ValueError("a range has no zone")
    return ip_network(wanted, strict=False)


def address_in(wanted: Network) -> TextTest:
    return lambda value: (found := address(value)) is not None and found in wanted


def address(value: str) -> IPv4Address | IPv6Address | None:
    if len(value) > _LONGEST_ADDRESS or "%" in value:
        return None
    try:
        return ip_address(value)
    except ValueError:
        return None
