"""One transaction: how it ends, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ostinato.storage.sqlite import faults

T = TypeVar("T")
Finish = Callable[[sqlite3.Connection], object]


def finish(db: sqlite3.Connection) -> None:
    db.execute("COMMIT")


def undo(db: sqlite3.Connection) -> None:
    if db.in_transaction:  # SQLite has rolled back by itself after a full disk
        db.execute("ROLLBACK")


def alone(file: Path, db: sqlite3.Connection, work: Callable[[], T], finish: Finish = finish) -> T:
    """A transaction of its own. Raises what ``Storage.commit`` promises; after all but
    ``UnknownCommit`` nothing was kept."""
    try:
        db.execute("BEGIN IMMEDIATE")
        done = work()
    except faults.BAD_ROW as error:
        undo(db)
        raise faults.refused(error) from error
    except sqlite3.Error as error:
        undo(db)
        raise faults.store_error(file, error) from error
    except BaseException:
        undo(db)
        raise
    try:
        finish(db)
    except sqlite3.Error as error:
        raise faults.unknown(file, error) from error
    return done
