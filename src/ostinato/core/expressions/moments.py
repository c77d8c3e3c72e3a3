"""Instants and spans in expressions: an instant is RFC 3339 text, a span is milliseconds.

Both are JSON, and two instants in our one form compare as texts the way they do in time.
"""

from __future__ import annotations

from typing import Any

from ostinato.core.durations import parse_duration
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.values import kind
from ostinato.core.instants import format_instant, parse_instant
from ostinato.errors import DefinitionError

__all__ = ["instant", "milliseconds", "span"]


def instant(moment: Any, shift: Any = 0) -> str:
    ms = milliseconds(moment) if type(moment) is str else _number("date", moment)
    try:
        return format_instant(ms + (span(shift) if type(shift) is str else _number("date", shift)))
    except DefinitionError as problem:
        raise failure(problem.message) from None


def milliseconds(text: str) -> int:
    try:
        return parse_instant(text)
    except DefinitionError as problem:
        raise failure(problem.message) from None


def span(text: str) -> int:
    try:
        return parse_duration(text)
    except DefinitionError as problem:
        raise failure(problem.message) from None


def _number(name: str, value: Any) -> float:
    if kind(value) != "number":
        raise failure(f"{name}() needs text or number, not {kind(value)}")
    number: float = value
    return number
