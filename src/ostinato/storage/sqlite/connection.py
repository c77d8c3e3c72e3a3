"""How a connection is made: durable, with bounds, and only to a file that is ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from ostinato.errors import StoreError
from ostinato.storage.sqlite import faults

_OLDEST = (3, 35, 0)
_APPLICATION = 0x4F535449  # see migrations/0001_initial.sql
_BUSY_MS = 1_000  # only a foreign program can hold the file, and it should not for longer

# Measured: pages of 8 KB halve what a wide batch writes, and a log of 4 MB keeps the checkpoint
# within it near 10 ms; bigger logs, mmap and other page sizes gained nothing.
_EVERY = f"""
PRAGMA busy_timeout = {_BUSY_MS};
PRAGMA page_size = 8192;
PRAGMA wal_autocheckpoint = 500;
PRAGMA cache_size = -32768;
PRAGMA temp_store = MEMORY;
PRAGMA synchronous = FULL;
"""


def check(file: Path) -> None:
    """What can be seen before anything is made beside the file."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old; "
            f"use a Python with SQLite {'.'.join(map(str, _OLDEST))} or newer"
        )
    if file.is_dir():
        raise StoreError(f"{file} is a directory; name a file in it, as {file / 'ostinato.db'}")
    if file.exists() and file.stat().st_nlink > 1:  # each name would have a log and a lock
        raise StoreError(f"{file} has more than one name (hard links); copy it, then use the copy")


def writer(file: Path) -> sqlite3.Connection:
    """WAL with FULL: a commit that returned is on the disk."""
    return _connect(file, _check_ours, _demand_wal)


def reader(file: Path) -> sqlite3.Connection:
    return _connect(file, _forbid_writing)


def sync_directory(file: Path) -> None:
    """A new file is durable only once its directory knows it."""
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems have no such thing
        pass
    finally:
        os.close(descriptor)


def _connect(file: Path, *steps: Callable[[Path, sqlite3.Connection], None]) -> sqlite3.Connection:
    with faults.told(file):
        # Turns are kept by the adapter, so a connection may move between threads.
        db = sqlite3.connect(
            file, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            db.executescript(_EVERY)
            for step in steps:
                step(file, db)
        except BaseException:
            db.close()
            raise
    return db


def _forbid_writing(_: Path, db: sqlite3.Connection) -> None:
    db.execute("PRAGMA query_only = ON")


def _check_ours(file: Path, db: sqlite3.Connection) -> None:
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if tables and application != _APPLICATION:
        raise StoreError(f"{file} is a database of something else; choose another file")


def _demand_wal(file: Path, db: sqlite3.Connection) -> None:
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"{file} cannot have a write-ahead log here (it stays {mode}); "
            "choose a file on a local disk"
        )
