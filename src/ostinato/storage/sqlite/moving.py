"""A file as one end of a move. What is filled is another file beside it, until it is whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import starmap
from pathlib import Path

from ostinato.core.run_ids import partition_of
from ostinato.errors import StoreError
from ostinato.storage.moving import COUNTER, TABLES, Kind, Moved, Row, ValueOf
from ostinato.storage.sqlite import connection, faults, moved, schema
from ostinato.storage.sqlite.owner import Owner
from ostinato.storage.values import reply_owner

STAYS = {
    "migration": "each store has its own",
    "member": "who may write begins anew; the number it holds is a counter",
    "moved": "it says where from, not what",
}
"""Tables that are not moved, and why."""

ABSENT = {"mail": ("partition",)}
"""Columns at the end of a kind that a file does not have: there is one process, so nothing says
whose part of the store a row is in."""

# Owners as PostgreSQL has them: without the number of an event, which is found by its identity.
_OWNERS = """
SELECT owner, digest FROM (
    SELECT digest, CASE
        WHEN substr(owner, 1, 6) = 'event/' THEN coalesce((
            SELECT 'event/' || length(source) || '/' || source || '/' || id FROM event
            WHERE number = CAST(substr(owner, 7) AS INTEGER)
        ), owner)
        WHEN substr(owner, 1, 7) = 'reply/' THEN 'reply/'
            || length(json_extract(substr(owner, 7 + 1), '$[0]')) || '/'
            || json_extract(substr(owner, 7 + 1), '$[0]') || '/'
            || json_extract(substr(owner, 7 + 1), '$[1]')
        ELSE owner
    END AS owner FROM value_use
) ORDER BY owner, digest
"""
_COUNTERS = """
SELECT 'job', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'job'), 0)
UNION ALL SELECT 'outbox', outgoing FROM member
"""
_EVENT = "SELECT 'event/' || number FROM event WHERE source = ? AND id = ?"
_COUNT_JOBS = """
INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq)
SELECT (SELECT rowid FROM sqlite_sequence WHERE name = 'job'), 'job', ?
"""
_COUNT_OUTGOING = "UPDATE member SET outgoing = ?"


class SqliteSource:
    """Its lock is held, so nobody writes."""

    def __init__(self, path: str) -> None:
        self.file = Path(path).expanduser().resolve()
        self.place = f"sqlite:///{self.file}"
        self._owner = Owner(self.file)
        self._db: sqlite3.Connection | None = None

    async def open(self) -> None:
        if not self.file.exists():
            raise StoreError(f"{self.file}: there is no store here; name the one to move")
        connection.check(self.file)
        self._owner.take()
        self._db = _up_to_date(self.file)

    async def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        self._owner.release()

    async def moved(self) -> Moved | None:
        return moved.moved(self._opened())

    async def mark(self, moved_: Moved | None) -> None:
        with faults.told(self.file):
            moved.mark(self._opened(), moved_)

    async def counts(self) -> dict[str, int]:
        return _counts(self._opened())

    async def rows(self, kind: Kind) -> AsyncIterator[Sequence[Row]]:
        common = _common(kind)
        with faults.told(self.file):
            cursor = self._opened().execute(_select(kind))
            while lot := cursor.fetchmany(kind.lot):
                yield lot if common is None else list(map(common, lot))

    async def value(self, digest: bytes) -> bytes | None:
        asked = "SELECT data FROM value WHERE digest = ?"
        row = self._opened().execute(asked, (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    def _opened(self) -> sqlite3.Connection:
        assert self._db is not None  # noqa: S101
        return self._db


class SqliteTarget(SqliteSource):
    """``open`` finds the file absent, empty, or whole; what is written goes into a new one."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._fresh = self.file.with_name(f"{self.file.name}.filling")
        self._filling = False

    async def open(self) -> None:
        connection.check(self.file)
        self._owner.take()
        self._drop_fresh()
        if self.file.exists() and self.file.stat().st_size:
            self._db = _up_to_date(self.file)
            moved.refuse(self.file, self._db)

    async def close(self) -> None:
        await super().close()
        self._drop_fresh()

    async def counts(self) -> dict[str, int]:
        return {} if self._db is None else _counts(self._db)

    def fitting(self, kind: Kind, rows: Sequence[Row]) -> Sequence[Row]:
        """Mail lies here for the one process that there is, whoever was to take it."""
        return [_placed(row[:-1]) for row in rows] if kind.name == "mail" else rows

    async def write(self, kind: Kind, rows: Sequence[Row], value: ValueOf) -> None:
        db = self._begun()
        with faults.told(self.file):
            db.execute("BEGIN")
            if kind.name == COUNTER:
                self._count(dict(rows))
            else:
                given = list(starmap(self._used, rows)) if kind.name == "value_use" else rows
                given = [row[:-1] for row in rows] if kind.name in ABSENT else given
                db.executemany(_insert(kind), given)
            db.execute("COMMIT")

    async def finish(self) -> None:
        """The new file takes the place of the old one, in one step."""
        db = self._begun()
        with faults.told(self.file):
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.close()
        self._db = None
        for suffix in ("-wal", "-shm"):  # of the empty one
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        _sync(self._fresh)
        self._fresh.replace(self.file)
        connection.sync_directory(self.file)

    def _begun(self) -> sqlite3.Connection:
        if not self._filling:
            self._filling = True
            if self._db is not None:
                self._db.close()
            self._db = _up_to_date(self._fresh)
            self._db.execute("PRAGMA synchronous = OFF")  # it is nobody's before it is whole
        return self._opened()

    def _used(self, owner: str, digest: bytes) -> Row:
        """By number again."""
        what, _, rest = owner.partition("/")
        length, _, named = rest.partition("/")
        if what not in ("event", "reply") or not length.isdigit() or not named:
            return owner, digest
        first, second = named[: int(length)], named[int(length) + 1 :]
        if what == "reply":
            return reply_owner(first, second), digest
        found = self._opened().execute(_EVENT, (first, second)).fetchone()
        return (owner if found is None else found[0]), digest

    def _count(self, last: dict[str, int]) -> None:
        db = self._opened()
        db.execute(_COUNT_JOBS, (last["job"],))
        db.execute(_COUNT_OUTGOING, (last["outbox"],))

    def _drop_fresh(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._fresh.with_name(self._fresh.name + suffix).unlink(missing_ok=True)


def _up_to_date(file: Path) -> sqlite3.Connection:
    db = connection.writer(file)
    try:
        with faults.told(file):
            schema.migrate(file, db, schema.shipped())
    except BaseException:
        db.close()
        raise
    return db


def _select(kind: Kind) -> str:
    if kind.name == COUNTER:
        return _COUNTERS
    if kind.name == "value_use":
        return _OWNERS
    order = ", ".join(kind.columns[: kind.key])
    return f"SELECT {', '.join(_columns(kind))} FROM {kind.name} ORDER BY {order}"


def _insert(kind: Kind) -> str:
    places = ", ".join("?" * len(_columns(kind)))
    return f"INSERT INTO {kind.name} ({', '.join(_columns(kind))}) VALUES ({places})"


def _counts(db: sqlite3.Connection) -> dict[str, int]:
    asked = [(kind.name, f"SELECT count(*) FROM {kind.name}") for kind in TABLES]
    return {name: int(db.execute(one).fetchone()[0]) for name, one in asked}


def _columns(kind: Kind) -> Sequence[str]:
    return [name for name in kind.columns if name not in ABSENT.get(kind.name, ())]


def _common(kind: Kind) -> Callable[[Row], Row] | None:
    """What makes the common form of a row, where it is another one here."""
    if kind.name == "mail":
        return _placed
    flags = [at for at, letter in enumerate(kind.types) if letter == "f"]

    def flagged(row: Row) -> Row:
        return tuple(bool(one) if at in flags else one for at, one in enumerate(row))

    return flagged if flags else None


def _placed(row: Row) -> Row:
    return (*row, partition_of(row[2]))


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
