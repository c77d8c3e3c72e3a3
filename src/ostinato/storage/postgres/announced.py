"""Where the server of a store answers: read by commands, which have no loop and need no more."""

from __future__ import annotations

import psycopg

from ostinato.storage.postgres import faults
from ostinato.storage.postgres.membership import ADDRESS
from ostinato.storage.postgres.url import SCHEMA, address

_WITHIN = 10
"""Seconds for a connection."""


def known_address(url: str) -> str | None:
    """Of a member whose connection is there; None also when there are no tables yet."""
    at = address(url)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=_WITHIN) as db:
            db.execute(f"SET search_path = {SCHEMA}")
            found = db.execute(ADDRESS).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        raise faults.connecting(at.place, str(error))[0] from error
    return None if found is None else str(found[0])
