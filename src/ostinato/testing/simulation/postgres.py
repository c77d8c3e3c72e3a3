"""A place on a real PostgreSQL: the real adapter, whose calls take no virtual time.

Each call is made on a real loop, and the simulation stands still until it is answered. So calls
come one after the other, in the order that the seed says, and no transaction is open between two of
them: one that were might make others wait, and is a violation, where it would have been a hang.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from psycopg.pq import TransactionStatus

from ostinato.errors import StoreError, UnknownCommit
from ostinato.ports import Members, Storage
from ostinato.storage.postgres import PostgresStorage
from ostinato.storage.postgres.arrays import number
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.wire import Ask, Row, Wire
from ostinato.testing.simulation.database import SET_CLOCK, Database, Stuck

Breaks = Callable[[str, str], None]
Call = Callable[[], Coroutine[Any, Any, Any]]


class Connected:
    """What one process has of the adapter. ``heard`` is called for each hint that has come."""

    def __init__(self, storage: PostgresStorage, now: Callable[[], int]) -> None:
        self.storage = storage
        self.gone = False
        self.heard: Callable[..., None] = lambda *news: None
        self.cut_next = False
        self._hints: list[tuple[Any, ...]] = []
        _set_clock(storage._watch, now)

    def hint(self, *news: Any) -> None:
        self._hints.append(news)

    def deliver(self) -> None:
        hints, self._hints = self._hints, []
        for news in hints:
            self.heard(*news)

    async def catch_up(self) -> None:
        """Hints that were sent before this is asked come before its answer."""
        await self.storage._watch.now(Ask("SELECT 1"))

    def _wires(self) -> list[tuple[str, Wire]]:
        """What they are for, and those that are there."""
        its = self.storage
        links = (its._watch, its._writer, its._reader, its._lists)
        wires = [(link._purpose.name, link._wire) for link in links]
        return [(name, wire) for name, wire in wires if wire is not None and not wire.broken]

    def left_open(self) -> list[str]:
        """What those connections are for that are in a transaction."""
        idle = TransactionStatus.IDLE
        return [name for name, wire in self._wires() if wire._pq.transaction_status != idle]

    async def cut(self, database: Database) -> None:
        """All that is connected; who listens connects again by itself."""
        wires = [wire for _, wire in self._wires()]
        database.end(*[wire.process_id for wire in wires])
        while not all(wire.broken for wire in wires):  # noqa: ASYNC110 - a socket says it
            await asyncio.sleep(0.001)
        if wires:
            await self.storage._watch._connected()

    async def cut_within(self, call: Call, database: Database) -> Any:
        """Call, and cut the connection that writes when the server has begun, and kept nothing."""
        self.cut_next = False
        writer = (await self.storage._writer._connected()).process_id
        with database.locked(self.storage.member):
            called = asyncio.ensure_future(call())
            while not (called.done() or database.waits(writer)):  # noqa: ASYNC110 - a server does
                await asyncio.sleep(0.001)
            database.end(writer)
            return await called

    async def hang_up(self) -> None:
        self.storage._close()


def _set_clock(link: Link, now: Callable[[], int]) -> None:
    """In front of all that is asked there: it is where leases are judged, and nowhere else."""
    repeat = link.repeat

    async def on_time(asks: Sequence[Ask]) -> list[list[Row]]:
        return (await repeat([Ask(SET_CLOCK, [number(now())]), *asks]))[1:]

    link.repeat = on_time  # type: ignore[method-assign]


class PostgresPlace:
    """``now`` is the world's clock; ``breaks`` is told of a rule that was broken, and how.
    ``claims`` is how jobs are claimed.
    """

    shared = True

    def __init__(
        self, database: Database, now: Callable[[], int], breaks: Breaks, claims: str
    ) -> None:
        self._database = database
        self._claims = claims
        self._now = now
        self._breaks = breaks
        self._all: list[Connected] = []
        self._stuck = False
        database.empty()

    def store(self) -> Storage:
        member = f"m{len(self._all)}"
        storage = PostgresStorage(self._database.url, claims=self._claims, member=member)
        self._all.append(Connected(storage, self._now))
        return cast(Storage, OnServer(self, self._all[-1]))

    def ask(self, asking: Connected, name: str, call: Call, *, tells: bool) -> Any:
        """``tells``: it may send hints to other processes."""
        if asking.gone or self._stuck:
            raise StoreError("this process is dead, or the server is stuck (simulated)")
        try:
            return self._database.loop.wait_for(self._asked(asking, name, call, tells))
        except Stuck as error:
            self._stuck = True
            self._breaks("store.stuck", f"{name}: {error}")
            raise StoreError(str(error)) from error
        except UnknownCommit as error:  # how it tells depends on how soon it reads
            raise UnknownCommit("the connection was cut during COMMIT (simulated)") from error
        except StoreError as error:
            place = asking.storage.address.place  # has a port and a name that are of no seed
            error.args = tuple(str(arg).replace(place, "PostgreSQL") for arg in error.args)
            raise
        finally:
            for purpose in asking.left_open():
                self._breaks("store.left_open", f"{name} has left a transaction open: {purpose}")
            for one in self._here() if tells else ():
                one.deliver()

    async def _asked(self, asking: Connected, name: str, call: Call, tells: bool) -> Any:
        try:
            if name == "commit" and asking.cut_next:
                return await asking.cut_within(call, self._database)
            return await call()
        finally:
            if tells:
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

    def cut(self, store: Any, when: str) -> None:
        """Its connections are gone: ``now``, or in the middle of the next ``commit``; or ``all``
        that anybody has.
        """
        if when == "commit":
            store.connected.cut_next = True
            return
        for one in self._here() if when == "all" else [store.connected]:
            self._database.loop.wait_for(one.cut(self._database))

    def remove(self) -> None:
        for connected in self._all:
            self._let_go(connected)


class Standing:
    """An object of the adapter's: while it does what it is asked, the simulation stands still."""

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

            return self._place.ask(self.connected, name, call, tells=self._tells(name))

        setattr(self, name, ask)
        return ask

    def _tells(self, name: str) -> bool:
        return name == "close"


class AtServer(Standing):
    """``Members``."""

    def listen(self, heard: Callable[..., None]) -> None:
        self.connected.heard = heard
        self._inner.listen(self.connected.hint)

    def _tells(self, name: str) -> bool:
        return name != "renew"


class OnServer(Standing):
    """``Storage``."""

    def __init__(self, place: PostgresPlace, connected: Connected) -> None:
        super().__init__(place, connected, connected.storage)
        self.members = cast(Members, AtServer(place, connected, connected.storage.members))
