"""What outlives a close: plain tables, changed by a whole batch that was checked before."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from msgspec import structs

from ostinato.core.cloudevents import Event
from ostinato.core.schedules import Schedule
from ostinato.ports import (
    Batch,
    DeadLetter,
    Head,
    Line,
    Mail,
    Operation,
    Outgoing,
    Owner,
    Place,
    Record,
    Removal,
    Reply,
    Settled,
    StoredEvent,
    TaskEnd,
    TaskRow,
    Turn,
    Version,
    Wait,
)
from ostinato.storage.memory.jobs import Jobs
from ostinato.storage.memory.values import Holes, Values

Due = tuple[int, str, str, str]  # due_at first, so that a sorted list is the order of firing
WaitKey = tuple[str, str, str]
Pair = tuple[str, str]

MANY = 2**62
"""More events than there are."""

ASKED = ("name", "assignee", "due_at", "asked")
ANSWERED = ("status", "ended_at", "by", "outcome", "answer")
"""What may change in a task that is pending, and what its end changes."""


class Disk:
    """Two stores over one disk are two processes over one file: only one may own it.

    ``waits_after``, ``came_after`` and ``began_after`` are the last event before the batch that
    brought a wait, an event (by its number), or a run.
    """

    def __init__(self) -> None:
        self.owner: object | None = None
        self.epoch = 0
        self.deployed = 0
        self.records: dict[str, dict[int, Record]] = {}
        self.heads: dict[str, Head] = {}
        self.open_uids: dict[tuple[str, str], str] = {}
        self.waits: dict[WaitKey, Wait] = {}
        self.waits_after: dict[WaitKey, int] = {}
        self.waiting: dict[tuple[str, str], dict[WaitKey, None]] = defaultdict(dict)
        self.due_at: dict[tuple[str, str, str], int] = {}
        self.due: list[Due] = []
        self.events: dict[int, StoredEvent] = {}
        self.last_event = 0
        self.came_after: dict[int, int] = {}
        self.began_after: dict[str, int] = {}
        self.known: dict[Pair, int] = {}
        self.findable: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.values = Values()
        self.replies: dict[tuple[str, str], tuple[Reply, Holes]] = {}
        self.outbox: dict[int, Outgoing] = {}
        self.sent_up_to = 0
        self.versions: dict[tuple[str, int], Version] = {}
        self.dead_letters: dict[str, DeadLetter] = {}
        self.turns: dict[Owner, Turn] = {}
        self.places: dict[tuple[str, int], Place] = {}
        self.buckets: dict[str, int] = {}
        self.mail: dict[Line, Mail] = {}
        self.tasks: dict[str, TaskRow] = {}
        self.jobs = Jobs(self.values)
        self.schedules: dict[str, Schedule] = {}
        self.schedules_due: list[tuple[int, str]] = []
        self.operations: dict[str, Operation] = {}
        self.operation_runs: dict[str, dict[str, Settled | None]] = defaultdict(dict)

    def keep(self, batch: Batch) -> None:
        after = self.last_event
        for event in batch.events:
            self._add_event(event, batch.inline, after)
        for reply in batch.replies:
            self._put_reply(reply, batch.inline)
        for record in batch.records:
            kept = self.values.cut_record(record, batch.inline)
            self.records.setdefault(record.run_id, {})[record.seq] = kept
        for head in changed_heads(self, batch):
            self.began_after.setdefault(head.run_id, after)
            self._put_head(head)
        self._change_waits(batch, after)
        for timer, due_at in batch.timers.items():
            self._move_timer(timer, due_at)
        self._send(batch)
        self._deploy(batch)
        self._limit(batch)
        for task in batch.tasks:
            self._change_task(task, batch.inline)
        for job in batch.jobs:
            self.jobs.change(job, batch.inline)
        for letter in batch.dead_letters:
            self._put_letter(letter, batch.inline)
        for name in batch.dropped_schedules:
            self._drop_schedule(name)
        for schedule in batch.schedules:
            self._put_schedule(schedule)
        for letter in batch.redriven:
            self.dead_letters[letter.id] = _redriven(self.dead_letters[letter.id], letter)
        self._operate(batch)
        self._post(batch)
        if batch.removal is not None:
            self._remove(batch.removal)

    def missed(self, *, by_order: bool) -> list[tuple[int, Wait, Event]]:
        return [
            (number, wait, self.values.event(self.events[number].event))
            for key, wait in self.waits.items()
            for number in self.findable.get((wait.type, wait.values_key), ())
            if number > self.waits_after[key]
            or (
                wait.since is not None
                and self.events[number].received_at >= wait.since
                and not (by_order and self._was_before(wait.run_id, number))
            )
        ]

    def open_waits(self, type: str, values_keys: Iterable[str], pair: Pair | None) -> list[Wait]:
        """Without those that were opened after this event had come."""
        keys = [key for name in values_keys for key in self.waiting.get((type, name), ())]
        number = self.known.get(pair, MANY) if pair is not None else MANY
        return [self.waits[key] for key in sorted(keys) if self.waits_after[key] < number]

    def early(self, type: str, values_key: str, run_id: str | None) -> list[StoredEvent]:
        """In the order in which they came; only what did not come before this run."""
        numbers = self.findable.get((type, values_key), ())
        return [
            self.events[number]
            for number in numbers
            if run_id is None or not self._was_before(run_id, number)
        ]

    def _was_before(self, run_id: str, number: int) -> bool:
        """Before the event that started the run, or else the run itself.

        Another event that has its name by now came later than the run.
        """
        head = self.heads.get(run_id)
        began = self.began_after.get(run_id, 0)
        if head is not None and head.event_source is not None and head.event_id is not None:
            trigger = self.known.get((head.event_source, head.event_id), 0)
            began = min(began, self.came_after.get(trigger, began))
        return number <= began

    def _put_reply(self, reply: Reply, inline: int) -> None:
        self.values.disown(("reply", reply.scope, reply.key))
        self.replies[reply.scope, reply.key] = self.values.cut_reply(reply, inline)

    def _put_letter(self, letter: DeadLetter, inline: int) -> None:
        if letter.event is not None:
            event = self.values.cut_event(("letter", letter.id), letter.event, inline)
            letter = replace(letter, event=event)
        self.dead_letters[letter.id] = letter

    def _add_event(self, stored: StoredEvent, inline: int, after: int) -> None:
        number = self.last_event = self.last_event + 1
        self.came_after[number] = after
        event = self.values.cut_event(("event", number), stored.event, inline)
        self.events[number] = replace(stored, event=event)
        self.known[stored.event.source, stored.event.id] = number
        for values_key in dict.fromkeys(stored.values_keys):
            self.findable[stored.event.type, values_key].append(number)

    def _put_head(self, head: Head) -> None:
        self.heads[head.run_id] = head
        if head.uid is None:
            return
        held = (head.workflow, head.uid)
        if head.ended_at is None:
            if not head.in_line:
                self.open_uids[held] = head.run_id
        elif self.open_uids.get(held) == head.run_id:
            del self.open_uids[held]

    def _change_waits(self, batch: Batch, after: int) -> None:
        for wait in batch.waits:
            key = (wait.run_id, wait.key, wait.type)
            self._drop_wait(key)
            self.waits[key] = wait
            self.waits_after[key] = after
            self.waiting[wait.type, wait.values_key][key] = None
        closed = set(batch.closed_waits)
        for key in [key for key in self.waits if key[:2] in closed] if closed else ():
            self._drop_wait(key)

    def _drop_wait(self, key: WaitKey) -> None:
        wait = self.waits.pop(key, None)
        if wait is not None:
            del self.waits_after[key]
            del self.waiting[wait.type, wait.values_key][key]

    def _move_timer(self, timer: tuple[str, str, str], due_at: int | None) -> None:
        before = self.due_at.pop(timer, None)
        if before is not None:
            del self.due[bisect_left(self.due, (before, *timer))]
        if due_at is not None:
            self.due_at[timer] = due_at
            insort(self.due, (due_at, *timer))

    def _drop_schedule(self, name: str) -> None:
        before = self.schedules.pop(name, None)
        if before is not None and before.due_at is not None:
            del self.schedules_due[bisect_left(self.schedules_due, (before.due_at, name))]

    def _put_schedule(self, schedule: Schedule) -> None:
        self._drop_schedule(schedule.id)
        self.schedules[schedule.id] = schedule
        if schedule.due_at is not None:
            insort(self.schedules_due, (schedule.due_at, schedule.id))

    def _send(self, batch: Batch) -> None:
        for number in batch.sent:
            self.outbox.pop(number, None)
            self.values.disown(("out", number))
        for outgoing in batch.outgoing:
            number = self.sent_up_to = self.sent_up_to + 1
            event = self.values.cut_event(("out", number), outgoing.event, batch.inline)
            self.outbox[number] = replace(outgoing, event=event, number=number)

    def _change_task(self, change: TaskRow | TaskEnd, inline: int) -> None:
        kept = self.tasks.get(change.id)
        if kept is None:
            if isinstance(change, TaskRow):
                self.tasks[change.id] = self.values.cut_task(change, inline)
        elif kept.status == "pending":
            names = ASKED if isinstance(change, TaskRow) else ANSWERED
            members = {name: getattr(change, name) for name in names}
            whole = structs.replace(self.values.task(kept), **members)
            self.tasks[change.id] = self.values.cut_task(whole, inline)

    def _limit(self, batch: Batch) -> None:
        freed = set(batch.freed)
        for owner in freed:
            self.turns.pop(owner, None)
        if freed:
            kept = self.places.items()
            self.places = {at: one for at, one in kept if (one.run_id, one.key) not in freed}
        for owner, turn in batch.turns.items():
            self.turns.pop(owner, None)  # one that waits again stands at the end
            self.turns[owner] = turn
        for owner in batch.served:
            self.turns.pop(owner, None)
        self.places.update(((place.name, place.n), place) for place in batch.places)
        for name, full_at in batch.buckets.items():
            if full_at is None:
                self.buckets.pop(name, None)
            else:
                self.buckets[name] = full_at

    def _operate(self, batch: Batch) -> None:
        self.operations.update((operation.id, operation) for operation in batch.operations)
        for operation_id, run_id in batch.matched:
            self.operation_runs[operation_id].setdefault(run_id, None)
        for settled in batch.settled:
            self.operation_runs[settled.operation][settled.run_id] = settled

    def _post(self, batch: Batch) -> None:
        for line, mail in batch.mail.items():
            self.mail.pop(line, None)  # what is said again stands at the end
            if mail is not None:
                self.mail[line] = mail

    def _deploy(self, batch: Batch) -> None:
        self.deployed += bool(batch.versions or batch.retired)
        for key, version in self.versions.items():
            if key in batch.retired:
                self.versions[key] = replace(version, retired=True)
        for version in batch.versions:
            key = (version.workflow, version.version)
            kept = self.versions.get(key, version)
            self.versions[key] = replace(kept, retired=False)

    def _remove(self, removal: Removal) -> None:
        for run_id in removal.runs:
            self._remove_run(run_id, removal.ended_before)
        for pair in removal.events:
            self._remove_event(pair)
        for letter_id in removal.dead_letters:
            self.dead_letters.pop(letter_id, None)
            self.values.disown(("letter", letter_id))
        for key in removal.replies:
            if key in self.replies and self.replies[key][0].expires_at <= removal.at:
                del self.replies[key]
                self.values.disown(("reply", *key))
        for operation_id in removal.operations:
            self._remove_operation(operation_id, removal.rows)

    def _remove_operation(self, operation_id: str, most: int) -> None:
        operation = self.operations.get(operation_id)
        if operation is None or operation.status == "running":
            return
        runs = self.operation_runs[operation_id]
        for run_id in sorted(runs)[:most]:
            del runs[run_id]
        if not runs:
            del self.operations[operation_id], self.operation_runs[operation_id]

    def _remove_run(self, run_id: str, before: int) -> None:
        head = self.heads.get(run_id)
        if head is None or head.ended_at is None or head.ended_at >= before:
            return
        del self.heads[run_id], self.began_after[run_id]
        self.records.pop(run_id, None)
        self.values.disown(("run", run_id))
        for wait in [key for key in self.waits if key[0] == run_id]:
            self._drop_wait(wait)
        for timer in [key for key in self.due_at if key[0] == run_id]:
            self._move_timer(timer, None)
        for task in [task for task in self.tasks.values() if task.run_id == run_id]:
            del self.tasks[task.id]
        self.jobs.remove_run(run_id)

    def _remove_event(self, pair: Pair) -> None:
        number = self.known.get(pair, self.last_event)
        if number == self.last_event:
            return
        del self.known[pair]
        stored = self.events.pop(number)
        del self.came_after[number]
        self.values.disown(("event", number))
        for values_key in dict.fromkeys(stored.values_keys):
            self.findable[stored.event.type, values_key].remove(number)


def changed_heads(disk: Disk, batch: Batch) -> list[Head]:
    """As they will be, those that end first: their ``uid`` is free for those that open."""
    heads = {head.run_id: head for head in batch.new_heads}
    for run_id, head in batch.heads.items():
        first = heads.get(run_id) or disk.heads[run_id]
        heads[run_id] = _with_what_changes(first, head)
    return sorted(heads.values(), key=lambda head: head.ended_at is None)


def _with_what_changes(first: Head, head: Head) -> Head:
    return structs.replace(
        head,
        workflow=first.workflow,
        uid=first.uid,
        started_at=first.started_at,
        event_source=first.event_source,
        event_id=first.event_id,
    )


def _redriven(kept: DeadLetter, letter: DeadLetter) -> DeadLetter:
    return replace(
        kept,
        reasons=letter.reasons,
        attempts=letter.attempts,
        redriven_at=letter.redriven_at,
        redriven_by=letter.redriven_by,
        redriven_run=letter.redriven_run,
    )
