"""A database for a while, beside the one that a URL names: for measuring."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ostinato.storage.postgres import faults
from ostinato.storage.postgres.url import address

_PROCESSES = """
SELECT pid FROM pg_stat_activity
WHERE (inet_server_addr() IS NULL OR inet_server_addr() <<= '127/8')
    AND (datname = current_database() AND backend_type = 'client backend'
        OR backend_type IN ('walwriter', 'checkpointer', 'background writer'))
"""


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


def server_processes(url: str) -> list[int]:
    """Ids of those that stay as long as connections do, when the server is on this machine."""
    with psycopg.connect(url, autocommit=True) as db:
        mine = db.info.backend_pid
        return [pid for (pid,) in db.execute(_PROCESSES) if pid != mine]


def _do(url: str, statement: sql.Composed) -> None:
    try:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(statement)
    except psycopg.Error as error:
        raise faults.connecting(address(url).place, str(error))[0] from error
