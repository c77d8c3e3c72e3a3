"""Where the server of a store answers: read by commands, which have no loop and need no more."""

from __future__ import annotations

from typing import Any

import psycopg

from ostinato.storage.postgres import faults
from ostinato.storage.postgres.membership import ADDRESS
from ostinato.storage.postgres.url import SCHEMA, address

_WITHIN = 10
"""Seconds for a connection."""

_SCHEMAS = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1"


def known_address(url: str) -> str | None:
    """Of a member whose connection is there; None also when there are no tables yet."""
    try:
        found = _asked(url, ADDRESS)
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        raise faults.connecting(address(url).place, str(error))[0] from error
    return None if found is None else str(found[0])


def has_tables(url: str) -> bool:
    """Whether there is a schema of this name, ours or not."""
    try:
        return _asked(url, _SCHEMAS) is not None
    except psycopg.Error as error:
        raise faults.connecting(address(url).place, str(error))[0] from error


def _asked(url: str, sql: str) -> tuple[Any, ...] | None:
    with psycopg.connect(url, autocommit=True, connect_timeout=_WITHIN) as db:
        db.execute(f"SET search_path = {SCHEMA}")
        return db.execute(sql).fetchone()
