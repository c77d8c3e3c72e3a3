"""A run starts, turns and ends."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ostinato.core import facts as f
from ostinato.core.fold.scopes import stop
from ostinato.core.graph import FINALLY
from ostinato.core.state import State


def run_started(state: State, fact: f.RunStarted, at: int) -> None:
    state.run_id, state.uid, state.seed = fact.run_id, fact.uid, fact.seed
    state.input, state.event = f.given(fact.input), f.given(fact.event)
    state.status, state.started_at, state.due_at = "running", at, fact.due_at
    state.root.opened_at = at
    if (given := f.given(fact.given)) is not None:
        state.given = msgspec.json.decode(given, type=dict[str, Raw])
    if fact.forked_from:
        state.forked_from = fact.forked_from


def run_queued(state: State, fact: f.RunQueued, at: int) -> None:
    state.places, state.queued = fact.names, True


def run_admitted(state: State, fact: f.RunAdmitted, at: int) -> None:
    state.queued = False


def run_followed(state: State, fact: f.RunFollowed, at: int) -> None:
    state.places = (*state.places, fact.name)


def run_signalled(state: State, fact: f.RunSignalled, at: int) -> None:
    state.signals = (*state.signals, fact.event)


def run_finishing(state: State, fact: f.RunFinishing, at: int) -> None:
    state.output, state.due_at = fact.output, None


def run_cancelling(state: State, fact: f.RunCancelling, at: int) -> None:
    ending = state.cancelled is not None and state.doing != FINALLY
    state.cancelled, state.due_at, state.paused = fact.why, None, False
    state.queued = False
    if state.doing == "undo" or ending:  # which is what a cancel asks for
        return
    state.doing = "stopping"
    state.stuck = None
    stop(state.root)


def run_halting(state: State, fact: f.RunHalting, at: int) -> None:
    state.halted, state.doing, state.due_at = True, "stopping", None
    stop(state.root)


def run_succeeded(state: State, fact: f.RunSucceeded, at: int) -> None:
    state.output = fact.output
    _end(state, "succeeded", at)


def run_failed(state: State, fact: f.RunFailed, at: int) -> None:
    state.error = fact.error
    _end(state, "failed", at)


def run_cancelled(state: State, fact: f.RunCancelled, at: int) -> None:
    _end(state, "cancelled", at)


def _end(state: State, status: str, at: int) -> None:
    state.status, state.ended, state.ended_at = status, True, at
    state.stuck, state.queued, state.places = None, False, ()


def run_stuck(state: State, fact: f.RunStuck, at: int) -> None:
    state.stuck = (fact.reason, fact.tokens)


def run_warned(state: State, fact: f.RunWarned, at: int) -> None:
    state.warnings = (*state.warnings, fact.message)


def run_paused(state: State, fact: f.RunPaused, at: int) -> None:
    state.paused = True


def run_resumed(state: State, fact: f.RunResumed, at: int) -> None:
    state.paused = False


def run_repaired(state: State, fact: f.RunRepaired, at: int) -> None:
    """A step that is begun again by a person counts its failures anew."""
    for key in fact.keys if fact.action == "retry" else ():
        step = state.steps[key]
        step.failures = step.deaths = step.repeats = 0
        step.started, step.ready_at = False, at


def run_reopened(state: State, fact: f.RunReopened, at: int) -> None:
    state.status, state.doing = "running", "work"
    state.ended, state.ended_at = False, None
    if state.root.error is not None or state.cancelled is not None:
        state.output = None
    state.error, state.halted, state.due_at = None, False, fact.due_at
    state.cancelled = None
    state.root.error, state.root.stopping = None, False
    state.staged = ()
