"""The durable store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ostinato.core.cloudevents import Event
from ostinato.core.schedules import Schedule
from ostinato.ports.choosing import RunQuery
from ostinato.ports.jobs import Claim, JobCount, JobQuery, JobRow
from ostinato.ports.members import Members, Partitions
from ostinato.ports.operations import Operation, Tally
from ostinato.ports.queries import (
    EventQuery,
    LetterQuery,
    Page,
    RunGroup,
    TaskQuery,
)
from ostinato.ports.rows import (
    AgedEvent,
    Batch,
    DeadLetter,
    Head,
    Mail,
    Outgoing,
    Place,
    Record,
    Reply,
    StoredEvent,
    TaskRow,
    Timer,
    Turn,
    Version,
    Wait,
)

ANY = 2**62
"""More bytes than there are."""


class Storage(Protocol):
    """A durable store. Times are ms since epoch, by the caller's clock.

    Where events are read, one that cannot be is a ``DamagedEvent``: it stops none of the others.

    Errors: ``StoreLocked`` (another process owns it), ``Fenced`` (stale epoch), ``Refused``
    (the data will never be taken), ``Overtaken`` (that, because another process was first),
    ``Outdated`` (that, because workflows were deployed since),
    ``UnknownCommit`` (it may or may not be kept), ``StoreError`` (anything else; nothing was
    kept). Each says how to mend it.
    """

    members: Members | None
    """None: one process owns it from ``open`` to ``close``, and others find it locked.

    Where several share it, reads that take ``partitions`` are about the runs in these; None: all.
    """

    async def open(self) -> None:
        """Take ownership and bring the tables up to date; safe to repeat."""

    async def close(self) -> None: ...

    async def join(self) -> int:
        """A new epoch for this process. Every older one is stale from now on.

        Raises ``Fenced`` when the store is shared and this process has no partition.
        """

    async def commit(self, batch: Batch) -> None: ...

    # what the engine reads

    async def history(self, run_id: str, after: int = -1, limit: int | None = None) -> list[Record]:
        """From the record on that holds the fact after number ``after``, in order."""

    async def head(self, run_id: str) -> Head | None: ...

    async def busy_runs(self, partitions: Partitions | None = None) -> list[str]:
        """Runs whose work was in some process's hands."""

    async def open_runs(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """(workflow, uid) → the run that is open under it, and not in line."""

    async def due_timers(
        self,
        now: int,
        limit: int,
        workflow: str | None = None,
        partitions: Partitions | None = None,
    ) -> list[Timer]:
        """Timers due by ``now``, oldest first; those of runs of one workflow."""

    async def next_timer(self, partitions: Partitions | None = None) -> int | None: ...

    async def schedules(self, ids: Sequence[str] | None = None) -> list[Schedule]:
        """By id; all of them without ``ids``."""

    async def due_schedules(self, now: int, limit: int) -> list[Schedule]:
        """Schedules due by ``now``, oldest first."""

    async def next_schedule(self) -> int | None:
        """When the next one is due."""

    async def find_waits(
        self, type: str, values_keys: Sequence[str], event: tuple[str, str] | None
    ) -> list[Wait]:
        """Open waits with one of these keys.

        Those are not among them that were opened when ``event`` (source, id) was stored already:
        they look back by a rule of their own.
        """

    async def early_events(
        self, type: str, values_key: str, since: int, run_id: str
    ) -> list[Event]:
        """Accepted events that a wait of this run with this key may look back to, oldest first.

        ``since`` is by the clock of one process, and an event's time by that of another. So where
        several share the store it knows the order as well: what came before the event that started
        the run is not among them, nor, without one, what came before the run.
        """

    async def missed(self) -> list[tuple[Wait, Event]]:
        """Open waits, and the events they should have found: after a crash between the two.

        Oldest event first, and none that the run may not look back to. The store does not know
        what a run has had already.
        """

    async def known_events(
        self, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], StoredEvent]:
        """(source, id) → what was accepted under it."""

    async def reply(self, scope: str, key: str, now: int) -> Reply | None: ...

    async def outbox(
        self,
        limit: int,
        size: int = ANY,
        partitions: Partitions | None = None,
        bus: str = "",
        besides: Sequence[int] = (),
    ) -> list[Outgoing]:
        """What is to be sent to one bus, in the order of commits, ``besides`` these numbers: about
        ``size`` bytes at most, but one."""

    async def backlog(self) -> dict[str, int]:
        """How many events wait for each bus, by its name; for people who ask, not for engines."""

    async def versions(self) -> list[Version]:
        """Every version, retired ones too: their runs go on, and numbers are given once."""

    async def deployed(self) -> int:
        """How often versions were stored or retired. On a store of one process: 0, always."""

    async def places(self) -> list[Place]: ...

    async def turns(self) -> list[Turn]:
        """In the order in which they were stored."""

    async def buckets(self) -> dict[str, int]: ...

    async def mail(self, partitions: Partitions | None = None) -> list[Mail]:
        """What was said and nobody has taken, in the order in which it was said."""

    # jobs that are offered to workers elsewhere

    async def claim_jobs(self, claim: Claim) -> list[JobRow]:
        """Jobs that nobody has, as they are from now on. Durable when this returns.

        Not part of any batch, and whoever asks may do so for others: nothing is fenced here. What
        was claimed and never heard of (``UnknownCommit``) is free when its lease is over.
        """

    async def extend_job(self, job_id: str, token: str, lease: int, now: int) -> JobRow | None:
        """Hold it until ``lease`` ms from now, but not beyond its own time; None: whoever asks
        does not hold it, or there is no such row any more."""

    async def job(self, job_id: str) -> JobRow | None: ...

    async def due_leases(self, now: int, limit: int) -> list[JobRow]:
        """Jobs whose lease is over by ``now``, the oldest first."""

    async def next_lease(self) -> int | None:
        """When the next one is over."""

    async def jobs(self, query: JobQuery, page: Page) -> list[JobRow]:
        """Newest first; the cursor is a job's id."""

    async def job_counts(self) -> list[JobCount]:
        """All that there are, by topic and worker."""

    # what lists and pages read

    async def runs(self, query: RunQuery, page: Page) -> list[Head]:
        """Newest first, which is by id: run ids are time-ordered."""

    async def count_runs(self, query: RunQuery) -> int: ...

    async def run_groups(self, query: RunQuery, limit: int) -> list[RunGroup]:
        """The runs by workflow, status, what they wait for and error; the largest group first.

        Errors are one whose messages are ``alike``. Every run of a group is counted.
        ``started_at`` is that of the oldest, ``ended_at`` that of the last that ended.
        """

    async def events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        """Newest first; the cursor is ``received_at/source/id``."""

    async def count_events(self, query: EventQuery) -> int: ...

    async def events_by_id(self, event_id: str) -> list[StoredEvent]:
        """Every accepted event with this id, from whatever source."""

    async def dead_letters(self, query: LetterQuery, page: Page) -> list[DeadLetter]:
        """Newest first, or oldest; the cursor is ``at/id``."""

    async def count_dead_letters(self, query: LetterQuery) -> int: ...

    async def dead_letter(self, letter_id: str) -> DeadLetter | None: ...

    async def tasks(self, query: TaskQuery, page: Page) -> list[TaskRow]:
        """Newest first; the cursor is ``opened_at/id``."""

    async def count_tasks(self, query: TaskQuery) -> int: ...

    async def task(self, task_id: str) -> TaskRow | None: ...

    # repairs of many runs

    async def operation(self, operation_id: str) -> Operation | None: ...

    async def operations(self, page: Page) -> list[Operation]:
        """Newest first, which is by id; the cursor is an id. Previews are none yet."""

    async def running_operations(self) -> list[Operation]: ...

    async def operation_runs(self, operation_id: str, after: str, limit: int) -> list[str]:
        """Its runs that are not dealt with yet, by id, from the one behind ``after``."""

    async def operation_run(self, operation_id: str, run_id: str) -> str | None:
        """What came of this run; None when the operation is not about it."""

    async def operation_tally(self, operation_id: str) -> list[Tally]:
        """Its runs by outcome and reason, the largest number first."""

    async def aged_operations(self, now: int, before: int | None, limit: int) -> list[str]:
        """Previews that have expired by ``now``, and operations that were over ``before`` then."""

    # what the janitor reads; everything in small lots, oldest first

    async def over_runs(
        self,
        workflow: str,
        status: str,
        before: int,
        limit: int,
        partitions: Partitions | None = None,
    ) -> list[str]:
        """Runs of this workflow that ended before then, with this status."""

    async def oldest_open(self) -> dict[str, int]:
        """Workflow → when the oldest of its open runs started."""

    async def aged_events(self, after: int, limit: int) -> list[AgedEvent]:
        """Events in the order they came, from the one behind place ``after``; not the newest."""

    async def aged_letters(self, before: int, limit: int) -> list[str]: ...

    async def expired_replies(self, now: int, limit: int) -> list[tuple[str, str]]: ...

    async def unswept(self) -> bool:
        """Whether records of removed runs, or values that nobody uses, are still to be deleted."""
