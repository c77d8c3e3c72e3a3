"""Where a list of events goes on: ``received_at/source/id`` of the last one seen."""

from __future__ import annotations

from ostinato.errors import UsageError


def event_cursor(text: str) -> tuple[int, str]:
    """Source and id stay one text, as both may hold a slash; lists order by that text too."""
    received_at, slash, place = text.partition("/")
    if not slash or not received_at.isdecimal() or len(received_at) > 18:
        raise UsageError(f"{text!r:.80} is no cursor of a list of events; use one that a list gave")
    return int(received_at), place
