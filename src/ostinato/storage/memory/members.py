"""One disk for several processes: who holds it is said by leases, as on a database server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from ostinato import __version__
from ostinato.errors import Fenced
from ostinato.ports import Members, Roll, Seat
from ostinato.storage.memory.adapter import MemoryStorage
from ostinato.storage.memory.disk import Disk

FORGOTTEN = 10
"""Leases after which one that is over is no longer told of."""


@dataclass(slots=True)
class Stay:
    address: str
    since: int
    span: int
    until: int


@dataclass(slots=True)
class Table:
    """What the processes at one disk share besides the disk. ``now`` is its clock."""

    now: Callable[[], int]
    disk: Disk = field(default_factory=Disk)
    stays: dict[str, Stay] = field(default_factory=dict)
    holder: str | None = None
    listening: dict[str, Callable[[], None]] = field(default_factory=dict)
    number: count[int] = field(default_factory=count)


class TableMembers:
    def __init__(self, table: Table) -> None:
        self.id = f"m{next(table.number)}"
        self._table = table
        self._held = False

    @property
    def holds(self) -> bool:
        return self._table.holder == self.id

    async def renew(self, lease: int, address: str) -> Roll:
        table, now = self._table, self._table.now()
        if self._held and not self.holds:
            self._held = False
            raise Fenced("another process has taken the store over; this one holds it no more")
        before = table.stays.get(self.id)
        since = now if before is None else before.since
        table.stays[self.id] = Stay(address, since, lease, now + lease)
        for name, one in list(table.stays.items()):
            one.until = min(one.until, now + one.span)  # the clock may have been set back
            if one.until + FORGOTTEN * one.span < now and name != table.holder:
                del table.stays[name]
        return Roll(now, tuple(self._seat(name, now) for name in table.stays))

    def _seat(self, name: str, now: int) -> Seat:
        stay = self._table.stays[name]
        holds, late = name == self._table.holder, stay.until <= now
        return Seat(name, stay.address, __version__, stay.since, holds, late)

    async def take(self) -> bool:
        table = self._table
        if not self.holds and table.holder is not None:
            if table.stays[table.holder].until > table.now():
                return False
            del table.stays[table.holder]
        if not self.holds:
            table.disk.epoch += 1  # who held it writes nothing more
        table.holder, self._held = self.id, True
        return True

    async def leave(self) -> None:
        table = self._table
        table.stays.pop(self.id, None)
        table.listening.pop(self.id, None)
        if self.holds:
            table.holder = None
            table.disk.epoch += 1
            for heard in list(table.listening.values()):
                heard()
        self._held = False

    def listen(self, heard: Callable[[], None]) -> None:
        self._table.listening[self.id] = heard


class SharedMemoryStorage(MemoryStorage):
    """Several of them over one table are processes at one database server."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.disk)
        self._member = TableMembers(table)
        self.members: Members | None = self._member

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def join(self) -> int:
        if not self._member.holds:
            raise Fenced("this process does not hold the store; another may")
        return await super().join()

    @property
    def _disk(self) -> Disk:
        return self._kept
