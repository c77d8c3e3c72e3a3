"""Migrations: numbered files, applied once, in order, forward only, each in one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ostinato.errors import StoreError
from ostinato.storage.sqlite import moved

_CREATE = """
CREATE TABLE IF NOT EXISTS migration (
    number     INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""
_APPLIED = "SELECT number, checksum FROM migration ORDER BY number"
_NOTE = "INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    folder = files("ostinato.storage.sqlite").joinpath("migrations")
    found = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [
        Migration(int(name[:4]), name, folder.joinpath(name).read_text("utf-8")) for name in found
    ]


def enter(file: Path, db: sqlite3.Connection) -> int:
    """Bring a store up to date that is to be used; as ``migrate``, and refuse one that was moved
    to another place."""
    made = migrate(file, db, shipped())
    moved.refuse(file, db)
    return made


def migrate(file: Path, db: sqlite3.Connection, steps: Sequence[Migration]) -> int:
    """How many were applied. Raises ``StoreError`` for a file that newer or other code made."""
    applied = _applied(db)
    _check(file, applied, {step.number: step for step in steps})
    missing = [step for step in steps if step.number not in applied]
    for step in missing:
        _apply(db, step)
    return len(missing)


def _applied(db: sqlite3.Connection) -> dict[int, str]:
    known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchone()
    return dict(db.execute(_APPLIED)) if known else {}


def _check(file: Path, applied: dict[int, str], steps: dict[int, Migration]) -> None:
    for number, checksum in applied.items():
        if number not in steps:
            raise StoreError(
                f"{file} was written by a newer Ostinato (its tables are at {number}, "
                f"this one knows {max(steps, default=0)}); install that version or a later one"
            )
        if steps[number].checksum != checksum:
            raise StoreError(
                f"{file}: migration {steps[number].name} is not the one that made these tables; "
                "install the Ostinato that did, or bring the file back from a copy"
            )


def _apply(db: sqlite3.Connection, step: Migration) -> None:
    try:
        db.executescript(f"BEGIN IMMEDIATE;{_CREATE};{step.sql}")
        db.execute(_NOTE, (step.number, step.name, step.checksum))
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
