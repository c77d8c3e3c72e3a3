"""What every rule about an open step needs: taking its timers away, and arming them."""

from __future__ import annotations

from collections.abc import Callable

from ostinato.core.commands import (
    ClearTimer,
    CloseTask,
    CloseWait,
    Command,
    FreePlaces,
    HangUp,
    RecallJob,
    SetTimer,
    StopJob,
    Withdraw,
)
from ostinato.core.model import Job
from ostinato.core.state import BUSY, Scope, State, Step


def unarm(step: Step) -> list[Command]:
    """The timers of this attempt, taken away; the time-out of the whole goes on."""
    said: list[Command] = []
    if step.due_at is not None:
        said.append(ClearTimer(step.key, _purpose(step)))
    if step.beat_at is not None:
        said.append(ClearTimer(step.key, "heartbeat"))
    return said


def quiet(step: Step) -> list[Command]:
    """All timers, waits and places of a step that is over, taken away."""
    if step.due_at is step.beat_at is step.timeout_at is None and step.kind == "":
        return placeless(step) if step.places else []  # as of most steps
    return [*silent(step), *placeless(step)]


def silent(step: Step) -> list[Command]:
    """All timers and waits, taken away; its places are its own until it has ended."""
    said = unarm(step)
    if step.timeout_at is not None:
        said.append(ClearTimer(step.key, "timeout"))
    if step.kind in CLOSED:
        said.append(CLOSED[step.kind](step))
    return said


CLOSED: dict[str, Callable[[Step], Command]] = {
    "event": lambda step: CloseWait(step.key),
    "call": lambda step: HangUp(step.key, step.attempt, step.types[0]),
    "task": lambda step: CloseTask(step.key, step.attempt),
}
"""Kinds of waiting that the store knows of."""


def placeless(step: Step) -> list[Command]:
    """Its places are free."""
    return [FreePlaces(step.key)] if step.places else []


def stop_job(step: Step) -> Command:
    """Cancel the attempt that is open, wherever that is."""
    kind = StopJob if step.topic is None else RecallJob
    return kind(step.key, step.attempt)


def halted(step: Step) -> list[Command]:
    """A handler that still runs has nothing more to say."""
    return [stop_job(step)] if step.status in BUSY else []


def withdrawn(step: Step) -> list[Command]:
    """Its answer has come before its handler began, or while that is still at work."""
    if step.status not in BUSY:
        return []
    if step.topic is not None:
        return [RecallJob(step.key, step.attempt, gently=True)]
    return [Withdraw(step.key, step.attempt)]


def no_timer(state: State) -> list[Command]:
    """The run's own time-out is over with its work."""
    return [] if state.due_at is None else [ClearTimer("", "timeout")]


def freed(state: State) -> list[Command]:
    """The run's own places are free with its end."""
    return [FreePlaces("")] if state.places else []


def no_timers(state: State, scope: Scope) -> list[Command]:
    """What is stopping can take no longer than it is given: its time-outs are over."""
    said = no_timer(state) if scope.parent is None else []
    if scope.due_at is not None:
        said.append(ClearTimer(scope.key, "timeout"))
    for child in scope.live.values():
        if isinstance(child, Scope):
            said += no_timers(state, child)
    return said


def armed(state: State) -> list[SetTimer]:
    """Every timer that the run counts on; setting one again changes nothing.

    What is being stopped, by its time-out or otherwise, has no time-out any more.
    """
    said: list[SetTimer] = []
    if state.due_at is not None and state.doing == "work":
        said.append(SetTimer("", "timeout", state.due_at))
    for scope in state.scopes.values():
        if scope.key and scope.due_at is not None and scope.ended_at is None and not scope.stopping:
            said.append(SetTimer(scope.key, "timeout", scope.due_at))
    for step in state.open.values():
        if step.due_at is not None:
            said.append(SetTimer(step.key, _purpose(step), step.due_at))
        if step.timeout_at is not None:
            said.append(SetTimer(step.key, "timeout", step.timeout_at))
        if step.beat_at is not None:
            said.append(SetTimer(step.key, "heartbeat", step.beat_at))
    return said


def _purpose(step: Step) -> str:
    if step.status == "cancelling":
        return "grace"
    return PURPOSES.get(step.kind, "due")


PURPOSES = {"retry": "retry", "repeat": "repeat", "task": "escalate"}
"""What a timer at ``due_at`` is for, by the kind of waiting."""


def timeout_at(job: Job, now: int) -> int | None:
    return None if job.timeout is None else now + job.timeout


def beat_at(job: Job, now: int) -> int | None:
    """When an attempt that begins now has to be heard."""
    return next_beat(job, now) if job.callback else None


def next_beat(job: Job, now: int) -> int | None:
    """The same of a job whose answer comes from outside, as ``Later()`` may have said."""
    return None if job.heartbeat is None else now + job.heartbeat


def watch(key: str, timeout: int | None, beat: int | None) -> list[Command]:
    """The timers of a job that is ended from outside."""
    said: list[Command] = []
    if timeout is not None:
        said.append(SetTimer(key, "timeout", timeout))
    if beat is not None:
        said.append(SetTimer(key, "heartbeat", beat))
    return said
