"""What was done is taken back."""

from __future__ import annotations

from ostinato.core import facts as f
from ostinato.core.state import State


def undo_noted(state: State, fact: f.UndoNoted, at: int) -> None:
    step = state.steps[fact.key]
    step.undo_input, step.undo_error = fact.input, fact.error


def undo_planned(state: State, fact: f.UndoPlanned, at: int) -> None:
    state.to_undo = list(reversed(fact.keys))


def job_undone(state: State, fact: f.JobUndone, at: int) -> None:
    state.steps[fact.key].status = "undone"
    state.undoing = None
