"""What a database says that was moved to another store: nobody opens it by mistake."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato.core.instants import format_instant
from ostinato.storage.moving import Moved, refusal
from ostinato.storage.postgres.url import Address
from ostinato.storage.postgres.wire import Row

ASK = "SELECT place, at FROM moved"


def moved_of(rows: Sequence[Row]) -> Moved | None:
    return Moved(*rows[0]) if rows else None


def refuse(at: Address, rows: Sequence[Row]) -> None:
    """``rows`` are what was asked. Raises ``StoreError`` for one that was moved."""
    found = moved_of(rows)
    if found is not None:
        raise refusal(at.place, at.place, found, format_instant(found.at))
