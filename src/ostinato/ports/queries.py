"""What lists are asked, and what they tell."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from ostinato.core.fingerprints import fingerprint
from ostinato.ports.operations import RunFilter
from ostinato.ports.rows import Head


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, newest first: at most ``limit`` items after ``cursor`` (an id)."""

    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs; every member that is given narrows the list.

    ``text`` is a part of the id, the uid, the workflow or the error message; ASCII letters fit in
    either case.
    """

    status: tuple[str, ...] = ()
    workflow: str | None = None
    uid: str | None = None
    waiting_for: str | None = None
    failed_since: int | None = None
    text: str | None = None
    id_prefix: str | None = None

    def takes(self, head: Head) -> bool:
        """Whether this run is one of them."""
        return (
            (not self.status or head.status in self.status)
            and (self.workflow is None or head.workflow == self.workflow)
            and (self.uid is None or head.uid == self.uid)
            and (self.waiting_for is None or head.waiting_for == self.waiting_for)
            and (self.failed_since is None or _failed_since(head, self.failed_since))
            and (self.id_prefix is None or head.run_id.startswith(self.id_prefix))
            and (self.text is None or _has_text(head, self.text))
        )


def _failed_since(head: Head, since: int) -> bool:
    return head.status == "failed" and head.ended_at is not None and head.ended_at >= since


def _has_text(head: Head, text: str) -> bool:
    parts = (head.run_id, head.uid, head.workflow, head.error_message)
    return any(lower(text) in lower(part) for part in parts if part is not None)


def lower(text: str) -> bytes:
    """Only ASCII has two cases, as in SQL's LIKE."""
    return text.encode(errors="surrogatepass").lower()


def query_of(where: RunFilter) -> RunQuery:
    """What a store is asked; it knows no fingerprints."""
    return RunQuery(
        where.status,
        where.workflow,
        where.uid,
        where.waiting_for,
        where.failed_since,
        where.text,
        where.id_prefix,
    )


def is_alike(where: RunFilter, head: Head) -> bool:
    """Whether it failed for the reason that is looked for."""
    if where.fingerprint is None:
        return True
    mark = fingerprint(head.workflow, head.error_name or "", head.error_message or "")
    return head.error_name is not None and mark == where.fingerprint


class RunGroup(Struct, frozen=True, gc=False):
    """Runs that are in the same state for the same reason. ``oldest`` is the id of one of them."""

    workflow: str
    status: str
    waiting_for: str | None
    error_name: str | None
    error_message: str | None
    count: int
    oldest: str
    newest: str
    started_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class EventQuery:
    type: str | None = None
    source: str | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class LetterQuery:
    """Which dead letters. ``text`` is a part of the id, the target, the event's id, source or
    type, or the reasons; ASCII letters fit in either case. ``oldest_first`` turns the list round.
    """

    kind: str | None = None
    target: str | None = None
    since: int | None = None
    text: str | None = None
    redriven: bool | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks. ``candidate`` and ``group`` are one of theirs; ``overdue_at``: pending ones that
    were due before then.
    """

    status: tuple[str, ...] = ()
    assignee: str | None = None
    candidate: str | None = None
    group: str | None = None
    workflow: str | None = None
    run_id: str | None = None
    overdue_at: int | None = None
    id_prefix: str | None = None
