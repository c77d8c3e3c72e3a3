"""Literals: texts with their escapes, and numbers that JSON can carry."""

from __future__ import annotations

import re
from math import isfinite

from ostinato.core.expressions.faults import fault
from ostinato.core.expressions.values import EXACT

__all__ = ["read_number", "read_string"]

_SIMPLE = {
    **dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)),
    **{sign: sign for sign in "\\'\"`?/"},
}
_ESCAPE = re.compile(
    r"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))",
    re.DOTALL,
)


def read_string(text: str, at: int, written: str) -> str:
    if written[0] in "rR":
        return written[2:-1]
    if "\\" not in written:
        return written[1:-1]
    return _ESCAPE.sub(lambda match: _escaped(text, at, match), written[1:-1])


def _escaped(text: str, at: int, match: re.Match[str]) -> str:
    pair, x, u, wide, octal, sign = match.groups()
    if sign is not None:
        return _simple(text, at + 1 + match.start(), sign)
    if pair:
        high, low = int(pair[1:5], 16), int(pair[7:11], 16)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    code = int(octal, 8) if octal else int(x or u or wide, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise fault(text, at + 1 + match.start(), f"{match[0]} is not a character")
    return chr(code)


def _simple(text: str, at: int, sign: str) -> str:
    if sign not in _SIMPLE:
        raise fault(text, at, f"unknown escape \\{sign}", "write \\\\ for a backslash, or r'…'")
    return _SIMPLE[sign]


def read_number(text: str, at: int, written: str) -> int | float:
    if not written.isdigit() and written[:2] not in ("0x", "0X"):
        return _broken(text, at, written)
    # Checked by length first: turning a million digits into a number is slow, or refused.
    digits = written[2:].lstrip("0") if written[1:2] in ("x", "X") else written.lstrip("0")
    whole = int(written, 0 if written[1:2] in ("x", "X") else 10) if len(digits) < 20 else EXACT + 1
    if whole > EXACT:
        raise fault(text, at, "a whole number is beyond 2^53", "write it as a text")
    return whole


def _broken(text: str, at: int, written: str) -> float:
    number = float(written)
    if not isfinite(number):
        raise fault(text, at, "a number is too large")
    return number
