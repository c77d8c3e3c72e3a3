"""A store that is far away, and fails by plan; what it really keeps is told to the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ostinato.errors import Fenced, Outdated, Overtaken, Refused, StoreError, UnknownCommit
from ostinato.ports import Batch, Claim, JobRow, Members, Partitions, Roll, Storage, Taken
from ostinato.testing.simulation.faults import FALL, MEETING, AdapterBug
from ostinato.testing.simulation.process import REQUEST, Process

if TYPE_CHECKING:
    from ostinato.testing.simulation.world import World

T = TypeVar("T")

AWAY = (0.4, 0.4, 7.0)
"""Seconds that a store is gone after a COMMIT; the last is longer than a stop waits for it."""

HEARD = 0.7
"""Part of the hints that arrive."""

POISON = b"REFUSE ME"
"""A batch with a record or an event of this is refused, as by a database that cannot hold it."""


def _held(batch: Batch) -> Iterator[bytes]:
    yield from (record.data for record in batch.records)
    yield from (bytes(one.event.data) for one in batch.events)


class UnreliableStore:
    """One process's way to the data. Reads are those of ``Storage``; see below."""

    def __init__(self, inner: Storage, world: World, process: Process) -> None:
        self.inner = inner
        self._world = world
        self._faults = world.faults
        self._process = process
        members = inner.members
        self.members = None if members is None else UnreliableMembers(members, self)

    async def open(self) -> None:
        await self._travel()
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def join(self) -> int:
        await self._travel()
        epoch = await self.inner.join()
        self.is_newest()
        return epoch

    def is_newest(self) -> None:
        """From now on no other process may write."""
        self._world.newest = self._process.number

    async def commit(self, batch: Batch) -> None:
        await self._travel()
        if any(POISON in data for data in _held(batch)):
            self._world.faults.met["commit.refused"] += 1
            raise Refused("a row that this store does not take (simulated)")
        kind = self._fault(self._faults.next_commit(batch))
        if kind == "commit.error":
            raise StoreError("the disk says no (simulated)")
        if kind == "commit.late":
            self._world.outside(self._arrive(batch))
        if kind in ("commit.lost", "commit.late"):
            raise UnknownCommit("the connection was lost during COMMIT (simulated)")
        await self._keep(batch)
        if kind == FALL:
            self._world.crash(self._process, "fell")
        await self._answer(kind)
        self._world.ledger.answered(self._process)

    async def _answer(self, kind: str) -> None:
        """It is kept; whether that is heard is another matter."""
        try:
            await self._travel()
        except StoreError as error:
            raise UnknownCommit("the store went away during COMMIT (simulated)") from error
        if kind == "commit.odd":
            raise AdapterBug("a bug of an adapter (simulated)")
        if kind == "commit.gone":
            self._faults.arm("outage", self._world.chance.choice(AWAY))
        if kind in ("commit.kept", "commit.gone"):
            raise UnknownCommit("the connection was lost after COMMIT (simulated)")

    def _fault(self, kind: str) -> str:
        if kind:
            self._process.store_failed = True
            self._world.trace("store", kind)
        return kind

    async def _arrive(self, batch: Batch) -> None:
        """What was on its way when the connection broke: the fence must stop it by then."""
        chance = self._world.chance
        await asyncio.sleep(chance.choice((0.001, 0.004, chance.random() * 0.5)))
        with suppress(Fenced, StoreError):
            await self._keep(batch)

    async def _keep(self, batch: Batch) -> None:
        try:
            await self.inner.commit(batch)
        except Fenced:
            self._fault("fenced")
            self._world.faults.met["fenced"] += 1
            raise
        except Overtaken as error:
            if self._world.plan.crew == 1 and not isinstance(error, Outdated):
                self._world.ledger.breaks("engine.overtaken", f"by itself: {error}")
            raise
        world, process = self._world, self._process
        world.ledger.kept(batch, process, lambda run_id: world.owns(process, run_id))
        world.dock.kept(batch)

    def _note(self, run_id: str) -> None:
        """The engine has read a history; what clients ask to see does not count."""
        task, world = asyncio.current_task(), self._world
        asked = task is not None and task.get_name() == REQUEST
        if not asked and world.owns(self._process, run_id):
            world.ledger.read(self._process, run_id)

    async def _travel(self) -> None:
        await asyncio.sleep(self._faults.latency())
        try:
            self._faults.check_reachable()
        except StoreError:
            self._process.store_failed = True
            raise

    # claims are kept beside the batches, and no fence is before them

    async def claim_jobs(self, claim: Claim) -> list[JobRow]:
        await self._travel()
        kind = self._fault(self._faults.next_read("claim_jobs"))
        if kind == "read.error":
            raise StoreError("the disk says no (simulated)")
        rows = await self.inner.claim_jobs(claim)
        self._world.ledger.broken += self._world.ledger.claims.claimed(rows)
        if kind == "read.odd":
            raise AdapterBug("a bug of an adapter (simulated)")
        for _ in range(5):  # while it is on its way, more is offered
            await self._heard("claims")
        return rows

    async def extend_job(self, job_id: str, token: str, lease: int, now: int) -> JobRow | None:
        await self._travel()
        row = await self.inner.extend_job(job_id, token, lease, now)
        await self._heard("an extension")
        return row

    async def _heard(self, what: str) -> None:
        try:
            await self._travel()
        except StoreError as error:
            raise UnknownCommit(f"the store went away with {what} (simulated)") from error


