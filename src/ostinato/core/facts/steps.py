"""What happened to one job, from its turn to its end."""

from __future__ import annotations

from msgspec import Raw

from ostinato.core.facts.base import Fact
from ostinato.core.failure import NOTHING, Failure


class JobReady(Fact, frozen=True, tag="job.ready"):
    """Without ``input`` the definition's own constant is meant."""

    key: str
    input: Raw = NOTHING
    attempt: int = 1
    timeout_at: int | None = None
    beat_at: int | None = None


class JobOffered(JobReady, frozen=True, tag="job.offered"):
    """No handler of its name is here: workers elsewhere may take it, under this topic."""

    topic: str = ""


class JobStarted(Fact, frozen=True, tag="job.started"):
    """Recorded for jobs that take long and for those taken up again after a crash."""

    key: str
    attempt: int


class JobTaken(JobStarted, frozen=True, tag="job.taken"):
    """A worker elsewhere has it, ``since`` then: the start fact of what was offered.

    Of a job that does not take long it is recorded with its end.
    """

    worker: str
    since: int


class JobWaiting(Fact, frozen=True, tag="job.waiting"):
    """``kind`` is timer, event, callback or task. A timer goes on at ``due_at``.

    A task (its ``input``) goes to somebody else then.
    """

    key: str
    kind: str
    attempt: int = 1
    due_at: int | None = None
    timeout_at: int | None = None
    types: tuple[str, ...] = ()
    match: Raw = NOTHING
    beat_at: int | None = None
    input: Raw = NOTHING


class JobReassigned(Fact, frozen=True, tag="job.reassigned"):
    """Its task (``input``) has another assignee; to the next one it goes at ``due_at``."""

    key: str
    input: Raw
    due_at: int | None = None


class JobHeard(Fact, frozen=True, tag="job.heard"):
    """A sign of life of waiting work; it must come again before ``beat_at``."""

    key: str
    beat_at: int


class JobRetried(Fact, frozen=True, tag="job.retried"):
    """The attempt failed and the next one starts at ``due_at``."""

    key: str
    attempt: int
    error: Failure
    due_at: int


class JobRepeated(Fact, frozen=True, tag="job.repeated"):
    """It succeeded with ``output``, which is not yet what is waited for: again at ``due_at``."""

    key: str
    attempt: int
    output: Raw
    due_at: int


class JobCaught(Fact, frozen=True, tag="job.caught"):
    """It failed for good, and its catch number ``catch`` stands in for it."""

    key: str
    attempt: int
    error: Failure
    catch: int


class JobQueued(Fact, frozen=True, tag="job.queued"):
    """It waits for its turn under these names; once it begins, it has a place under each."""

    key: str
    names: tuple[str, ...]
    attempt: int = 1
    input: Raw = NOTHING


class JobHeld(Fact, frozen=True, tag="job.held"):
    """It failed for good and waits for a person."""

    key: str
    attempt: int
    error: Failure


class JobAbandoned(Fact, frozen=True, tag="job.abandoned"):
    """Its process died; what the attempt did is not known. One of a worker is offered again."""

    key: str
    attempt: int


class JobReturned(Fact, frozen=True, tag="job.returned"):
    """Its process stopped in order before the attempt had ended: no death, it is begun again."""

    key: str
    attempt: int


class JobCancelling(Fact, frozen=True, tag="job.cancelling"):
    """Asked to stop; until ``due_at`` it may still say how it ended."""

    key: str
    due_at: int


class JobSucceeded(Fact, frozen=True, tag="job.succeeded"):
    key: str
    attempt: int
    output: Raw


class JobFailed(Fact, frozen=True, tag="job.failed"):
    key: str
    attempt: int
    error: Failure


class JobSkipped(Fact, frozen=True, tag="job.skipped"):
    """``output``: a person said what it should have given."""

    key: str
    why: str
    output: Raw = NOTHING


class JobCancelled(Fact, frozen=True, tag="job.cancelled"):
    key: str
    attempt: int
