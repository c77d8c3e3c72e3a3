"""Repairs of many runs: what is asked, and what came of each."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ostinato.ports.choosing import RunFilter

OperationStatus = Literal["preview", "running", "stopped", "ended"]

OUTCOMES = ("done", "refused", "passed")
"""What can come of one run: it was repaired, it could not be, it had gone on by itself."""


class Asked(Struct, frozen=True, omit_defaults=True):
    """``action`` for all runs that ``where`` takes; ``key`` and ``output`` (JSON) are of a step."""

    action: str
    where: RunFilter
    key: str = ""
    output: str = ""


class Operation(Struct, frozen=True):
    """One repair of many runs. ``rate`` is runs per second.

    While it is a ``preview`` nothing is done; it is gone at ``expires_at``.
    """

    id: str
    asked: Asked
    status: OperationStatus
    matched: int
    created_at: int
    expires_at: int | None = None
    by: str = ""
    why: str = ""
    rate: float = 0.0
    begun_at: int | None = None
    ended_at: int | None = None
    stopped_by: str = ""
    stopped_why: str = ""


class Settled(Struct, frozen=True, gc=False):
    """What came of one run of an operation: once, a second time is refused."""

    operation: str
    run_id: str
    outcome: str
    reason: str = ""


class Tally(Struct, frozen=True, gc=False):
    """So many runs with this outcome for this reason; outcome "" is not dealt with yet."""

    outcome: str
    reason: str
    count: int
    example: str
