"""A database as one end of a move: one transaction, in which nobody else is there."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec

from ostinato.core.run_ids import partition_of
from ostinato.errors import AdapterError, StoreError, StoreLocked, UnknownCommit
from ostinato.storage.moving import COUNTER, Kind, Moved, Row, ValueOf
from ostinato.storage.postgres import faults, schema
from ostinato.storage.postgres import moving_sql as sql
from ostinato.storage.postgres.arrays import Argument, columns, number, raw, text, texts
from ostinato.storage.postgres.batch import people, shown
from ostinato.storage.postgres.moved import moved_of, refuse
from ostinato.storage.postgres.statements import PUT_TASK
from ostinato.storage.postgres.url import SCHEMA, address, connect
from ostinato.storage.postgres.wire import Ask, Fault, Lost, Wire
from ostinato.storage.values import holes_in, joined

AHEAD = 4
"""Lots that are on their way to the server at once."""

_NOT_AVAILABLE, _ENDED = "55P03", "25P03"
_TASK_KINDS = "tttitttiibttittbt"
_type_of = msgspec.json.Decoder(dict[str, msgspec.Raw])


class PostgresSource:
    def __init__(self, url: str) -> None:
        self.address = address(url)
        self.place = self.address.place
        self._wire: Wire | None = None
        self._renumbered = False

    async def open(self) -> None:
        await schema.migrate(self.address, schema.shipped())
        self._wire = Wire(await connect(self.address, "moves"))
        await self._hold()
        await self._renumber()

    async def close(self) -> None:
        """An end of the connection undoes what was not committed."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _hold(self) -> None:
        await self._ask("BEGIN ISOLATION LEVEL READ COMMITTED")
        for setting in sql.SETTINGS.split(";"):
            await self._ask(setting)
        if await self._ask(sql.ALONE) != [(True,)]:
            why = "a store is being moved from or to it"
            raise self._locked(why, "name two databases, if that is this command; else let it end")
        names = [name for (name,) in await self._ask(sql.TABLES_THERE, text(SCHEMA))]
        try:
            await self._ask(sql.HOLD.format(", ".join(f'"{name}"' for name in names)))
        except Fault as fault:
            if fault.code != _NOT_AVAILABLE:
                raise self._told(fault) from fault
            raise self._locked("another program is at work in its tables", "end it") from fault
        for at, left in await self._ask(sql.AT_WORK):
            mend = f"stop it; one that was killed is forgotten in {-(-left // 1000)} s"
            raise self._locked(f"a server is at work on it ({at})", mend)

    def _locked(self, why: str, mend: str) -> StoreLocked:
        return StoreLocked(f"{self.place} is in use: {why}; {mend}, then run this again")

    async def _renumber(self) -> None:
        """Events whose numbers are not the order in which waits saw them."""
        await self._ask(sql.MOVED_TO)
        for low, high in _merged(await self._ask(sql.OUT_OF_ORDER)):
            found = [one for one, _ in await self._ask(sql.RANKED, number(low), number(high))]
            pairs = [pair for pair in zip(found, sorted(found), strict=True) if pair[0] != pair[1]]
            await self._ask(sql.SET_PLACES, *columns("ii", pairs))
            self._renumbered = True

    async def moved(self) -> Moved | None:
        return moved_of(await self._ask(sql.MOVED))

    async def mark(self, moved: Moved | None) -> None:
        """This ends the transaction: it is the last that is done here."""
        await self._ask(sql.UNMARK)
        if moved is not None:
            await self._ask(sql.MARK, text(moved.to), number(moved.at))
        await self._commit()
        await self._ask("BEGIN")

    async def counts(self) -> dict[str, int]:
        return {name: int(count) for name, count in await self._ask(sql.COUNTS)}

    async def rows(self, kind: Kind) -> AsyncIterator[Sequence[Row]]:
        select = sql.select(kind, self._renumbered)
        await self._ask(f"DECLARE rows_{kind.name} NO SCROLL CURSOR FOR {select}")
        while lot := await self._ask(f"FETCH {kind.lot} FROM rows_{kind.name}"):
            yield lot
        await self._ask(f"CLOSE rows_{kind.name}")

    async def value(self, digest: bytes) -> bytes | None:
        found = await self._ask(sql.VALUE, raw(digest))
        return found[0][0] if found else None

    async def _ask(self, asked: str, *arguments: Argument) -> list[Row]:
        try:
            [found] = await self._opened().ask(Ask(asked, arguments, kept=False))
        except Fault as fault:
            if fault.code == _NOT_AVAILABLE:
                raise
            raise self._told(fault) from fault
        except Lost as error:
            raise self._lost(error) from error
        return found

    async def _commit(self) -> None:
        try:
            await self._opened().ask(Ask("COMMIT", kept=False))
        except Lost as error:
            raise UnknownCommit(
                f"{self.place}: {error}; nobody knows whether it was kept: run this again, it looks"
            ) from error
        except Fault as fault:
            raise self._told(fault) from fault

    def _told(self, fault: Fault) -> AdapterError:
        return faults.of_statement(self.place, fault.code, fault.said, fault.constraint)

    def _lost(self, error: Lost) -> StoreError:
        return StoreError(f"{self.place}: {error}; nothing was changed there: run this again")

    def _opened(self) -> Wire:
        assert self._wire is not None  # noqa: S101
        return self._wire


