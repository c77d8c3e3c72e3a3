"""sqlite3's errors in our words: what happened, to which file, how to mend it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ostinato.errors import Overtaken, Refused, StoreError, UnknownCommit

# What a row can do wrong: a constraint, a size, a value that no column takes.
BAD_ROW = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,
)

_MENDS = (
    ("disk is full", "make room on the disk"),
    ("disk I/O error", "look at the disk and at the system's log, or make room"),
    ("readonly", "let this user write to the file and its directory"),
    ("not a database", "choose another file, or bring this one back from a copy"),
    (
        "malformed",
        "bring the file back from a copy; `sqlite3 FILE .recover` saves what can be read",
    ),
    ("locked", "close the other program that has the file open"),
    ("unable to open", "choose a file in a directory that exists and may be written to"),
)


@contextmanager
def told(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(file, error) from error


_FIRST = ("event.id, ", "run.workflow, run.uid", "reply.scope, ", "place.name, ")
"""Unique columns where another process may have been first."""


def refused(error: Exception) -> Refused:
    said = f"the store does not take this data: {error}"
    unique = str(error).removeprefix("UNIQUE constraint failed: ")
    return Overtaken(said) if unique.startswith(_FIRST) else Refused(said)


def store_error(file: Path, error: sqlite3.Error) -> StoreError:
    return StoreError(f"{file}: {error}{_mend(error)}")


def unknown(file: Path, error: sqlite3.Error) -> UnknownCommit:
    return UnknownCommit(
        f"{file}: it is not known whether the batch was kept: {error}{_mend(error)}"
    )


def _mend(error: sqlite3.Error) -> str:
    said = str(error)
    return next((f"; {mend}" for sign, mend in _MENDS if sign in said), "")
