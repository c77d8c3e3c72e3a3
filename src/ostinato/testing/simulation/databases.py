"""Databases of simulations' own on a PostgreSQL server: one for each world, dropped afterwards.

What talks to them turns on a real loop; the simulation stands still meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg

from ostinato.storage.postgres.schema import migrate, shipped
from ostinato.storage.postgres.scratch import scratch
from ostinato.storage.postgres.url import SCHEMA, address

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds in which a server must have answered: a thousand times what it needs."""

CLOCK = f"""
CREATE SEQUENCE {SCHEMA}.simulated_clock;
CREATE OR REPLACE FUNCTION {SCHEMA}.clock_ms() RETURNS bigint LANGUAGE sql VOLATILE
    AS 'SELECT last_value FROM {SCHEMA}.simulated_clock'
"""
"""Leases are judged by the world's clock, which is told to the database before it may look."""

SET_CLOCK = f"SELECT setval('{SCHEMA}.simulated_clock', $1::int8)"

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s"


class Stuck(Exception):
    """The server does not answer: somebody holds what another waits for."""


class RealLoop:
    """An event loop with sockets. Whoever waits for it holds up the loop that he is on."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises ``Stuck``."""
        with _nowhere():
            task = self._loop.create_task(work)
            too_late = self._loop.call_later(PATIENCE, task.cancel)
            try:
                return self._loop.run_until_complete(task)
            except asyncio.CancelledError:
                raise Stuck(f"the server has not answered within {PATIENCE:g} s") from None
            finally:
                too_late.cancel()

    def end(self) -> None:
        self._loop.close()


@contextmanager
def _nowhere() -> Iterator[None]:
    """As if no loop were turning here, so that another one can."""
    loop = asyncio._get_running_loop()
    task = asyncio.current_task(loop) if loop is not None else None
    if loop is not None and task is not None:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if loop is not None and task is not None:
            asyncio.tasks._enter_task(loop, task)


class Databases:
    """``url`` names where databases can be made, ``template`` the one that they are copies of."""

    def __init__(self, url: str, template: str) -> None:
        self.loop = RealLoop()
        self._template = urlsplit(template)
        self._number = count()
        self._db = psycopg.connect(url, autocommit=True)
        self.loop.wait_for(migrate(address(template), shipped()))
        _prepare(template)

    def make(self) -> Database:
        name = f"{self._template.path[1:]}_{next(self._number)}"
        self._db.execute(f"CREATE DATABASE {name} TEMPLATE {self._template.path[1:]}".encode())
        self._db.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
        return Database(self, name, self._template._replace(path=f"/{name}").geturl())

    def drop(self, name: str) -> None:
        self._db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def close(self) -> None:
        self._db.close()
        self.loop.end()


class Database:
    """One world's."""

    def __init__(self, databases: Databases, name: str, url: str) -> None:
        self.url = url
        self.loop = databases.loop
        self.remove = lambda: databases.drop(name)


@contextmanager
def databases(url: str) -> Iterator[Databases]:
    """On the server of ``url``, whose role may create databases. What is there stays untouched."""
    with scratch(url) as template:
        made = Databases(url, template)
        try:
            yield made
        finally:
            made.close()


def _prepare(template: str) -> None:
    """What the server does by itself, and when, is no part of a seed."""
    with psycopg.connect(template, autocommit=True) as db:
        db.execute(CLOCK.encode())
        for (table,) in db.execute(TABLES, (SCHEMA,)).fetchall():
            quiet = f"ALTER TABLE {SCHEMA}.{table} SET (autovacuum_enabled = false)"
            db.execute(quiet.encode())
