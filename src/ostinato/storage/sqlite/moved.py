"""What a file says that was moved to another store: nobody opens it by mistake."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ostinato.core.instants import format_instant
from ostinato.storage.moving import Moved, refusal

_ONE = "SELECT place, at FROM moved"


def moved(db: sqlite3.Connection) -> Moved | None:
    found = db.execute(_ONE).fetchone()
    return None if found is None else Moved(*found)


def mark(db: sqlite3.Connection, moved: Moved | None) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM moved")
    if moved is not None:
        db.execute("INSERT INTO moved (place, at) VALUES (?, ?)", moved)
    db.execute("COMMIT")


def refuse(file: Path, db: sqlite3.Connection) -> None:
    """Raises ``StoreError`` for one that was moved."""
    found = moved(db)
    if found is not None:
        raise refusal(str(file), f"sqlite:///{file}", found, format_instant(found.at))
