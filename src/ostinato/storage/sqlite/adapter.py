"""SqliteStorage: one file, one owner, one transaction at a time.

Where partitions of runs are asked for, all are read: one process has them.

Three connections: ``main`` writes, and reads for the engine on the loop's thread; ``aside`` does
those reads while a thread is writing; ``lists`` belongs to a thread of its own, so that a long
list stalls nobody.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Concatenate, ParamSpec, TypeVar

from ostinato.core.cloudevents import Event
from ostinato.core.schedules import Schedule
from ostinato.errors import StoreError, UnknownCommit
from ostinato.ports import (
    AgedEvent,
    Batch,
    Claim,
    DeadLetter,
    EventQuery,
    Head,
    JobCount,
    JobQuery,
    JobRow,
    LetterQuery,
    Mail,
    Members,
    Operation,
    Outgoing,
    Page,
    Partitions,
    Place,
    Record,
    Reply,
    RunGroup,
    RunQuery,
    StoredEvent,
    Tally,
    TaskQuery,
    TaskRow,
    Timer,
    Turn,
    Version,
    Wait,
)
from ostinato.ports.storage import ANY
from ostinato.storage.sqlite import batch as batches
from ostinato.storage.sqlite import connection, faults, jobs, lists, reads, schema, transaction
from ostinato.storage.sqlite.opened import Opened
from ostinato.storage.sqlite.owner import Owner, inode
from ostinato.storage.sqlite.pace import Pace

P = ParamSpec("P")
T = TypeVar("T")
Read = Callable[Concatenate[sqlite3.Connection, P], T]


class SqliteStorage:
    """``address`` is told to those who find the file in use."""

    members: Members | None = None

    def __init__(self, path: str | Path, *, address: str | None = None) -> None:
        self.file = Path(path).expanduser().resolve()
        self.finish = transaction.finish  # a test's way to a COMMIT that fails
        self._owner = Owner(self.file, address)
        self._pace = Pace()
        self._turn = asyncio.Lock()
        self._writing: Future[None] | None = None
        self._main: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._open: Opened | None = None

    def announce(self, address: str) -> None:
        self._owner.announce(address)

    async def open(self) -> None:
        if self._open is not None:
            return
        connection.check(self.file)
        self._owner.take()
        try:
            self._main = self._connect()
            self._inode = inode(self.file)
            self._open = Opened(self.file)
        except BaseException:
            self._let_go()
            raise

    async def close(self) -> None:
        async with self._turn:
            await self._settle()
            self._let_go()

    async def join(self) -> int:
        async with self._turn:
            await self._settle()
            return batches.join(self.file, self._writer())

    async def commit(self, batch: Batch) -> None:
        async with self._turn:
            await self._settle()
            threads = self._opened().writing
            if self._pace.allows_inline(batch):
                self._write(batch)
            else:
                self._writing = threads.submit(self._write, batch)
                await asyncio.wrap_future(self._writing)

    async def _settle(self) -> None:
        """A caller may have been cancelled; its thread cannot be, and has the connection still."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([asyncio.wrap_future(self._writing)])
        self._writing = None

    def _write(self, batch: Batch) -> None:
        started = perf_counter()
        if inode(self.file) != self._inode:  # what is written now would be nobody's
            raise StoreError(
                f"{self.file} was deleted or replaced while it was in use: stop this server, put "
                "the file back or choose another one, and start again"
            )
        try:
            batches.write(self.file, self._writer(), batch, self.finish)
        except UnknownCommit:
            self._drop_main()
            raise
        self._pace.learn(batch, perf_counter() - started)

    def _connect(self) -> sqlite3.Connection:
        db = connection.writer(self.file)
        try:
            with faults.told(self.file):
                made = schema.enter(self.file, db)
        except BaseException:
            db.close()
            raise
        if made:
            connection.sync_directory(self.file)
        return db

    def _writer(self) -> sqlite3.Connection:
        """A new one after a COMMIT that failed: what the file holds then is what counts."""
        self._opened()
        if self._main is None:
            self._main = connection.writer(self.file)
        return self._main

    def _drop_main(self) -> None:
        if self._main is not None:
            with suppress(sqlite3.Error):
                self._main.close()
            self._main = None

    def _opened(self) -> Opened:
        if self._open is None:
            raise StoreError(f"{self.file} is not open; call open() first")
        return self._open

    def _let_go(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
        self._drop_main()
        self._owner.release()

    async def _alone(self, work: Callable[Concatenate[Path, sqlite3.Connection, P], T],
                     *args: P.args, **kwargs: P.kwargs) -> T:  # fmt: skip
        """A small transaction beside the batches, in its turn."""
        async with self._turn:
            await self._settle()
            try:
                return work(self.file, self._writer(), *args, **kwargs)
            except UnknownCommit:
                self._drop_main()
                raise

    # how it is read

    def _read(self, read: Read[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        busy = self._writing is not None and not self._writing.done()
        db = self._opened().aside if busy else self._writer()
        try:  # not faults.told: this is the hot path
            return read(db, *args, **kwargs)
        except sqlite3.Error as error:
            raise faults.store_error(self.file, error) from error

    async def _list(self, read: Read[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        opened = self._opened()
        asked = opened.listing.submit(read, opened.lists, *args, **kwargs)
        with faults.told(self.file):
            return await asyncio.wrap_future(asked)

    # what the engine reads

    async def history(self, run_id: str, after: int = -1, limit: int | None = None) -> list[Record]:
        return self._read(reads.history, run_id, after, limit)

    async def head(self, run_id: str) -> Head | None:
        return self._read(reads.head, run_id)

    async def busy_runs(self, partitions: Partitions | None = None) -> list[str]:
        return self._read(reads.busy_runs)

    async def open_runs(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        return self._read(reads.open_runs, pairs)

    async def due_timers(
        self,
        now: int,
        limit: int,
        workflow: str | None = None,
        partitions: Partitions | None = None,
    ) -> list[Timer]:
        return self._read(reads.due_timers, now, limit, workflow)

    async def next_timer(self, partitions: Partitions | None = None) -> int | None:
        return self._read(reads.next_timer)

    async def schedules(self, ids: Sequence[str] | None = None) -> list[Schedule]:
        return self._read(reads.schedules, ids)

    async def due_schedules(self, now: int, limit: int) -> list[Schedule]:
        return self._read(reads.due_schedules, now, limit)

    async def next_schedule(self) -> int | None:
        return self._read(reads.next_schedule)

    async def find_waits(
        self, type: str, values_keys: Sequence[str], event: tuple[str, str] | None
    ) -> list[Wait]:
        return self._read(reads.find_waits, type, values_keys, event)

    async def early_events(
        self, type: str, values_key: str, since: int, run_id: str
    ) -> list[Event]:
        return self._read(reads.early_events, type, values_key, since)

    async def missed(self) -> list[tuple[Wait, Event]]:
        return await self._list(reads.missed)

    async def known_events(
        self, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], StoredEvent]:
        return self._read(reads.known_events, pairs)

    async def reply(self, scope: str, key: str, now: int) -> Reply | None:
        return self._read(reads.reply, scope, key, now)

    async def deployed(self) -> int:
        return 0

    async def places(self) -> list[Place]:
        return self._read(reads.places)

    async def turns(self) -> list[Turn]:
        return self._read(reads.turns)

    async def buckets(self) -> dict[str, int]:
        return self._read(reads.buckets)

    async def mail(self, partitions: Partitions | None = None) -> list[Mail]:
        return self._read(reads.mail)

    async def outbox(
        self,
        limit: int,
        size: int = ANY,
        partitions: Partitions | None = None,
        bus: str = "",
        besides: Sequence[int] = (),
    ) -> list[Outgoing]:
        return self._read(reads.outbox, limit, size, bus, besides)

    async def backlog(self) -> dict[str, int]:
        return self._read(reads.backlog)

    async def versions(self) -> list[Version]:
        return self._read(reads.versions)

    # jobs that are offered to workers elsewhere

    async def claim_jobs(self, claim: Claim) -> list[JobRow]:
        return await self._alone(jobs.claim, claim)

    async def extend_job(self, job_id: str, token: str, lease: int, now: int) -> JobRow | None:
        return await self._alone(jobs.extend, job_id, token, lease, now)

    async def job(self, job_id: str) -> JobRow | None:
        return self._read(jobs.job, job_id)

    async def due_leases(self, now: int, limit: int) -> list[JobRow]:
        return self._read(jobs.due_leases, now, limit)

    async def next_lease(self) -> int | None:
        return self._read(jobs.next_lease)

    async def jobs(self, query: JobQuery, page: Page) -> list[JobRow]:
        return await self._list(jobs.jobs, query, page)

    async def job_counts(self) -> list[JobCount]:
        return await self._list(jobs.counts)

    # what lists and pages read

    async def runs(self, query: RunQuery, page: Page) -> list[Head]:
        return await self._list(lists.runs, query, page)

    async def count_runs(self, query: RunQuery) -> int:
        return await self._list(lists.count_runs, query)

    async def run_groups(self, query: RunQuery, limit: int) -> list[RunGroup]:
        return await self._list(lists.run_groups, query, limit)

    async def events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        return await self._list(lists.events, query, page)

    async def count_events(self, query: EventQuery) -> int:
        return await self._list(lists.count_events, query)

    async def events_by_id(self, event_id: str) -> list[StoredEvent]:
        return await self._list(reads.events_by_id, event_id)

    async def dead_letters(self, query: LetterQuery, page: Page) -> list[DeadLetter]:
        return await self._list(lists.dead_letters, query, page)

    async def count_dead_letters(self, query: LetterQuery) -> int:
        return await self._list(lists.count_dead_letters, query)

    async def dead_letter(self, letter_id: str) -> DeadLetter | None:
        return self._read(reads.dead_letter, letter_id)

    async def tasks(self, query: TaskQuery, page: Page) -> list[TaskRow]:
        return await self._list(lists.tasks, query, page)

    async def count_tasks(self, query: TaskQuery) -> int:
        return await self._list(lists.count_tasks, query)

    async def task(self, task_id: str) -> TaskRow | None:
        return self._read(reads.task, task_id)

    # repairs of many runs

    async def operation(self, operation_id: str) -> Operation | None:
        return self._read(reads.operation, operation_id)

    async def operations(self, page: Page) -> list[Operation]:
        return await self._list(reads.operations, page)

    async def running_operations(self) -> list[Operation]:
        return self._read(reads.running_operations)

    async def operation_runs(self, operation_id: str, after: str, limit: int) -> list[str]:
        return await self._list(reads.operation_runs, operation_id, after, limit)

    async def operation_run(self, operation_id: str, run_id: str) -> str | None:
        return self._read(reads.operation_run, operation_id, run_id)

    async def operation_tally(self, operation_id: str) -> list[Tally]:
        return await self._list(reads.operation_tally, operation_id)

    async def aged_operations(self, now: int, before: int | None, limit: int) -> list[str]:
        return await self._list(reads.aged_operations, now, before, limit)

    # what the janitor reads

    async def over_runs(
        self,
        workflow: str,
        status: str,
        before: int,
        limit: int,
        partitions: Partitions | None = None,
    ) -> list[str]:
        return await self._list(reads.over_runs, workflow, status, before, limit)

    async def oldest_open(self) -> dict[str, int]:
        return await self._list(reads.oldest_open)

    async def aged_events(self, after: int, limit: int) -> list[AgedEvent]:
        return await self._list(reads.aged_events, after, limit)

    async def aged_letters(self, before: int, limit: int) -> list[str]:
        return await self._list(reads.aged_letters, before, limit)

    async def expired_replies(self, now: int, limit: int) -> list[tuple[str, str]]:
        return await self._list(reads.expired_replies, now, limit)

    async def unswept(self) -> bool:
        return await self._list(reads.unswept)
