"""Large values apart from the rows that hold them, as the durable stores keep them.

A row that holds some is of a type of its own, with ``holes``; reading makes the plain one of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

from msgspec import Raw, structs

from ostinato.core.cloudevents import Event
from ostinato.ports import DeadLetter, JobRow, Outgoing, Record, Reply, StoredEvent, TaskRow
from ostinato.storage.values import RECORD, Cut, Hole, cut, joined

Holes = Sequence[Hole]


class CutRecord(Record, frozen=True, gc=False):
    holes: Holes = ()


class CutEvent(Event, frozen=True, gc=False):
    holes: Holes = ()


class CutTask(TaskRow, frozen=True, gc=False):
    asked_holes: Holes = ()
    answer_holes: Holes = ()


class CutJob(JobRow, frozen=True, gc=False):
    holes: Holes = ()


class Values:
    """Each value once, and who uses it. It goes with the last who does."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self._uses: dict[Hashable, set[bytes]] = {}
        self._users: Counter[bytes] = Counter()

    # writing

    def cut_record(self, record: Record, inline: int) -> Record:
        found = self._keep(("run", record.run_id), record.data, inline, RECORD)
        if found is None:
            return record
        whole = structs.asdict(record) | {"data": found.rest}
        return CutRecord(**whole, holes=found.holes)

    def cut_event(self, owner: Hashable, event: Event, inline: int) -> Event:
        found = self._keep(owner, bytes(event.data), inline)
        if found is None:
            return event
        whole = structs.asdict(event) | {"data": Raw(found.rest)}
        return CutEvent(**whole, holes=found.holes)

    def cut_reply(self, reply: Reply, inline: int) -> tuple[Reply, Holes]:
        found = self._keep(("reply", reply.scope, reply.key), reply.answer, inline)
        return (reply, ()) if found is None else (replace(reply, answer=found.rest), found.holes)

    def cut_task(self, task: TaskRow, inline: int) -> TaskRow:
        cut_apart: dict[str, Any] = {}
        for name, data in (("asked", task.asked), ("answer", task.answer)):
            found = None if data is None else self._keep(("run", task.run_id), data, inline)
            if found is not None:
                cut_apart |= {name: found.rest, f"{name}_holes": found.holes}
        return CutTask(**structs.asdict(task) | cut_apart) if cut_apart else task

    def cut_job(self, job: JobRow, inline: int) -> JobRow:
        found = self._keep(("run", job.run_id), job.brief, inline)
        if found is None:
            return job
        return CutJob(**structs.asdict(job) | {"brief": found.rest}, holes=found.holes)

    def disown(self, owner: Hashable) -> None:
        """The row goes away, or has gone."""
        for digest in self._uses.pop(owner, ()):
            self._users[digest] -= 1
            if not self._users[digest]:
                del self._users[digest]
                del self.data[digest]

    def _keep(self, owner: Hashable, data: bytes, inline: int, levels: int = 0) -> Cut | None:
        found = cut(data, inline, levels)
        if found is None:
            return None
        used = self._uses.setdefault(owner, set())
        self._users.update(found.values.keys() - used)
        used.update(found.values)
        self.data |= found.values
        return found

    # reading

    def record(self, record: Record) -> Record:
        if not isinstance(record, CutRecord):
            return record
        data = self._whole(record.data, record.holes)
        return Record(record.run_id, record.seq, record.at, record.version, data)

    def event(self, event: Event) -> Event:
        if not isinstance(event, CutEvent):
            return event
        members = structs.asdict(event) | {"data": Raw(self._whole(bytes(event.data), event.holes))}
        del members["holes"]
        return Event(**members)

    def stored(self, stored: StoredEvent) -> StoredEvent:
        event = self.event(stored.event)
        return stored if event is stored.event else replace(stored, event=event)

    def outgoing(self, outgoing: Outgoing) -> Outgoing:
        event = self.event(outgoing.event)
        return outgoing if event is outgoing.event else replace(outgoing, event=event)

    def letter(self, letter: DeadLetter) -> DeadLetter:
        event = None if letter.event is None else self.event(letter.event)
        return letter if event is letter.event else replace(letter, event=event)

    def task(self, task: TaskRow) -> TaskRow:
        if not isinstance(task, CutTask):
            return task
        members = structs.asdict(task)
        holes = {name: members.pop(f"{name}_holes") for name in ("asked", "answer")}
        whole = {name: self._whole(members[name], at) for name, at in holes.items() if at}
        return TaskRow(**members | whole)

    def job(self, job: JobRow) -> JobRow:
        if not isinstance(job, CutJob):
            return job
        members = structs.asdict(job)
        whole = self._whole(job.brief, members.pop("holes"))
        return JobRow(**members | {"brief": whole})

    def reply(self, reply: Reply, holes: Holes) -> Reply:
        return replace(reply, answer=self._whole(reply.answer, holes)) if holes else reply

    def _whole(self, rest: bytes, holes: Holes) -> bytes:
        return joined(rest, holes, self.data.get)
