"""What lists are asked, and what they tell."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, newest first: at most ``limit`` items after ``cursor`` (an id)."""

    limit: int = 50
    cursor: str | None = None


class RunGroup(Struct, frozen=True, gc=False):
    """Runs that are in the same state for the same reason. ``oldest`` and ``newest`` are ids; the
    message is that of one of them, as it was."""

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