class UnreliableMembers:
    """What is asked may arrive and not be answered."""

    def __init__(self, inner: Members, store: UnreliableStore) -> None:
        self.id = inner.id
        self._inner = inner
        self._store = store
        self._untold = Taken()

    async def roll(self) -> Roll:
        return await self._asked(self._inner.roll)

    async def renew(
        self, lease: int, address: str, *, waits: bool = False, stores: int = 1
    ) -> Roll:
        return await self._asked(lambda: self._renew(lease, address, waits, stores))

    async def _renew(self, lease: int, address: str, waits: bool, stores: int) -> Roll:
        try:
            return await self._inner.renew(lease, address, waits=waits, stores=stores)
        except Fenced:
            self._untold = Taken()
            self._store._process.store_failed = True  # it has nothing that it could hand over
            raise

    async def take(self, most: int, *, hub: bool = True) -> Taken:
        taken = await self._asked(lambda: self._take(most, hub))
        self._untold = Taken()
        return taken

    async def _take(self, most: int, hub: bool) -> Taken:
        """What was taken and not told, as the answer was lost, is told the next time."""
        new, old = await self._inner.take(most, hub=hub), self._untold
        if new.partitions:
            self._store._process.taken += 1
            self._have(new.partitions)
        self._untold = Taken(new.partitions | old.partitions, new.orphans or old.orphans)
        if new.partitions and self._store._faults.next_taking():
            raise StoreError("the connection was lost (simulated)")
        return self._untold

    def _have(self, partitions: Partitions) -> None:
        world, number = self._store._world, self._store._process.number
        for before in {world.owner[each] for each in partitions & world.owner.keys()} - {number}:
            world.processes[before].was_buried = True
        world.owner |= dict.fromkeys(partitions, number)

    async def give(self, partitions: Iterable[int]) -> None:
        await self._asked(lambda: self._give(frozenset(partitions)))

    async def _give(self, partitions: Partitions) -> None:
        await self._inner.give(partitions)
        owner, number = self._store._world.owner, self._store._process.number
        for each in partitions:
            if owner.get(each) == number:  # else others have taken it for dead before
                del owner[each]

    async def owners(self) -> dict[int, str]:
        return await self._asked(self._inner.owners)

    async def leave(self) -> None:
        await self._asked(self._leave)

    async def _leave(self) -> None:
        self._untold = Taken()
        await self._inner.leave()

    async def hint(self, news: Iterable[str]) -> None:
        with suppress(StoreError):
            await self._asked(lambda: self._inner.hint(news))

    def listen(self, heard: Callable[[Sequence[str]], None]) -> None:
        world, process = self._store._world, self._store._process

        def perhaps(news: Sequence[str]) -> None:
            if world.is_calm or world.chance.random() < HEARD:
                process.hear(heard, [one for one in news if world.faults.is_heard(one)])

        self._inner.listen(perhaps)

    async def _asked(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        await self._store._travel()
        answer = await ask()
        await self._store._travel()
        return answer


READS = (
    "history", "head", "busy_runs", "open_runs", "due_timers", "next_timer", "find_waits",
    "early_events", "missed", "known_events", "reply", "places", "turns", "buckets", "mail",
    "outbox", "backlog", "versions", "deployed", "runs", "count_runs", "events", "count_events",
    "events_by_id", "dead_letters",
    "count_dead_letters", "dead_letter", "over_runs", "oldest_open", "aged_events", "aged_letters",
    "expired_replies", "unswept",
    "schedules", "due_schedules", "next_schedule", "run_groups", "operation", "operations",
    "running_operations", "operation_run", "operation_runs", "operation_tally", "aged_operations",
    "tasks", "count_tasks", "task", "job", "jobs", "job_counts", "due_leases", "next_lease",
)  # fmt: skip


def _read(name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def read(self: UnreliableStore, *args: Any, **kwargs: Any) -> Any:
        await self._travel()
        found = await getattr(self.inner, name)(*args, **kwargs)
        kind = self._fault(self._faults.next_read(name if found else ""))
        if kind in ("read.error", *MEETING.values()):
            raise StoreError("the disk cannot be read (simulated)")
        if kind == "read.odd":
            raise AdapterBug("a bug of an adapter (simulated)")
        if name == "history":
            self._note(args[0])
        await asyncio.sleep(self._faults.latency())
        return found

    return read


for _name in READS:
    setattr(UnreliableStore, _name, _read(_name))
