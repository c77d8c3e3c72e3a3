"""A place on a real PostgreSQL: the real adapter, whose calls take no virtual time.

Each call is made on a real loop, and the simulation stands still until it is answered. So calls
come one after the other, in the order that the seed says, and no transaction is open between two of
them: one that were might make others wait, and is a violation, where it would have been a hang.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, cast

from psycopg.pq import TransactionStatus

from ostinato.errors import StoreError
from ostinato.ports import Members, Storage
from ostinato.storage.postgres import PostgresStorage
from ostinato.storage.postgres.arrays import number
from ostinato.storage.postgres.wire import Ask
from ostinato.testing.simulation.database import SET_CLOCK, Database, Stuck
from ostinato.testing.simulation.store import READS

Breaks = Callable[[str, str], None]
Call = Callable[[], Coroutine[Any, Any, Any]]

TIMELESS = frozenset(READS)
"""They ask for no time of the server's."""

TELLS_NOBODY = TIMELESS | {"renew"}
"""Everything else may send hints to other processes."""


class Connected:
    """What one process has of the adapter. ``heard`` is called for each hint that has come."""

    def __init__(self, storage: PostgresStorage) -> None:
        self.storage = storage
        self.gone = False
        self.heard: Callable[[], None] = lambda: None
        self._hints = 0

    def listen(self, heard: Callable[[], None]) -> None:
        self.heard = heard

    def hint(self) -> None:
        self._hints += 1

    def deliver(self) -> None:
        hints, self._hints = self._hints, 0
        for _ in range(hints):
            self.heard()

    async def catch_up(self) -> None:
        """Hints that were sent before this is asked come before its answer."""
        await self.storage._watch.now(Ask("SELECT 1"))

    async def set_clock(self, now: int, *, beside: bool) -> None:
        """Before what is asked next on the same connection, or ``beside`` it on another one."""
        wire = self.storage._watch._wire
        if wire is not None and wire.broken is None:
            told = wire.send(Ask(SET_CLOCK, [number(now)]))
            if beside:
                await told

    def left_open(self) -> list[str]:
        """What those connections are for that are in a transaction."""
        its = self.storage
        links = (its._watch, its._writer, its._reader, its._lists)
        wires = [(link._purpose.name, link._wire) for link in links]
        return [name for name, wire in wires if wire is not None and _is_open(wire)]

    async def hang_up(self) -> None:
        self.storage._close()


def _is_open(wire: Any) -> bool:
    return not wire.broken and wire._pq.transaction_status != TransactionStatus.IDLE


class PostgresPlace:
    """``now`` is the world's clock; ``breaks`` is told of a rule that was broken, and how."""

    shared = True

    def __init__(self, database: Database, now: Callable[[], int], breaks: Breaks) -> None:
        self._database = database
        self._now = now
        self._breaks = breaks
        self._all: list[Connected] = []
        self._stuck = False
        database.empty()

    def store(self) -> Storage:
        storage = PostgresStorage(self._database.url, member=f"m{len(self._all)}")
        self._all.append(Connected(storage))
        return cast(Storage, OnServer(self, self._all[-1]))

    def ask(self, asking: Connected, name: str, call: Call, *, beside: bool) -> Any:
        if asking.gone or self._stuck:
            raise StoreError("this process is dead, or the server is stuck (simulated)")
        try:
            return self._database.loop.wait_for(self._asked(asking, name, call, beside))
        except Stuck as error:
            self._stuck = True
            self._breaks("store.stuck", f"{name}: {error}")
            raise StoreError(str(error)) from error
        except StoreError as error:
            place = asking.storage.address.place  # has a port and a name that are of no seed
            error.args = tuple(str(arg).replace(place, "PostgreSQL") for arg in error.args)
            raise
        finally:
            for purpose in asking.left_open():
                self._breaks("store.left_open", f"{name} has left a transaction open: {purpose}")
            for one in self._here() if name not in TELLS_NOBODY else ():
                one.deliver()

    async def _asked(self, asking: Connected, name: str, call: Call, beside: bool) -> Any:
        if name not in TIMELESS:
            await asking.set_clock(self._now(), beside=beside)
        try:
            return await call()
        finally:
            if name not in TELLS_NOBODY:
                await asyncio.gather(*[one.catch_up() for one in self._here()])

    def _here(self) -> list[Connected]:
        return [one for one in self._all if not one.gone]

    def abandon(self, store: Any) -> None:
        """The kernel closes its connections."""
        self._let_go(store.connected)

    def _let_go(self, connected: Connected) -> None:
        if not connected.gone:
            connected.gone = True
            self._database.loop.wait_for(connected.hang_up())

    def remove(self) -> None:
        for connected in self._all:
            self._let_go(connected)


class Standing:
    """An object of the adapter's: while it does what it is asked, the simulation stands still."""

    beside = True
    """It has other connections than the one that sets the clock."""

    def __init__(self, place: PostgresPlace, connected: Connected, inner: Any) -> None:
        self.connected = connected
        self._place = place
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def ask(*args: Any, **kwargs: Any) -> Any:
            def call() -> Coroutine[Any, Any, Any]:
                return cast(Coroutine[Any, Any, Any], method(*args, **kwargs))

            return self._place.ask(self.connected, name, call, beside=self.beside)

        setattr(self, name, ask)
        return ask


class AtServer(Standing):
    """``Members``."""

    beside = False

    def listen(self, heard: Callable[[], None]) -> None:
        self.connected.listen(heard)
        self._inner.listen(self.connected.hint)


class OnServer(Standing):
    """``Storage``."""

    def __init__(self, place: PostgresPlace, connected: Connected) -> None:
        super().__init__(place, connected, connected.storage)
        self.members = cast(Members, AtServer(place, connected, connected.storage.members))
