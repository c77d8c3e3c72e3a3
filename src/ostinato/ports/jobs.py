"""Jobs that are offered to workers elsewhere: one row each, from the offer to the end.

A claim is a lease on a row. It is no state of a run: what a worker says of a job is, and takes the
row away in the batch that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Raw, Struct

NULL = Raw(b"null")


class Brief(Struct, frozen=True, omit_defaults=True, gc=False):
    """What a worker is told of a job beside its row: all that its handler may ask.

    ``trigger`` is the event that started the run. ``mark`` tells the places of secrets in
    ``input``, where it has any. Whoever has ``callback`` can end the job.
    """

    input: Raw = NULL
    uid: str | None = None
    trigger: Raw = NULL
    mark: str = ""
    callback: str = ""
    address: str = ""


class JobRow(Struct, frozen=True, gc=False):
    """One attempt that is offered, or that ``worker`` has, by ``token``, until ``lease_until``.

    ``brief`` is a ``Brief`` as JSON. Whoever takes it has ``timeout`` ms. ``cancelled``: it should
    stop.
    """

    id: str
    run_id: str
    key: str
    attempt: int
    topic: str
    workflow: str
    priority: int
    ready_at: int
    brief: bytes
    timeout: int | None = None
    deaths: int = 0
    token: str | None = None
    worker: str | None = None
    claimed_at: int | None = None
    lease_until: int | None = None
    cancelled: bool = False

    @property
    def idempotency_key(self) -> str:
        return f"{self.run_id}:{self.key}"


class JobEnd(Struct, frozen=True, gc=False):
    """The row goes. With a ``token`` it has to be that of the row: any other is refused."""

    id: str
    token: str | None = None


class JobFree(Struct, frozen=True, gc=False):
    """Offered again, where it stood; ``token`` has to be that of the row: another is refused."""

    id: str
    token: str
    deaths: int


class JobStop(Struct, frozen=True, gc=False):
    """The row goes, if nobody has claimed it; else it is marked as ``cancelled``, unless gently."""

    id: str
    gently: bool = False


JobChange = JobRow | JobEnd | JobFree | JobStop


@dataclass(frozen=True, slots=True)
class Claim:
    """So many jobs for a worker: ``most`` in all, and of each topic as many as it says there.

    Of two topics the one that is named first comes first, and then they take turns; within one the
    higher priority, then the older. Who claims holds each until ``lease`` ms from ``now``, or for
    the job's own time, if that is less.
    """

    topics: Mapping[str, int]
    worker: str
    token: str
    most: int
    lease: int
    now: int


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs. ``claimed``: those that a worker has, or those that none has."""

    topic: str | None = None
    worker: str | None = None
    run_id: str | None = None
    claimed: bool | None = None


class JobCount(Struct, frozen=True, gc=False):
    """So many jobs of this topic that this worker has, or (None) nobody; ``oldest``: ready then."""

    topic: str
    worker: str | None
    count: int
    oldest: int


FOR_EVER = 2**50
"""ms: longer than any lease."""


def in_turns(found: Mapping[str, list[str]], most: int) -> list[str]:
    """At most so many of these, topic by topic in turns."""
    waiting = [list(reversed(ids)) for ids in found.values()]
    taken: list[str] = []
    while len(taken) < most and any(waiting):
        for ids in waiting:
            if ids and len(taken) < most:
                taken.append(ids.pop())
    return taken


def leased_until(now: int, lease: int, claimed_at: int, timeout: int | None) -> int:
    """No longer than the job has in all."""
    return now + lease if timeout is None else min(now + lease, claimed_at + timeout)
