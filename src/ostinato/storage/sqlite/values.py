"""Large values in a table of their own: once each, as long as a row uses them.

Who uses a value is one row each, written and deleted with the row that it is about: owners are
``run/ID``, ``event/NUMBER``, ``out/NUMBER``, ``letter/ID`` and ``reply/[SCOPE,KEY]``. When an owner
goes, its values are loose until somebody has looked whether others use them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ostinato.errors import Damaged
from ostinato.storage.filling import Row, Torn, filled, weight, within
from ostinato.storage.sqlite import statements as sql
from ostinato.storage.values import cut, text_of

LOT = 4 << 20
"""Bytes of values that are deleted in one batch: each page that is freed is written."""

MANY = 100

STEP = 16
"""Rows that are read at once where their bytes are counted."""


# writing


def keep(
    db: sqlite3.Connection, owner: str, data: bytes, inline: int, levels: int = 0
) -> tuple[bytes, str | None]:
    """What stays in the row, and its holes."""
    found = cut(data, inline, levels)
    if found is None:
        return data, None
    db.executemany(sql.ADD_VALUE, found.values.items())
    db.executemany(sql.USE_VALUE, [(owner, digest) for digest in found.values])
    return found.rest, text_of(found.holes)


# reading


def whole(
    db: sqlite3.Connection, select: str, arguments: Sequence[Any], *columns: int
) -> list[Row]:
    """Rows with what belongs in the holes of these columns; the one behind each says which.

    Raises ``Damaged``.
    """
    found = as_far_as_whole(db, select, arguments, *columns)
    torn = next((row[at] for row in found for at in columns if isinstance(row[at], Torn)), None)
    if torn is not None:
        raise Damaged(torn.why)
    return found


def as_far_as_whole(
    db: sqlite3.Connection, select: str, arguments: Sequence[Any], *columns: int
) -> list[Row]:
    """The same, with a ``Torn`` where it cannot be done: one bad row stops none of the others."""
    found = db.execute(select, arguments).fetchall()
    if all(row[column + 1] is None for row in found for column in columns):
        return found
    with _snapshot(db):  # what is deleted meanwhile is there still
        found = db.execute(select, arguments).fetchall()
        for column in columns:
            found = [filled(row, column, _value_in(db)) for row in found]
        return found


def up_to(
    db: sqlite3.Connection, select: str, arguments: Sequence[Any], column: int, size: int
) -> list[Row]:
    """The same, with at most ``size`` bytes in the column, but one row; no more is ever read."""
    found = _up_to(db.execute(select, arguments), column, size)
    if all(row[column + 1] is None for row in found):
        return found
    with _snapshot(db):
        rows = iter(_up_to(db.execute(select, arguments), column, size))
        return list(within(size, column, (filled(row, column, _value_in(db)) for row in rows)))


def _up_to(cursor: sqlite3.Cursor, column: int, size: int) -> list[Row]:
    """In steps; what stands in tables of its own counts nothing yet."""
    found: list[Row] = []
    weight = 0
    while weight <= size and (step := cursor.fetchmany(STEP)):
        found += step
        weight += _total([row[column] for row in step])
    cursor.close()
    return found if weight <= size else list(within(size, column, found))


def _total(values: Sequence[Any]) -> int:
    try:
        return sum(map(len, values))
    except TypeError:  # one of them is damaged
        return sum(map(weight, values))


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


def _value_in(db: sqlite3.Connection) -> Callable[[bytes], bytes | None]:
    def value(digest: bytes) -> bytes | None:
        row = db.execute(sql.VALUE, (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    return value


# removing


def disown(db: sqlite3.Connection, owners: Iterable[str]) -> None:
    """These rows go away, or have gone."""
    named = [(owner,) for owner in owners]
    db.executemany(sql.LOOSEN, named)
    db.executemany(sql.DISOWN, named)


def sweep(db: sqlite3.Connection) -> None:
    """Delete some of what nobody uses any more."""
    freed = 0
    for digest, size, used in db.execute(sql.LOOSE, (MANY,)).fetchall():
        if freed and freed + size > LOT:
            return
        if not used:
            db.execute(sql.DROP_VALUE, (digest,))
            freed += size
        db.execute(sql.NOT_LOOSE, (digest,))
