"""What is old enough to go, and what may go.

Nothing goes unless someone said how long it is kept. An open run never goes; an event stays as
long as a duplicate of it must be known, and as long as an open run could still look back to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct


class Keep(Struct, frozen=True):
    """How long runs are kept after their end, in ms; None is for ever."""

    runs: int | None = None
    failed: int | None = None

    def of(self, status: str) -> int | None:
        return self.failed if status == "failed" else self.runs


class Retention(Struct, frozen=True):
    """In ms; None is for ever. ``workflows`` says otherwise for some, by their plain names.

    ``duplicates``: no event is forgotten sooner, whatever else is said.
    """

    runs: Keep = Keep()
    workflows: Mapping[str, Keep] = {}
    events: int | None = None
    duplicates: int = 0
    dead_letters: int | None = None
    operations: int | None = None

    def of_run(self, workflow: str, status: str) -> int | None:
        return self.workflows.get(plain(workflow), self.runs).of(status)


def plain(workflow: str) -> str:
    """``-`` and ``_`` are equal in names."""
    return workflow.replace("_", "-")


def before(kept: int | None, now: int) -> int | None:
    """What is older than this may go; None: nothing may."""
    return None if kept is None else now - kept


def events_before(retention: Retention, now: int) -> int | None:
    if retention.events is None:
        return None
    return now - max(retention.events, retention.duplicates)


def looked_back_to(waiters: Iterable[str], oldest_open: Mapping[str, int]) -> int | None:
    """Since when an open run of these workflows may look back; None when there is none.

    A run looks back to its own start at most, so only the oldest open ones count.
    """
    return min((oldest_open[name] for name in waiters if name in oldest_open), default=None)


def may_go(received_at: int, keyed: bool, before: int, looked_back: int | None) -> bool:
    """Whether an event may be forgotten; ``keyed`` when a wait could find it."""
    if received_at >= before:
        return False
    return not keyed or looked_back is None or received_at < looked_back
