"""Spans of time as people write them, and as milliseconds.

``500ms 30s 5m 2h 3d``, joined largest first (``1h30m``), or ISO 8601 (``PT1H30M``, ``P2W``).
Months and years are refused: they have no fixed length, and a timer needs one.
"""

from __future__ import annotations

import re
from fractions import Fraction

from ostinato.errors import DefinitionError

__all__ = ["format_duration", "parse_duration"]

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_NUMBER = r"[0-9]{1,16}(?:\.[0-9]{1,16})?"
_SHORT = re.compile("".join(rf"(?:({_NUMBER}) ?{unit}(?![a-z]) ?)?" for unit in _UNITS))
_ISO_NUMBER = r"[0-9]{1,16}(?:[.,][0-9]{1,16})?"
_ISO = re.compile(
    rf"P(?:({_ISO_NUMBER})W)?(?:({_ISO_NUMBER})D)?"
    rf"(?:T(?=[0-9])(?:({_ISO_NUMBER})H)?(?:({_ISO_NUMBER})M)?(?:({_ISO_NUMBER})S)?)?"
)
_ISO_UNITS = (604_800_000, 86_400_000, 3_600_000, 60_000, 1_000)
_CALENDAR = re.compile(r"P[0-9.,]+[YM]|P[0-9.,]+Y?[0-9.,]*M")
_WIDEST = 100  # characters; nobody writes more, and the patterns stay quick
_LONGEST = 2**53  # beyond it a JSON number is no longer exact


def parse_duration(text: object) -> int:
    """Milliseconds; a part smaller than one is cut off."""
    written = text.strip() if isinstance(text, str) and len(text) <= _WIDEST else ""
    short, iso = _SHORT.fullmatch(written), _ISO.fullmatch(written)
    if short and any(short.groups()):
        return _total(written, short, tuple(_UNITS.values()))
    if iso and any(iso.groups()):
        return _total(written, iso, _ISO_UNITS)
    raise DefinitionError(f"{str(text)[:40]!r} is not a duration ({_hint(written)})")


def _total(text: str, match: re.Match[str], units: tuple[int, ...]) -> int:
    parts = zip(match.groups("0"), units, strict=True)
    total = int(sum(Fraction(number.replace(",", ".")) * unit for number, unit in parts))
    if total > _LONGEST:
        raise DefinitionError(f"the duration {text[:40]!r} is too long")
    return total


def _hint(text: str) -> str:
    if re.fullmatch(_NUMBER, text):
        return f"add a unit: {text}s"
    if text.startswith("-"):
        return "a duration is never negative"
    if _CALENDAR.match(text):
        return "months and years have no fixed length; count days"
    return "write 500ms, 30s, 5m, 2h, 3d or ISO 8601 as PT5M"


def format_duration(ms: int) -> str:
    """The shortest text that ``parse_duration`` reads back: ``1h30m``, ``0s``."""
    if ms < 0:
        return "-" + format_duration(-ms)
    parts = []
    for unit, length in _UNITS.items():
        count, ms = divmod(ms, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
