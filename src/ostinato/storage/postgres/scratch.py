"""A database for a while, beside the one that a URL names: for measuring."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ostinato.storage.postgres import faults
from ostinato.storage.postgres.url import address

_HERE = """
SELECT pg_backend_pid() WHERE inet_server_addr() IS NULL OR inet_server_addr() <<= '127/8'
"""
_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")


@contextmanager
def scratch(url: str) -> Iterator[str]:
    """The URL of an empty one; it is dropped afterwards. Raises ``StoreError``."""
    name = sql.Identifier(found := f"ostinato_scratch_{secrets.token_hex(4)}")
    make = sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(name)
    _do(url, make)
    try:
        yield urlsplit(url)._replace(path=f"/{found}").geturl()
    finally:
        _do(url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def server_process(url: str) -> int | None:
    """The id of the process whose children serve the connections, if it is on this machine."""
    with psycopg.connect(url, autocommit=True) as db:
        try:
            stat = [Path(f"/proc/{pid}/stat").read_text() for (pid,) in db.execute(_HERE)]
        except OSError:
            return None
        return next((int(text.rpartition(")")[2].split()[1]) for text in stat), None)


def server_shown(url: str) -> str:
    """Its version, and what it does for every commit."""
    with psycopg.connect(url, autocommit=True) as db:
        ask = sql.SQL("SHOW {}")
        parts = ["server_version", *_SETTINGS]
        found = [db.execute(ask.format(sql.Identifier(each))).fetchone() for each in parts]
    version, *settings = (row[0] if row else "" for row in found)
    told = ", ".join(f"{name}={value}" for name, value in zip(_SETTINGS, settings, strict=True))
    return f"PostgreSQL {version}, {told}"


def _do(url: str, statement: sql.Composed) -> None:
    try:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(statement)
    except psycopg.Error as error:
        raise faults.connecting(address(url).place, str(error))[0] from error
