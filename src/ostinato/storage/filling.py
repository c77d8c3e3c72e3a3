"""Rows whose values stand apart, put together again: the same in each store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from ostinato.errors import Damaged
from ostinato.storage.values import holes_in, joined

Row = tuple[Any, ...]
ValueOf = Callable[[bytes], bytes | None]


class Torn(NamedTuple):
    """In the place of a value that cannot be put together again."""

    why: str


def filled(row: Row, column: int, value: ValueOf) -> Row:
    """``value`` finds by digest; the column behind says where the holes are."""
    rest, holes = row[column], row[column + 1]
    if holes is None:
        return row
    data: bytes | Torn
    try:
        data = joined(rest.encode() if isinstance(rest, str) else rest, holes_in(holes), value)
    except (Damaged, msgspec.MsgspecError, ValueError, TypeError) as error:
        data = Torn(str(error))
    return (*row[:column], data, None, *row[column + 2 :])


def weight(value: Any) -> int:
    return len(value) if isinstance(value, bytes | str) else 0


def within(size: int, column: int, rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of at most so many bytes in the column; the first in any case."""
    total = 0
    for number, row in enumerate(rows):
        total += weight(row[column])
        if number and total > size:
            return
        yield row
