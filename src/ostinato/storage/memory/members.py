"""One disk for several processes: leases say who has which partitions, as on a database server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from ostinato import __version__
from ostinato.core.run_ids import HUB, PARTITIONS
from ostinato.errors import Fenced
from ostinato.ports import LEFT, Members, Roll, Seat, Taken
from ostinato.storage.memory.adapter import MemoryStorage
from ostinato.storage.memory.disk import Disk

FORGOTTEN = 10
"""Leases after which one that is over is no longer told of."""

OTHERS = [number for number in range(PARTITIONS) if number != HUB]

Heard = Callable[[Sequence[str]], None]


@dataclass(slots=True)
class Stay:
    address: str
    since: int
    span: int
    until: int
    waits: bool
    stores: int


@dataclass(slots=True)
class Table:
    """What the processes at one disk share besides the disk. ``now`` is its clock.

    ``orphans``: partitions whose last process has died or left, which nobody has taken since.
    ``burials``: how often each process was buried.
    """

    now: Callable[[], int]
    disk: Disk = field(default_factory=Disk)
    stays: dict[str, Stay] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    orphans: set[int] = field(default_factory=set)
    epochs: Counter[str] = field(default_factory=Counter)
    burials: Counter[str] = field(default_factory=Counter)
    listening: dict[str, Heard] = field(default_factory=dict)
    number: count[int] = field(default_factory=count)

    def has_any(self, name: str) -> bool:
        return name in self.owners.values()

    def new_epoch(self, name: str) -> int:
        self.disk.epoch += 1
        self.epochs[name] = self.disk.epoch
        return self.disk.epoch

    def free(self, name: str) -> None:
        """It is gone, and writes nothing more."""
        orphans = [number for number, owner in self.owners.items() if owner == name]
        for number in orphans:
            del self.owners[number]
        self.orphans.update(orphans)
        self.stays.pop(name, None)
        self.new_epoch(name)

    def tell(self, sender: str, news: Sequence[str]) -> None:
        for name, heard in list(self.listening.items()):
            if name != sender and news:
                heard(news)


class TableMembers:
    def __init__(self, table: Table) -> None:
        self.id = f"m{next(table.number)}"
        self._table = table
        self._burials = 0

    @property
    def epoch(self) -> int:
        return self._table.epochs[self.id]

    @property
    def _is_buried(self) -> bool:
        return self._burials != self._table.burials[self.id]

    def join(self) -> int:
        if self._is_buried or not self._table.has_any(self.id):
            raise Fenced("this process has no partition of the store; others may")
        return self._table.new_epoch(self.id)

    async def roll(self) -> Roll:
        return self._roll(self._table.now())

    async def renew(
        self, lease: int, address: str, *, waits: bool = False, stores: int = 1
    ) -> Roll:
        table, now = self._table, self._table.now()
        if self._is_buried:
            self._burials = table.burials[self.id]
            raise Fenced("this process was late, and others have taken what it had")
        before = table.stays.get(self.id)
        since = now if before is None else before.since
        table.stays[self.id] = Stay(address, since, lease, now + lease, waits, stores)
        for name, one in list(table.stays.items()):
            one.until = min(one.until, now + one.span)  # the clock may have been set back
            if one.until + FORGOTTEN * one.span < now and not table.has_any(name):
                del table.stays[name]
        return self._roll(now)

    def _roll(self, now: int) -> Roll:
        owners, counts = self._table.owners, Counter(self._table.owners.values())
        seats = tuple(
            Seat(
                name, stay.address, __version__, stay.since, counts[name], stay.waits,
                stay.until <= now, stay.stores,
            )
            for name, stay in self._table.stays.items()
        )  # fmt: skip
        return Roll(now, seats, owners.get(HUB), PARTITIONS - len(owners))

    async def take(self, most: int, *, hub: bool = True) -> Taken:
        table = self._table
        if self._is_buried:
            raise Fenced("others have buried this process; it has to come again")
        buried = self._bury()
        order = [HUB, *OTHERS] if hub else OTHERS
        taken = [number for number in order if number not in table.owners][:most]
        orphans = buried or not table.orphans.isdisjoint(taken)
        table.orphans.difference_update(taken)
        table.owners.update(dict.fromkeys(taken, self.id))
        return Taken(frozenset(taken), orphans)

    def _bury(self) -> bool:
        table, now = self._table, self._table.now()
        owners = sorted(set(table.owners.values()) - {self.id})
        late = [
            name for name in owners if name not in table.stays or table.stays[name].until <= now
        ]
        for name in late:
            table.burials[name] += 1
            table.free(name)
        if late:
            table.tell(self.id, [LEFT])
        return bool(late)

    async def give(self, partitions: Iterable[int]) -> None:
        owners = self._table.owners
        given = [number for number in partitions if owners.get(number) == self.id]
        for number in given:
            del owners[number]
        if given:
            self._table.tell(self.id, [LEFT])

    async def owners(self) -> dict[int, str]:
        return dict(sorted(self._table.owners.items()))

    async def leave(self) -> None:
        table = self._table
        was_there = self.id in table.stays or table.has_any(self.id)
        self._burials = table.burials[self.id]
        table.free(self.id)
        if was_there:
            table.tell(self.id, [LEFT])

    async def hint(self, news: Iterable[str]) -> None:
        self._table.tell(self.id, list(news))

    def listen(self, heard: Heard) -> None:
        self._table.listening[self.id] = heard

    def deafen(self) -> None:
        self._table.listening.pop(self.id, None)


class SharedMemoryStorage(MemoryStorage):
    """Several of them over one table are processes at one database server."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.disk)
        self._member = TableMembers(table)
        self.members: Members | None = self._member

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        self._member.deafen()

    async def join(self) -> int:
        return self._member.join()

    @property
    def _epoch(self) -> int:
        return self._member.epoch

    @property
    def _disk(self) -> Disk:
        return self._kept
