"""What happened to the run itself: its start, its end, its turn, what people did to it."""

from __future__ import annotations

from msgspec import Raw

from ostinato.core.facts.base import Fact
from ostinato.core.failure import NOTHING, Failure


class RunStarted(Fact, frozen=True, tag="run.started"):
    """``event`` is the trigger (CloudEvents members). Without ``input`` its data is the input.

    ``given``: a map of step keys to outputs that the run ``forked_from`` had already.
    """

    run_id: str
    workflow: str
    version: int
    seed: str
    uid: str | None = None
    input: Raw = NOTHING
    event: Raw = NOTHING
    due_at: int | None = None
    given: Raw = NOTHING
    forked_from: str = ""
    by: str = ""
    why: str = ""


class RunFinishing(Fact, frozen=True, tag="run.finishing"):
    """The work is done and the result is known; ``finally`` may still run."""

    output: Raw


class RunCancelling(Fact, frozen=True, tag="run.cancelling"):
    by: str
    why: str


class RunSucceeded(Fact, frozen=True, tag="run.succeeded"):
    output: Raw


class RunFailed(Fact, frozen=True, tag="run.failed"):
    error: Failure


class RunCancelled(Fact, frozen=True, tag="run.cancelled"):
    why: str = ""


class RunHalting(Fact, frozen=True, tag="run.halting"):
    """The job of this key ends the run with success; nothing new starts."""

    key: str


class RunStuck(Fact, frozen=True, tag="run.stuck"):
    """An incident: nothing can move any more. ``tokens`` name the flows where tokens rest."""

    reason: str
    tokens: tuple[str, ...] = ()


class RunPaused(Fact, frozen=True, tag="run.paused"):
    """Nothing new starts; what is in hand may end."""

    by: str
    why: str


class RunResumed(Fact, frozen=True, tag="run.resumed"):
    by: str
    why: str


class RunRepaired(Fact, frozen=True, tag="run.repaired"):
    """What a person asked for; the facts behind it are what came of it.

    ``action`` is retry, skip, complete or signal; ``keys`` are the steps that it is about.
    """

    action: str
    by: str
    why: str
    keys: tuple[str, ...] = ()


class RunReopened(Fact, frozen=True, tag="run.reopened"):
    """A run that had failed goes on: what failed in it is done once more."""

    by: str
    why: str
    due_at: int | None = None


class RunWarned(Fact, frozen=True, tag="run.warned"):
    message: str


class RunQueued(Fact, frozen=True, tag="run.queued"):
    """It waits for its turn under these names."""

    names: tuple[str, ...]


class RunAdmitted(Fact, frozen=True, tag="run.admitted"):
    """It has its places, and begins."""


class RunFollowed(Fact, frozen=True, tag="run.followed"):
    """Other runs of its uid wait for its end: it has the place of this name."""

    name: str


class RunSignalled(Fact, frozen=True, tag="run.signalled"):
    """An event for this run alone came, and is kept for the wait that it will fit."""

    event: Raw
