"""When a commit may hold up the loop: a hop to a thread costs about 0.1 ms, a quick disk less."""

from __future__ import annotations

from operator import attrgetter

from ostinato.ports import Batch, DeadLetter, JobChange, JobRow, Mail, Removal, TaskEnd, TaskRow

_FEW_ROWS = 64
_FEW_BYTES = 256 * 1024
_QUICK_SECONDS = 0.001
_WEIGHT = 0.05


class Pace:
    def __init__(self) -> None:
        self.seconds = 0.0  # a moving average over small batches

    def allows_inline(self, batch: Batch) -> bool:
        return self.seconds < _QUICK_SECONDS and is_small(batch)

    def learn(self, batch: Batch, seconds: float) -> None:
        """One slow commit (a checkpoint) is no slow disk, so it counts only up to a bound."""
        if is_small(batch):
            self.seconds += _WEIGHT * (min(seconds, 4 * _QUICK_SECONDS) - self.seconds)


def is_small(batch: Batch) -> bool:
    return _rows(batch) < _FEW_ROWS and _bytes(batch) < _FEW_BYTES


_listed = attrgetter(
    "records", "new_heads", "heads", "events", "timers", "waits", "closed_waits", "outgoing",
    "sent", "replies", "versions", "retired", "dead_letters", "freed", "turns", "served", "places",
    "buckets", "schedules", "dropped_schedules", "redriven", "operations", "matched", "settled",
    "mail", "tasks", "jobs",
)  # fmt: skip


def _rows(batch: Batch) -> int:
    """As fast as C counts: each commit asks twice."""
    removed = 0 if batch.removal is None else _removed(batch.removal)
    return sum(map(len, _listed(batch))) + removed


def _removed(removal: Removal) -> int:
    named = len(removal.events) + len(removal.dead_letters) + len(removal.replies)
    return named + len(removal.runs) + len(removal.operations) + removal.rows


def _bytes(batch: Batch) -> int:
    return (
        sum(len(record.data) for record in batch.records)
        + sum(len(stored.event.data) for stored in batch.events)
        + sum(len(version.document) for version in batch.versions)
        + (sum(len(one.event.data) for one in batch.outgoing) if batch.outgoing else 0)
        + (sum(len(one.answer) for one in batch.replies) if batch.replies else 0)
        + (sum(map(_letter, batch.dead_letters)) if batch.dead_letters else 0)
        + (sum(map(_mail, batch.mail.values())) if batch.mail else 0)
        + (sum(map(_task, batch.tasks)) if batch.tasks else 0)
        + (sum(map(_job, batch.jobs)) if batch.jobs else 0)
    )


def _letter(letter: DeadLetter) -> int:
    return 0 if letter.event is None else len(letter.event.data)


def _mail(mail: Mail | None) -> int:
    return 0 if mail is None else len(mail.body)


def _job(job: JobChange) -> int:
    return len(job.brief) if isinstance(job, JobRow) else 0


def _task(task: TaskRow | TaskEnd) -> int:
    asked = len(task.asked) if isinstance(task, TaskRow) else 0
    return asked + len(task.answer or b"")
