"""How large what users send and return may be: a clear error beyond, a word in the log before."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from ostinato.core.labels import nul_problem
from ostinato.errors import TooLarge, UsageError
from ostinato.telemetry.logger import logger

log = logger("ostinato.bounds")

NEAR = 0.8
"""Part of a limit from which on the log tells."""

LONGEST_TEXT = 2_000
"""Characters of a reason that somebody gives."""


def check_size(what: str, data: Raw | bytes, limit: int, setting: str) -> None:
    """Raises ``TooLarge``, which names the setting. Sizes are bytes of JSON."""
    size = len(data)
    if size > limit:
        raise TooLarge.beyond(what, size, limit, setting)
    if size > NEAR * limit:
        log.warning("limit.near", what=what, size=size, limit=limit, setting=setting)


def check_text(what: str, text: Any) -> None:
    """Raises ``UsageError`` for what is too long, and for what is no text that can be stored."""
    if not _is_text(text):
        raise UsageError(f"{what} is {text!r:.80}, not a text")
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"{what} has {len(text):,} characters, at most {LONGEST_TEXT:,} are kept")
    if why := nul_problem(text):
        raise UsageError(f"{what} {why}")


def _is_text(value: Any) -> bool:
    try:
        value.encode()
    except (AttributeError, UnicodeEncodeError):  # half of a character, as "\\ud800"
        return False
    return True
