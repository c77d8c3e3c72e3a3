"""PostgresStorage: one database, any number of members, a pipeline for each batch.

Four connections: one writes; one reads for the engine; one reads lists, so that a long one stalls
nobody; one watches: it is there for as long as this process is.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from ostinato.core.cloudevents import Event
from ostinato.core.schedules import Schedule
from ostinato.errors import Fenced, OstinatoError, UsageError
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
from ostinato.storage.postgres import faults, jobs, lists, moved, reads, schema, statements
from ostinato.storage.postgres import membership as sql
from ostinato.storage.postgres.arrays import number, text
from ostinato.storage.postgres.batch import Pipeline
from ostinato.storage.postgres.link import PATIENCE, Growth, Link, Purpose
from ostinato.storage.postgres.members import PostgresMembers
from ostinato.storage.postgres.url import address
from ostinato.storage.postgres.wire import Ask, Fault, Lost, Wire

P = ParamSpec("P")
T = TypeVar("T")
Read = Callable[Concatenate[Link, P], Coroutine[Any, Any, T]]

TRIES = 5
"""How often a batch is sent that stood in the way of another."""


class PostgresStorage:
    """One process's way to a database that several share; ``members`` says who has which part.

    ``claims``: "skip-locked", or "recheck" where a database cannot pass over rows that are locked.
    ``patience`` is seconds for which the server may be away before whoever asks is told; ``member``
    an id among the members, else one is made by chance.
    """

    def __init__(
        self,
        url: str,
        *,
        claims: str = "skip-locked",
        patience: float = PATIENCE,
        member: str | None = None,
    ) -> None:
        self._passing = claims == "skip-locked"
        self.member = member or secrets.token_hex(8)
        self.address = address(url)
        self._era = 0
        self._opened = False
        self._growth = Growth()
        writes = Purpose("writes", on_connect=self._learn)
        self._writer = Link(self.address, writes, patience, self._growth)
        self._reader = Link(self.address, Purpose("reads"), patience, self._growth)
        self._lists = Link(self.address, Purpose("lists", indexed=False), patience)
        watches = Purpose(
            "watches",
            on_connect=self._enter,
            stays=True,
            on_return=lambda wire: self._seat.back(wire),
        )
        self._watch = Link(self.address, watches, patience)
        self._seat = PostgresMembers(self.member, self._watch)
        self.members: Members | None = self._seat

    async def open(self) -> None:
        if self._opened:
            return
        await schema.migrate(self.address, schema.shipped(), patience=self._writer.patience)
        self._lists.expect()
        try:
            for link in (self._watch, self._writer, self._reader):
                await link.open()
            moved.refuse(self.address, await self._watch.rows(Ask(moved.ASK, kept=False)))
        except BaseException:
            self._close()
            raise
        self._opened = True

    async def close(self) -> None:
        if self._opened:
            self._opened = False
            try:
                await self._seat.exit()
            finally:
                self._close()

    def _close(self) -> None:
        for link in (self._watch, self._writer, self._reader, self._lists):
            link.close()

    async def _enter(self, wire: Wire) -> None:
        wire.heard = lambda channel, payload: self._seat.notified(payload)
        me = [text(self.member)]
        await wire.ask(Ask(sql.LISTEN, kept=False), Ask(sql.FORGET_MEMBERS, me))
        _, [(life,)] = await wire.ask(Ask(sql.ENTER, me), Ask(sql.LIFE, me))
        self._seat.enter(life)

    async def _learn(self, wire: Wire) -> None:
        """Which era it is: it may be another server than the last time."""
        me = [text(self.member)]
        await wire.ask(Ask(sql.END_WRITER, me), Ask(sql.WRITES, me))
        _, [(era,)] = await wire.ask(Ask(statements.ONE_AT_A_TIME), Ask(statements.ERA))
        self._era = int(era)

    async def join(self) -> int:
        me = [text(self.member), number(self._seat.life)]
        joined = await self._writer.rows(Ask(sql.JOIN, me))
        if not joined:
            raise Fenced("this process has no partition of the store; others may")
        return int(joined[0][0])

    async def commit(self, batch: Batch) -> None:
        try:
            pipeline = Pipeline(self.member, self._era, batch)
        except faults.BAD_ROW as error:
            raise faults.refused(error) from error
        for tried in range(TRIES):
            try:
                await self._writer.once(pipeline.asks)
                self._growth.written += pipeline.size()
            except Lost as error:
                raise faults.unknown(self.address.place, error) from error
            except Fault as fault:
                if fault.code in faults.AGAIN_FROM_ANEW and tried + 1 < TRIES:
                    continue
                raise self._meaning(pipeline, fault) from fault
            return

    def _meaning(self, pipeline: Pipeline, fault: Fault) -> OstinatoError:
        if fault.code == faults.DIVISION_BY_ZERO and fault.place in pipeline.otherwise:
            return pipeline.otherwise[fault.place]()
        return self._writer.told(fault)

    # how it is read

    async def _read(self, read: Read[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await read(self._reader, *args, **kwargs)
        except faults.BAD_ROW as error:
            raise UsageError(f"no store holds such a value: {error}") from error

    async def _list(self, read: Read[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await read(self._lists, *args, **kwargs)
        except faults.BAD_ROW as error:
            raise UsageError(f"no store holds such a value: {error}") from error

    # what the engine reads

    async def history(self, run_id: str, after: int = -1, limit: int | None = None) -> list[Record]:
        return await self._read(reads.history, run_id, after, limit)

    async def head(self, run_id: str) -> Head | None:
        return await self._read(reads.head, run_id)

    async def busy_runs(self, partitions: Partitions | None = None) -> list[str]:
        return await self._read(reads.busy_runs, partitions)

    async def open_runs(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        return await self._read(reads.open_runs, pairs)

    async def due_timers(
        self,
        now: int,
        limit: int,
        workflow: str | None = None,
        partitions: Partitions | None = None,
    ) -> list[Timer]:
        return await self._read(reads.due_timers, now, limit, workflow, partitions)

    async def next_timer(self, partitions: Partitions | None = None) -> int | None:
        return await self._read(reads.next_timer, partitions)

    async def schedules(self, ids: Sequence[str] | None = None) -> list[Schedule]:
        return await self._read(reads.schedules, ids)

    async def due_schedules(self, now: int, limit: int) -> list[Schedule]:
        return await self._read(reads.due_schedules, now, limit)

    async def next_schedule(self) -> int | None:
        return await self._read(reads.next_schedule)

    async def find_waits(
        self, type: str, values_keys: Sequence[str], event: tuple[str, str] | None
    ) -> list[Wait]:
        return await self._read(reads.find_waits, type, values_keys, event)

    async def early_events(
        self, type: str, values_key: str, since: int, run_id: str
    ) -> list[Event]:
        return await self._read(reads.early_events, type, values_key, since, run_id)

    async def missed(self) -> list[tuple[Wait, Event]]:
        return await self._list(reads.missed)

    async def known_events(
        self, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], StoredEvent]:
        return await self._read(reads.known_events, pairs)

    async def reply(self, scope: str, key: str, now: int) -> Reply | None:
        return await self._read(reads.reply, scope, key, now)

    async def deployed(self) -> int:
        return await self._read(reads.deployed)

    async def places(self) -> list[Place]:
        return await self._read(reads.places)

    async def turns(self) -> list[Turn]:
        return await self._read(reads.turns)

    async def buckets(self) -> dict[str, int]:
        return await self._read(reads.buckets)

    async def mail(self, partitions: Partitions | None = None) -> list[Mail]:
        return await self._read(reads.mail, partitions)

    async def outbox(
        self,
        limit: int,
        size: int = ANY,
        partitions: Partitions | None = None,
        bus: str = "",
        besides: Sequence[int] = (),
    ) -> list[Outgoing]:
        return await self._read(reads.outbox, limit, size, partitions, bus, besides)

    async def backlog(self) -> dict[str, int]:
        return await self._read(reads.backlog)

    async def versions(self) -> list[Version]:
        return await self._read(reads.versions)

    # jobs that are offered to workers elsewhere

    async def claim_jobs(self, claim: Claim) -> list[JobRow]:
        return await self._apart(jobs.claim(self._writer, claim, passing=self._passing))

    async def extend_job(self, job_id: str, token: str, lease: int, now: int) -> JobRow | None:
        return await self._apart(jobs.extend(self._writer, job_id, token, lease, now))

    async def _apart(self, work: Coroutine[Any, Any, T]) -> T:
        """A transaction of its own, beside the batches."""
        try:
            return await work
        except Lost as error:
            raise faults.unknown(self.address.place, error) from error
        except Fault as fault:
            raise self._writer.told(fault) from fault

    async def job(self, job_id: str) -> JobRow | None:
        return await self._read(jobs.job, job_id)

    async def due_leases(self, now: int, limit: int) -> list[JobRow]:
        return await self._read(jobs.due_leases, now, limit)

    async def next_lease(self) -> int | None:
        return await self._read(jobs.next_lease)

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
        return await self._read(reads.dead_letter, letter_id)

    async def tasks(self, query: TaskQuery, page: Page) -> list[TaskRow]:
        return await self._list(lists.tasks, query, page)

    async def count_tasks(self, query: TaskQuery) -> int:
        return await self._list(lists.count_tasks, query)

    async def task(self, task_id: str) -> TaskRow | None:
        return await self._read(reads.task, task_id)

    # repairs of many runs

    async def operation(self, operation_id: str) -> Operation | None:
        return await self._read(reads.operation, operation_id)

    async def operations(self, page: Page) -> list[Operation]:
        return await self._list(reads.operations, page)

    async def running_operations(self) -> list[Operation]:
        return await self._read(reads.running_operations)

    async def operation_runs(self, operation_id: str, after: str, limit: int) -> list[str]:
        return await self._list(reads.operation_runs, operation_id, after, limit)

    async def operation_run(self, operation_id: str, run_id: str) -> str | None:
        return await self._read(reads.operation_run, operation_id, run_id)

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
        return await self._list(reads.over_runs, workflow, status, before, limit, partitions)

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
