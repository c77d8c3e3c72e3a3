"""What a run remembers: facts. A record is the list of facts that one event caused.

A fact holds its effect, never a rule: folding the facts of a run again gives the same state
whatever the code that decided them has become since. Facts carry names, not numbers, and only ever
gain trailing fields with defaults; ``tests/histories`` holds samples of every release.

Values of users travel as ``Raw``: JSON, encoded once, never decoded on the way.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from ostinato.core.callers import Caller
from ostinato.core.failure import NOTHING as NOTHING
from ostinato.core.failure import Failure as Failure
from ostinato.core.failure import given as given


class Fact(Struct, frozen=True, array_like=True, gc=False, tag_field="type"):
    pass


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


class ScopeReopened(Fact, frozen=True, tag="phase.reopened"):
    key: str
    due_at: int | None = None


class RunWarned(Fact, frozen=True, tag="run.warned"):
    message: str


class ScopeOpened(Fact, frozen=True, tag="phase.opened"):
    key: str
    due_at: int | None = None


class ScopeSkipped(Fact, frozen=True, tag="phase.skipped"):
    key: str
    why: str


class ScopeFailing(Fact, frozen=True, tag="phase.failing"):
    """Nothing new starts in this scope; key "" is the run itself."""

    key: str
    error: Failure


class ScopeEnded(Fact, frozen=True, tag="phase.ended"):
    """``status`` is succeeded, failed or cancelled."""

    key: str
    status: str


class ScopeSatisfied(Fact, frozen=True, tag="phase.satisfied"):
    """Enough of its children have succeeded: nothing new starts, the others are cancelled."""

    key: str


class ItemsResolved(Fact, frozen=True, tag="each.resolved"):
    key: str
    items: Raw


class TokenRested(Fact, frozen=True, tag="token.rested"):
    scope: str
    flow: str


class TokensJoined(Fact, frozen=True, tag="token.joined"):
    """Tokens on these flows became one."""

    scope: str
    flows: tuple[str, ...]


class GatewayPassed(Fact, frozen=True, tag="gateway.passed"):
    key: str


class JobReady(Fact, frozen=True, tag="job.ready"):
    """Without ``input`` the definition's own constant is meant."""

    key: str
    input: Raw = NOTHING
    attempt: int = 1
    timeout_at: int | None = None
    beat_at: int | None = None


class JobStarted(Fact, frozen=True, tag="job.started"):
    """Recorded for jobs that take long and for those taken up again after a crash."""

    key: str
    attempt: int


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
    """Its process died; what the attempt did is not known."""

    key: str
    attempt: int


class JobCalled(Fact, frozen=True, tag="job.called"):
    """It waits for the end of another run. Without ``input`` the definition's constant is meant."""

    key: str
    attempt: int
    run: str
    workflow: str
    input: Raw = NOTHING
    timeout_at: int | None = None


class JobJoined(Fact, frozen=True, tag="job.joined"):
    """A run was open under the uid that it called: it waits for that one, which is not its own."""

    key: str
    attempt: int
    run: str


class CallRefused(Fact, frozen=True, tag="job.refused"):
    """The run that it has called could not begin: there is none."""

    key: str
    attempt: int


class JobEnding(Fact, frozen=True, tag="job.ending"):
    """It is not wanted any more: its run is being cancelled, and it ends with that one."""

    key: str


class RunCalled(Fact, frozen=True, tag="run.called"):
    """Another run waits for the end of this one. ``joined``: it did not start it."""

    caller: Caller
    joined: bool = False


class UndoNoted(Fact, frozen=True, tag="undo.noted"):
    """The step of this key can be taken back, with this input; or why that is not known."""

    key: str
    input: Raw = NOTHING
    error: Failure | None = None


class UndoPlanned(Fact, frozen=True, tag="undo.planned"):
    """The steps to be taken back, in this order."""

    keys: tuple[str, ...]


class JobUndone(Fact, frozen=True, tag="job.undone"):
    key: str


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


AnyFact = (
    RunStarted | RunFinishing | RunCancelling | RunSucceeded | RunFailed | RunCancelled
    | RunPaused | RunResumed | RunRepaired | RunReopened | ScopeReopened | RunQueued | RunAdmitted
    | RunFollowed | RunSignalled
    | RunHalting | RunStuck | RunWarned | RunCalled | ScopeOpened | ScopeSkipped | ScopeFailing
    | ScopeEnded | ScopeSatisfied | ItemsResolved | TokenRested | TokensJoined | GatewayPassed
    | JobReady | JobStarted | JobWaiting | JobReassigned | JobHeard | JobRetried | JobRepeated
    | JobQueued | JobCaught | JobHeld | JobAbandoned | JobReturned | JobCancelling | JobSucceeded
    | JobFailed | JobSkipped | JobCancelled | JobCalled | JobJoined | CallRefused | JobEnding
    | UndoNoted | UndoPlanned | JobUndone
)  # fmt: skip
