"""Where a list goes on: the place of the last row that was seen, as ``MOMENT/NAME``.

It says where that is, and not which row: a row that has gone meanwhile, or that another store has,
leads on as well.
"""

from __future__ import annotations

from ostinato.errors import UsageError


def place_in(text: str) -> tuple[int, str]:
    """Ms, and what orders rows of one moment. An event's source and id stay one text, as both may
    hold a slash; lists order by that text too."""
    moment, slash, name = text.partition("/")
    if not slash or not moment.isdecimal() or len(moment) > 18:
        raise UsageError(f"{text!r:.80} is no cursor of this list; use one that it gave")
    return int(moment), name
