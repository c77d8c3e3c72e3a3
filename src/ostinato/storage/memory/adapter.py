"""MemoryStorage: a store without a file, for tests and for work that may be lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Literal

from ostinato.core.cloudevents import Event
from ostinato.core.run_ids import partition_of
from ostinato.core.schedules import Schedule
from ostinato.core.state import OPEN_STATUSES
from ostinato.errors import Fenced, StoreError, StoreLocked, UnknownCommit
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
from ostinato.storage.cursor import place_in
from ostinato.storage.memory import lists
from ostinato.storage.memory.disk import Disk
from ostinato.storage.memory.refusal import check


class MemoryStorage:
    """Keeps everything on ``disk``; open another store over the same one to see it again.

    ``next_commit`` makes the commit that comes next end unknown, kept or lost: for tests.
    """

    members: Members | None = None

    def __init__(self, disk: Disk | None = None) -> None:
        self._kept = disk if disk is not None else Disk()
        self.next_commit: Literal["kept", "lost"] | None = None

    async def open(self) -> None:
        if self._kept.owner not in (None, self):
            raise StoreLocked("another store has this disk open; close that one first")
        self._kept.owner = self

    async def close(self) -> None:
        if self._kept.owner is self:
            self._kept.owner = None

    async def join(self) -> int:
        self._disk.epoch += 1
        return self._disk.epoch

    async def commit(self, batch: Batch) -> None:
        disk = self._disk
        if batch.epoch != self._epoch:
            raise Fenced(f"epoch {batch.epoch} is stale, the store is at {self._epoch}; join again")
        check(disk, batch)
        outcome, self.next_commit = self.next_commit, None
        if outcome != "lost":
            disk.keep(batch)
        if outcome is not None:
            raise UnknownCommit("the store did not say whether it kept the batch; read it again")

    @property
    def _epoch(self) -> int:
        """That of a batch that is taken."""
        return self._kept.epoch

    @property
    def _disk(self) -> Disk:
        if self._kept.owner is not self:
            raise StoreError("the store is not open; call open() first")
        return self._kept

    # what the engine reads

    async def history(self, run_id: str, after: int = -1, limit: int | None = None) -> list[Record]:
        disk = self._disk
        records = disk.records.get(run_id, {})
        first = max((seq for seq in records if seq <= after + 1), default=0)
        found = [records[seq] for seq in sorted(records) if seq >= first][:limit]
        return list(map(disk.values.record, found))

    async def head(self, run_id: str) -> Head | None:
        return self._disk.heads.get(run_id)

    async def busy_runs(self, partitions: Partitions | None = None) -> list[str]:
        busy = (head.run_id for head in self._disk.heads.values() if head.busy)
        return sorted(run_id for run_id in busy if _is_in(partitions, run_id))

    async def open_runs(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        open_uids = self._disk.open_uids
        return {pair: open_uids[pair] for pair in pairs if pair in open_uids}

    async def due_timers(
        self,
        now: int,
        limit: int,
        workflow: str | None = None,
        partitions: Partitions | None = None,
    ) -> list[Timer]:
        heads, due = self._disk.heads, self._disk.due
        if partitions is not None:
            due = [one for one in due if _is_in(partitions, one[1])]
        if workflow is not None:
            due = [one for one in due if one[1] in heads and heads[one[1]].workflow == workflow]
        return [Timer(run, key, kind, at) for at, run, key, kind in due[:limit] if at <= now]

    async def next_timer(self, partitions: Partitions | None = None) -> int | None:
        return next((one[0] for one in self._disk.due if _is_in(partitions, one[1])), None)

    async def schedules(self, ids: Sequence[str] | None = None) -> list[Schedule]:
        kept = self._disk.schedules
        return [kept[name] for name in sorted(kept if ids is None else kept.keys() & set(ids))]

    async def due_schedules(self, now: int, limit: int) -> list[Schedule]:
        disk = self._disk
        return [disk.schedules[name] for at, name in disk.schedules_due[:limit] if at <= now]

    async def next_schedule(self) -> int | None:
        due = self._disk.schedules_due
        return due[0][0] if due else None

    async def find_waits(
        self, type: str, values_keys: Sequence[str], event: tuple[str, str] | None
    ) -> list[Wait]:
        return self._disk.open_waits(type, set(values_keys), event)

    async def early_events(
        self, type: str, values_key: str, since: int, run_id: str
    ) -> list[Event]:
        disk = self._disk
        found = disk.early(type, values_key, run_id if self.members is not None else None)
        found.sort(key=lambda stored: stored.received_at)
        return [disk.values.event(one.event) for one in found if one.received_at >= since]

    async def missed(self) -> list[tuple[Wait, Event]]:
        hits = self._disk.missed(by_order=self.members is not None)
        found = sorted(hits, key=lambda hit: (hit[0], hit[1].run_id, hit[1].key))
        return [(wait, event) for _, wait, event in found]

    async def known_events(
        self, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], StoredEvent]:
        disk = self._disk
        found = {pair: disk.events[disk.known[pair]] for pair in pairs if pair in disk.known}
        return {pair: disk.values.stored(stored) for pair, stored in found.items()}

    async def reply(self, scope: str, key: str, now: int) -> Reply | None:
        disk = self._disk
        found = disk.replies.get((scope, key))
        return disk.values.reply(*found) if found and found[0].expires_at > now else None

    async def outbox(
        self,
        limit: int,
        size: int = ANY,
        partitions: Partitions | None = None,
        bus: str = "",
        besides: Sequence[int] = (),
    ) -> list[Outgoing]:
        disk, found, out = self._disk, list[Outgoing](), frozenset(besides)
        waiting = (
            one
            for one in disk.outbox.values()
            if one.bus == bus and one.number not in out and _is_in(partitions, one.run_id)
        )
        for one in islice(waiting, limit):
            whole = disk.values.outgoing(one)
            size -= len(bytes(whole.event.data))
            if found and size < 0:
                break
            found.append(whole)
        return found

    async def backlog(self) -> dict[str, int]:
        return dict(Counter(one.bus for one in self._disk.outbox.values()))

    async def versions(self) -> list[Version]:
        versions = self._disk.versions
        return [versions[key] for key in sorted(versions)]

    async def deployed(self) -> int:
        return 0 if self.members is None else self._disk.deployed

    async def places(self) -> list[Place]:
        return list(self._disk.places.values())

    async def turns(self) -> list[Turn]:
        return list(self._disk.turns.values())

    async def buckets(self) -> dict[str, int]:
        return dict(self._disk.buckets)

    async def mail(self, partitions: Partitions | None = None) -> list[Mail]:
        said = self._disk.mail.values()
        return [mail for mail in said if partitions is None or mail.place in partitions]

    # jobs that are offered to workers elsewhere

    async def claim_jobs(self, claim: Claim) -> list[JobRow]:
        return self._disk.jobs.claim(claim)

    async def extend_job(self, job_id: str, token: str, lease: int, now: int) -> JobRow | None:
        return self._disk.jobs.extend(job_id, token, lease, now)

    async def job(self, job_id: str) -> JobRow | None:
        return self._disk.jobs.one(job_id)

    async def due_leases(self, now: int, limit: int) -> list[JobRow]:
        return self._disk.jobs.due(now, limit)

    async def next_lease(self) -> int | None:
        return next((row.lease_until for row in self._disk.jobs.leases()), None)

    async def jobs(self, query: JobQuery, page: Page) -> list[JobRow]:
        return self._disk.jobs.page(query, page)

    async def job_counts(self) -> list[JobCount]:
        return self._disk.jobs.counts()

    # what lists and pages read

    async def runs(self, query: RunQuery, page: Page) -> list[Head]:
        cursor = page.cursor or ""
        found = lists.runs(self._disk.heads.values(), query)
        return lists.page_of(found, page, lambda head: head.run_id < cursor)

    async def count_runs(self, query: RunQuery) -> int:
        return len(lists.runs(self._disk.heads.values(), query))

    async def run_groups(self, query: RunQuery, limit: int) -> list[RunGroup]:
        return lists.run_groups(lists.runs(self._disk.heads.values(), query), limit)

    async def events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        cursor = place_in("0/" if page.cursor is None else page.cursor)
        disk = self._disk
        found = lists.events(disk.events.values(), query)
        shown = lists.page_of(found, page, lambda stored: lists.event_place(stored) < cursor)
        return list(map(disk.values.stored, shown))

    async def count_events(self, query: EventQuery) -> int:
        return len(lists.events(self._disk.events.values(), query))

    async def events_by_id(self, event_id: str) -> list[StoredEvent]:
        disk = self._disk
        found = (stored for stored in disk.events.values() if stored.event.id == event_id)
        return [disk.values.stored(one) for one in sorted(found, key=lambda one: one.event.source)]

    async def dead_letters(self, query: LetterQuery, page: Page) -> list[DeadLetter]:
        disk = self._disk
        return list(map(disk.values.letter, lists.page_of_letters(disk.dead_letters, query, page)))

    async def count_dead_letters(self, query: LetterQuery) -> int:
        return len(lists.letters(self._disk.dead_letters.values(), query))

    async def dead_letter(self, letter_id: str) -> DeadLetter | None:
        disk = self._disk
        found = disk.dead_letters.get(letter_id)
        return None if found is None else disk.values.letter(found)

    async def tasks(self, query: TaskQuery, page: Page) -> list[TaskRow]:
        disk = self._disk
        return list(map(disk.values.task, lists.page_of_tasks(disk.tasks, query, page)))

    async def count_tasks(self, query: TaskQuery) -> int:
        return len(lists.tasks(self._disk.tasks.values(), query))

    async def task(self, task_id: str) -> TaskRow | None:
        found = self._disk.tasks.get(task_id)
        return None if found is None else self._disk.values.task(found)

    # repairs of many runs

    async def operation(self, operation_id: str) -> Operation | None:
        return self._disk.operations.get(operation_id)

    async def operations(self, page: Page) -> list[Operation]:
        return lists.operations(self._disk.operations.values(), page)

    async def running_operations(self) -> list[Operation]:
        kept = self._disk.operations
        return [kept[name] for name in sorted(kept) if kept[name].status == "running"]

    async def operation_runs(self, operation_id: str, after: str, limit: int) -> list[str]:
        runs = self._disk.operation_runs.get(operation_id, {})
        return sorted(name for name, one in runs.items() if one is None and name > after)[:limit]

    async def operation_run(self, operation_id: str, run_id: str) -> str | None:
        runs = self._disk.operation_runs.get(operation_id, {})
        if run_id not in runs:
            return None
        return "" if (settled := runs[run_id]) is None else settled.outcome

    async def operation_tally(self, operation_id: str) -> list[Tally]:
        return lists.tally(self._disk.operation_runs.get(operation_id, {}))

    async def aged_operations(self, now: int, before: int | None, limit: int) -> list[str]:
        return lists.aged_operations(self._disk.operations.values(), now, before)[:limit]

    # what the janitor reads

    async def over_runs(
        self,
        workflow: str,
        status: str,
        before: int,
        limit: int,
        partitions: Partitions | None = None,
    ) -> list[str]:
        found = sorted(
            (head.ended_at, head.run_id)
            for head in self._disk.heads.values()
            if (head.workflow, head.status) == (workflow, status)
            and head.ended_at is not None
            and head.ended_at < before
            and _is_in(partitions, head.run_id)
        )
        return [run_id for _, run_id in found[:limit]]

    async def oldest_open(self) -> dict[str, int]:
        oldest = dict[str, int]()
        for head in self._disk.heads.values():
            if head.status in OPEN_STATUSES:
                first = oldest.get(head.workflow, head.started_at)
                oldest[head.workflow] = min(first, head.started_at)
        return oldest

    async def aged_events(self, after: int, limit: int) -> list[AgedEvent]:
        disk = self._disk
        numbers = sorted(number for number in disk.events if after < number < disk.last_event)
        return [_aged(number, disk.events[number]) for number in numbers[:limit]]

    async def aged_letters(self, before: int, limit: int) -> list[str]:
        letters = self._disk.dead_letters.values()
        found = sorted(lists.letter_place(letter) for letter in letters if letter.at < before)
        return [letter_id for _, letter_id in found[:limit]]

    async def expired_replies(self, now: int, limit: int) -> list[tuple[str, str]]:
        replies = self._disk.replies
        found = [key for key, (reply, _) in replies.items() if reply.expires_at <= now]
        return sorted(found, key=lambda key: replies[key][0].expires_at)[:limit]

    async def unswept(self) -> bool:
        return False  # records and values go with their run


def _is_in(partitions: Partitions | None, run_id: str) -> bool:
    return partitions is None or partition_of(run_id) in partitions


def _aged(number: int, stored: StoredEvent) -> AgedEvent:
    event = stored.event
    keyed = bool(stored.values_keys)
    return AgedEvent(number, event.source, event.id, event.type, stored.received_at, keyed)