class PostgresTarget(PostgresSource):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._ahead: deque[Any] = deque()

    async def open(self) -> None:
        await super().open()
        refuse(self.address, await self._ask(sql.MOVED))

    def fitting(self, kind: Kind, rows: Sequence[Row]) -> Sequence[Row]:
        """PostgreSQL keeps no NUL in text."""
        return [row if _fits(row) else self._without_nul(kind, row) for row in rows]

    def _without_nul(self, kind: Kind, row: Row) -> Row:
        for name, value in zip(kind.columns, row, strict=True):
            if isinstance(value, str) and "\0" in value and name not in kind.read:
                raise StoreError(
                    f"{kind.name_of(row)}: {name} holds a NUL, and PostgreSQL keeps none in text; "
                    "remove what has it from the source (`ostinato clean`), or stay there"
                )
        return tuple(shown(value) if isinstance(value, str) else value for value in row)

    async def write(self, kind: Kind, rows: Sequence[Row], value: ValueOf) -> None:
        try:
            asks = await self._asks(kind, rows, value)
            self._ahead.append(self._opened().send(*asks))
            while len(self._ahead) > AHEAD:
                await self._ahead.popleft()
        except Fault as fault:
            raise self._told(fault) from fault
        except Lost as error:
            raise self._lost(error) from error

    async def counts(self) -> dict[str, int]:
        await self._rest()
        return await super().counts()

    async def _rest(self) -> None:
        try:
            while self._ahead:
                await self._ahead.popleft()
        except Fault as fault:
            raise self._told(fault) from fault
        except Lost as error:
            raise self._lost(error) from error

    async def _asks(self, kind: Kind, rows: Sequence[Row], value: ValueOf) -> list[Ask]:
        if kind.name == COUNTER:
            given: dict[str, int] = dict(rows)
            return [
                Ask(sql.COUNT_ON.format(name), [number(given.get(name) or await self._last(name))])
                for name in sql.SEQUENCES
            ]
        if kind.name == "task":
            return [Ask(PUT_TASK, await _task(row, value)) for row in rows]
        derive = _DERIVE.get(kind.name)
        given_rows = rows if derive is None else [(*row, derive(row)) for row in rows]
        types = kind.types + _TYPE_OF_DERIVED.get(kind.name, "")
        return [Ask(sql.INSERTS[kind.name], columns(types, given_rows))]

    async def _last(self, name: str) -> int:
        await self._rest()
        [(last,)] = await self._ask(sql.LAST.format(name))
        return int(last)

    async def finish(self) -> None:
        await self._rest()
        await self._ask(sql.NEXT_ERA)
        await self._ask("ANALYZE")
        await self._commit()


def _fits(row: Row) -> bool:
    return not any(type(value) is str and "\0" in value for value in row)


def _merged(windows: Iterable[Row]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high in windows:
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


async def _task(row: Row, value: ValueOf) -> list[Argument]:
    asked, holes = row[9:11]
    if holes is not None:
        known = {digest: await value(digest) for _, digest in holes_in(holes)}
        asked = joined(asked, holes_in(holes), known.get)
    given: list[Argument] = [
        _ENCODERS[letter](one) for letter, one in zip(_TASK_KINDS, row, strict=True)
    ]
    return [*given, *(texts(people(asked, name)) for name in ("candidates", "groups"))]


_ENCODERS: dict[str, Any] = {"t": text, "i": number, "b": raw}


def _type_of_letter(row: Row) -> str | None:
    try:
        return None if row[7] is None else str(msgspec.json.decode(_type_of.decode(row[7])["type"]))
    except (msgspec.MsgspecError, KeyError, ValueError):
        return None


_DERIVE: dict[str, Any] = {
    "run": lambda row: partition_of(row[0]),
    "timer": lambda row: partition_of(row[0]),
    "wait": lambda row: partition_of(row[0]),
    "outbox": lambda row: partition_of(row[1]),
    "dead_letter": _type_of_letter,
}
_TYPE_OF_DERIVED = dict.fromkeys(("run", "timer", "wait", "outbox"), "i") | {"dead_letter": "t"}
