"""Dead letters: which runs leave one, and what comes of redriving one.

Redriving asks the triggers as they are deployed now. What fits starts its run; what still does not
says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Raw

from ostinato.core.cloudevents import Event
from ostinato.core.state import State
from ostinato.core.triggers import Listeners, Starting, match
from ostinato.errors import OstinatoError, Problem

KINDS = ("trigger", "consumer", "outgoing", "stored", "incoming", "conflict")
TRIGGER, CONSUMER, OUTGOING, STORED, INCOMING, CONFLICT = KINDS

PREFIX = "consumer-"
"""A workflow whose name begins so is a consumer: its runs that fail for good are dead letters."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """The runs that an event starts anew, or the reasons why it starts none. ``events`` are what a
    message is read as now."""

    starts: tuple[Starting, ...]
    encoded: Raw
    reasons: tuple[Problem, ...] = ()
    events: tuple[Event, ...] = ()


def is_letter(state: State) -> bool:
    """Whether this run is a consumer's that failed on its event for good."""
    consuming = state.workflow.startswith(PREFIX) and state.event is not None
    return consuming and state.status == "failed"


def attempts_of(state: State) -> int:
    """How often the job that failed the run was tried."""
    return max(
        (step.attempt for step in state.steps.values() if step.status == "failed"), default=1
    )


NO_EVENT = Problem(
    "this letter has no event: it cannot be read, or an older version kept none",
    hint="send the event again",
)


TAKEN = Problem(
    "another event was stored under this source and id before",
    hint="where both are meant, send this one again under an id of its own",
)


def judge(
    listeners: Listeners, kind: str, target: str, event: Event | None, run: tuple[str, str] | None
) -> Fitting:
    """What redriving a letter would start now, or why nothing. ``run`` is the one that has left
    it, and its status, where both are known.
    """
    if event is None:
        return Fitting((), Raw(b""), (NO_EVENT,))
    if kind == OUTGOING:
        return Fitting((), Raw(b""))
    if kind == CONFLICT:
        return Fitting((), Raw(b""), (TAKEN,))
    if kind == CONSUMER and run is not None and run[1] != "failed":
        reason = Problem(f"its run {run[0]} did not stay failed: it is {run[1]} now")
        return Fitting((), Raw(b""), (reason,))
    return fit_again(listeners, kind, target, event)


def fit_again(listeners: Listeners, kind: str, target: str, event: Event) -> Fitting:
    found = match(listeners, event)
    starts = tuple(one for one in found.starts if _is_of(one.trigger, kind, target))
    misfits = [error for trigger, error in found.misfits if _is_of(trigger, kind, target)]
    reasons = tuple(problem for error in misfits for problem in problems_of(error))
    if not starts and not reasons:
        reasons = (
            Problem(f"{_noun(kind, target)} does not take this event as it is deployed now"),
        )
    return Fitting(starts, found.encoded, reasons)


def problems_of(error: OstinatoError) -> tuple[Problem, ...]:
    return error.problems or (Problem(str(error)),)


def _is_of(trigger: object, kind: str, target: str) -> bool:
    return getattr(trigger, "workflow" if kind == CONSUMER else "name", None) == target


def _noun(kind: str, target: str) -> str:
    return f"consumer {target}" if kind == CONSUMER else f"trigger {target}"
