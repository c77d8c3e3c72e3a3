"""A database of simulations' own on a PostgreSQL server; it is dropped afterwards.

What talks to it turns on a real loop; the simulation stands still meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from ostinato.storage.postgres.schema import migrate, shipped
from ostinato.storage.postgres.scratch import scratch
from ostinato.storage.postgres.url import SCHEMA, address

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds in which a server must have answered: a thousand times what it needs."""

CLOCK = """
CREATE SEQUENCE simulated_clock;
CREATE OR REPLACE FUNCTION clock_ms() RETURNS bigint LANGUAGE sql VOLATILE
    AS 'SELECT last_value FROM simulated_clock'
"""
"""Leases are judged by the world's clock, which is told to the database before it may look."""

SET_CLOCK = "SELECT setval('simulated_clock', $1::int8)"

TABLES = """
SELECT relname, pg_relation_size(oid) > 0 FROM pg_class
WHERE relnamespace = current_schema::regnamespace AND relkind = 'r'
"""
SEQUENCES = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"


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


class Database:
    """One for many worlds, one after the other. Each finds it as if it had just been made: no row,
    no statistics, every number from its beginning.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.loop = RealLoop()
        self.loop.wait_for(migrate(address(url), shipped()))
        self._db = psycopg.connect(url, autocommit=True)
        self._db.execute(f"SET search_path = {SCHEMA}".encode())
        self._db.execute(CLOCK.encode())
        self._first = list(self._keep())

    def _keep(self) -> Iterator[str]:
        """Tables with rows that migrations have brought. What a server does by itself, and when,
        would be no part of a seed.
        """
        self._db.execute("CREATE SCHEMA first; SET synchronous_commit = off")
        for table, used in self._db.execute(TABLES).fetchall():
            self._db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)".encode())
            if used:
                self._db.execute(f"CREATE TABLE first.{table} AS TABLE {table}".encode())
                yield table

    def empty(self) -> None:
        used = [table for table, used in self._db.execute(TABLES) if used]
        steps = [f"TRUNCATE {', '.join(used)}"] if used else []
        steps += [f"INSERT INTO {table} TABLE first.{table}" for table in self._first]
        self._db.execute("; ".join([*steps, SEQUENCES]).encode())

    def end(self, *processes: int) -> None:
        """The server's, by their ids: their connections are gone."""
        self._db.execute("SELECT pg_terminate_backend(one) FROM unnest(%s) AS one", [[*processes]])

    @contextmanager
    def locked(self, member: str) -> Iterator[None]:
        """Its row: whoever has to pass the fence waits."""
        with self._db.transaction():
            self._db.execute("SELECT 1 FROM member WHERE id = %s FOR UPDATE", [member])
            yield

    def waits(self, process: int) -> bool:
        """One of the server's, for a lock."""
        asked = self._db.execute("SELECT pg_blocking_pids(%s) <> '{}'", [process])
        return bool((asked.fetchone() or [False])[0])

    def close(self) -> None:
        self._db.close()
        self.loop.end()


@contextmanager
def database(url: str) -> Iterator[Database]:
    """On the server of ``url``, whose role may create databases. What is there stays untouched."""
    with scratch(url) as made:
        its = Database(made)
        try:
            yield its
        finally:
            its.close()
