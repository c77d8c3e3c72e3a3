"""Runs that wait for one another."""

from __future__ import annotations

from ostinato.core import facts as f
from ostinato.core.fold.steps import become, step_of
from ostinato.core.state import Child, State


def job_called(state: State, fact: f.JobCalled, at: int) -> None:
    step = step_of(state, fact.key, at)
    become(state, step, "waiting")
    step.kind, step.attempt, step.types = "call", fact.attempt, (fact.run,)
    step.due_at, step.beat_at = None, None
    if fact.timeout_at is not None:
        step.timeout_at = fact.timeout_at
    if (data := f.given(fact.input)) is not None:
        step.input = data
    step.waiting_since, step.waiting_from = at, state.seq
    child = Child(fact.key, fact.attempt, fact.run, fact.workflow)
    if isinstance(state.children, dict):
        state.children[fact.run] = child
    else:
        state.children = {fact.run: child}


def job_joined(state: State, fact: f.JobJoined, at: int) -> None:
    step = state.steps[fact.key]
    (own,), step.types = step.types, (fact.run,)
    if not fact.own:
        step.kind = "joined"
    if isinstance(state.children, dict):
        if fact.own:
            state.children[fact.run] = state.children.pop(own)._replace(run=fact.run)
        else:
            state.children[own] = state.children[own]._replace(run=fact.run, joined=True)


def call_refused(state: State, fact: f.CallRefused, at: int) -> None:
    step = state.steps[fact.key]
    if isinstance(state.children, dict):
        state.children.pop(step.types[0], None)  # told twice, or joined before
    step.types = ()


def job_ending(state: State, fact: f.JobEnding, at: int) -> None:
    step = state.steps[fact.key]
    step.kind, step.timeout_at = "ending", None


def run_called(state: State, fact: f.RunCalled, at: int) -> None:
    if isinstance(state.callers, list):
        state.callers.append(fact.caller)
    else:
        state.callers = [fact.caller]
    if not fact.joined:
        state.parent = fact.caller
