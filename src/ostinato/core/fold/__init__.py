"""Facts into state: the only code that writes a state.

``FOLD`` is a table by fact type. It never evaluates an expression and never decides: what it
needs stands in the fact.

runs     a run starts, turns and ends
scopes   scopes open and close; tokens rest and join
steps    what happens to a job
calls    runs that wait for one another
undo     what was done is taken back
large    what large values weigh in memory
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ostinato.core import facts as f
from ostinato.core.fold import calls, runs, scopes, steps, undo
from ostinato.core.graph import Graph
from ostinato.core.state import State

FOLD: dict[type[f.Fact], Callable[[State, Any, int], None]] = {
    f.RunStarted: runs.run_started,
    f.RunFinishing: runs.run_finishing,
    f.RunCancelling: runs.run_cancelling,
    f.RunSucceeded: runs.run_succeeded,
    f.RunFailed: runs.run_failed,
    f.RunCancelled: runs.run_cancelled,
    f.RunHalting: runs.run_halting,
    f.RunStuck: runs.run_stuck,
    f.RunWarned: runs.run_warned,
    f.RunQueued: runs.run_queued,
    f.RunAdmitted: runs.run_admitted,
    f.RunFollowed: runs.run_followed,
    f.RunSignalled: runs.run_signalled,
    f.RunPaused: runs.run_paused,
    f.RunResumed: runs.run_resumed,
    f.RunRepaired: runs.run_repaired,
    f.RunReopened: runs.run_reopened,
    f.ScopeReopened: scopes.scope_reopened,
    f.ScopeOpened: scopes.scope_opened,
    f.ScopeSkipped: scopes.scope_skipped,
    f.ScopeFailing: scopes.scope_failing,
    f.ScopeEnded: scopes.scope_ended,
    f.ScopeSatisfied: scopes.scope_satisfied,
    f.ItemsResolved: scopes.items_resolved,
    f.TokenRested: scopes.token_rested,
    f.TokensJoined: scopes.tokens_joined,
    f.GatewayPassed: scopes.gateway_passed,
    f.JobReady: steps.job_ready,
    f.JobOffered: steps.job_offered,
    f.JobStarted: steps.job_started,
    f.JobTaken: steps.job_taken,
    f.JobWaiting: steps.job_waiting,
    f.JobReassigned: steps.job_reassigned,
    f.JobRepeated: steps.job_repeated,
    f.JobCaught: steps.job_caught,
    f.JobQueued: steps.job_queued,
    f.JobHeld: steps.job_held,
    f.JobHeard: steps.job_heard,
    f.JobRetried: steps.job_retried,
    f.JobAbandoned: steps.job_abandoned,
    f.JobReturned: steps.job_returned,
    f.JobCancelling: steps.job_cancelling,
    f.JobSucceeded: steps.job_succeeded,
    f.JobFailed: steps.job_failed,
    f.JobSkipped: steps.job_skipped,
    f.JobCancelled: steps.job_cancelled,
    f.JobCalled: calls.job_called,
    f.JobJoined: calls.job_joined,
    f.CallRefused: calls.call_refused,
    f.JobEnding: calls.job_ending,
    f.RunCalled: calls.run_called,
    f.UndoNoted: undo.undo_noted,
    f.UndoPlanned: undo.undo_planned,
    f.JobUndone: undo.job_undone,
}


def fold(state: State, fact: f.Fact, at: int) -> None:
    """Apply one fact that was recorded at ``at`` (ms since epoch)."""
    FOLD[type(fact)](state, fact, at)
    state.seq += 1


def replay(graph: Graph, records: Iterable[tuple[int, Iterable[f.Fact]]]) -> State:
    """The state after all ``records``, each (at, facts)."""
    state = State(graph)
    for at, facts in records:
        replay_one(state, at, facts)
    return state


def replay_one(state: State, at: int, facts: Iterable[f.Fact]) -> None:
    now = state.now = max(state.now, at)
    for fact in facts:
        fold(state, fact, now)
