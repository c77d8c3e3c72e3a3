"""Migrations: numbered files, applied once, in order, forward only, all in one transaction.

Each is one half of a change. ``pre`` only adds, and is applied before new processes start: old ones
go on meanwhile. ``post`` takes away, and is applied once no old process is left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg

from ostinato.errors import StoreError
from ostinato.storage.postgres import faults
from ostinato.storage.postgres.link import PATIENCE, patiently
from ostinato.storage.postgres.url import SCHEMA, Address, connect

_LOCK = 0x4F535449  # "OSTI": who migrates holds it
_CREATE = f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"
_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    number     integer PRIMARY KEY,
    half       text NOT NULL,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_APPLIED = "SELECT number, half, checksum FROM ostinato.migration ORDER BY number"
_NOTE = "INSERT INTO migration (number, half, name, checksum) VALUES (%s, %s, %s, %s)"
# One question, one snapshot: another process may make all of them between two.
_TABLES = """
SELECT count(*), count(*) FILTER (WHERE tablename = 'migration')
FROM pg_tables WHERE schemaname = %s
"""
_STATE = """
SELECT pg_encoding_to_char(encoding), pg_is_in_recovery(),
    current_setting('transaction_read_only') = 'on'
FROM pg_database WHERE datname = current_database()
"""

Applied = dict[int, tuple[str, str]]
"""Number → half and checksum."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    half: str
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    folder = files("ostinato.storage.postgres").joinpath("migrations")
    found = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [_shipped(name, folder.joinpath(name).read_text("utf-8")) for name in found]


def _shipped(name: str, sql: str) -> Migration:
    title, half, _ = name.split(".")
    return Migration(int(title[:4]), half, name, sql)


async def migrate(
    at: Address, steps: Sequence[Migration], *, finish: bool = False, patience: float = PATIENCE
) -> list[str]:
    """What was applied, by name; ``finish``: the ``post`` halves, too. A server that starts, or has
    no connection left, is waited for.

    Raises ``StoreError`` for what is not ours, was made by newer or other code, or takes no writes.
    """
    return await patiently(lambda: _migrate(at, steps, finish), "tables", patience)


async def _migrate(at: Address, steps: Sequence[Migration], finish: bool) -> list[str]:
    db = await connect(at, "tables")
    try:
        await _check_server(at, db)
        missing = await _missing(at, db, steps, finish)
        if not missing:
            return []
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            missing = await _missing(at, db, steps, finish)  # another was first
            await _apply(db, missing)
        return [step.name for step in missing]
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreError(
            f"{at.place}: this role may not change the tables ({' '.join(str(error).split())}); "
            "let their owner run `ostinato tables`, or give this role what "
            "docs/how-to/postgresql.md lists"
        ) from error
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        told = faults.of_statement(at.place, error.sqlstate or "", said, None)
        if db.closed:  # the server went away: what it had done is undone
            told.details["sign"] = "57P03"
        raise told from error
    finally:
        await db.close()


async def _check_server(at: Address, db: psycopg.AsyncConnection[Any]) -> None:
    found = await (await db.execute(_STATE)).fetchone()
    encoding, replica, read_only = found or ("", False, False)
    if encoding != "UTF8":
        raise StoreError(
            f"{at.place} keeps text as {encoding}, and Ostinato needs UTF8; "
            "make a database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    if replica or read_only:
        raise StoreError(
            f"{at.place} takes no writes; name the server that does, as with "
            "?target_session_attrs=read-write"
        )


async def _missing(
    at: Address, db: psycopg.AsyncConnection[Any], steps: Sequence[Migration], finish: bool
) -> list[Migration]:
    applied = await _applied(at, db)
    _check(at, applied, {step.number: step for step in steps})
    wanted = ("pre", "post") if finish or not applied else ("pre",)
    return [step for step in steps if step.number not in applied and step.half in wanted]


async def _applied(at: Address, db: psycopg.AsyncConnection[Any]) -> Applied:
    tables, ours = await (await db.execute(_TABLES, (SCHEMA,))).fetchone() or (0, 0)
    if ours:
        rows = await (await db.execute(_APPLIED)).fetchall()
        return {number: (half, checksum) for number, half, checksum in rows}
    if tables:
        raise StoreError(
            f"{at.place} has a schema {SCHEMA!r} of something else; choose another database"
        )
    return {}


def _check(at: Address, applied: Applied, steps: dict[int, Migration]) -> None:
    """What newer code has only added does no harm to this one."""
    for number, (half, checksum) in applied.items():
        if number not in steps and half == "post":
            raise StoreError(
                f"{at.place} was changed by a newer Ostinato (its tables are at {number}, "
                f"this one knows {max(steps, default=0)}); install that version or a later one"
            )
        if number in steps and steps[number].checksum != checksum:
            raise StoreError(
                f"{at.place}: migration {steps[number].name} is not the one that made these "
                "tables. Let the Ostinato that did move them to a file (`ostinato migrate-store "
                "--from postgresql://… --to sqlite:///moved.db`), and this one from there to an "
                "empty database; or bring the database back from a copy"
            )


async def _apply(db: psycopg.AsyncConnection[Any], steps: Sequence[Migration]) -> None:
    await db.execute(_CREATE)
    await db.execute(_TABLE)
    for step in steps:
        await db.execute(step.sql.encode())
        await db.execute(_NOTE, (step.number, step.half, step.name, step.checksum))
