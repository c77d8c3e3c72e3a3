"""Instants: RFC 3339 text and milliseconds since 1970, both ways.

What we write is always ``2027-01-01T00:00:00.000Z``: of one width and in UTC, so that two of
them compare as texts exactly as they do in time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from ostinato.core.durations import parse_duration
from ostinato.errors import DefinitionError, ExpressionError

__all__ = ["LATEST", "format_instant", "moment", "parse_instant"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,12}))?)?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2}))?)?"
)


def parse_instant(text: str) -> int:
    """Milliseconds since 1970 UTC; a date alone is its midnight in UTC."""
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise DefinitionError(_not_one(text, "write it as 2027-01-01T00:00:00Z"))
    if match[4] is not None and match[8] is None and match[9] is None:
        raise DefinitionError(_not_one(text, "add Z, or an offset such as +02:00"))
    try:
        return (_moment(match) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError) as problem:
        raise DefinitionError(_not_one(text, str(problem))) from None


def _moment(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micros = int((match[7] or "0").ljust(6, "0")[:6])
    return datetime(year, month, day, hour, minute, second, micros, _zone(match))


def _zone(match: re.Match[str]) -> timezone:
    if match[9] is None:
        return UTC
    offset = timedelta(hours=int(match[10]), minutes=int(match[11]))
    return timezone(-offset if match[9] == "-" else offset)


def _not_one(text: str, why: str) -> str:
    return f"{text[:40]!r} is not an instant ({why})"


def format_instant(ms: float) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=int(ms))
    except (OverflowError, ValueError):
        raise DefinitionError("an instant is outside the years 1 to 9999") from None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


LATEST = parse_instant("9999-12-31T23:59:59Z")


def moment(value: Any, now: int, what: str) -> int:
    """An RFC 3339 text, ms since 1970, or a duration from ``now``.

    Raises ``ExpressionError`` that begins with ``what``.
    """
    if isinstance(value, str):
        try:
            return now + parse_duration(value) if _is_span(value) else parse_instant(value)
        except (DefinitionError, ValueError) as error:
            raise ExpressionError(f"{what}: {error}") from None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST:
        return int(value)
    raise ExpressionError(f"{what} gave {value!r:.80}, not an instant")


def _is_span(text: str) -> bool:
    return text[:1] in "P0123456789" and "-" not in text
