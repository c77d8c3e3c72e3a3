"""What runs that wait for one another are told: that one waits, and how the other has ended.

What comes too late, or once more, changes nothing.
"""

from __future__ import annotations

from ostinato.core import events as e
from ostinato.core.callers import UNTIL_ITS_END
from ostinato.core.commands import HangUp
from ostinato.core.decide.entering import start
from ostinato.core.decide.moves import Said
from ostinato.core.decide.reporting import attempt_failed, cancelled, done, succeeded
from ostinato.core.facts import CallRefused, JobJoined, RunCalled
from ostinato.core.state import State, Step


def _calling(state: State, key: str, attempt: int) -> Step | None:
    step = state.steps.get(key)
    if step is None or step.attempt != attempt or step.status != "waiting":
        return None
    return step if step.kind in UNTIL_ITS_END else None


def answered(state: State, event: e.CallAnswered, now: int) -> list[Said]:
    step = _calling(state, event.key, event.attempt)
    if step is None:
        return []
    said = _concluded(state, step, event, now)
    refused = [CallRefused(step.key, step.attempt)] if event.refused else []
    return [*refused, *(one for one in said if type(one) is not HangUp)]  # it is over


def _concluded(state: State, step: Step, event: e.CallAnswered, now: int) -> list[Said]:
    if step.kind == "ending":
        return done(step, event.output) if event.error is None else cancelled(step)
    if event.error is None:
        return succeeded(state, step, event.output, now)
    return attempt_failed(state, step, event.error, now, final=event.refused)


def moved(state: State, event: e.CallMoved, now: int) -> list[Said]:
    """A run that is not its own does not keep it from ending at once."""
    step = _calling(state, event.key, event.attempt)
    if step is None or step.kind == "joined":
        return []
    joined = JobJoined(event.key, event.attempt, event.run, event.own)
    if event.own:
        hung_up = [HangUp(step.key, step.attempt, event.run)] if step.kind == "ending" else []
        return [joined, *hung_up]
    return [joined, *cancelled(step)] if step.kind == "ending" else [joined]


# what the run that is waited for is told, and tells


def begun(state: State, event: e.Called, now: int) -> list[Said]:
    if state.run_id:
        return []
    started, *rest = start(state, event, now)
    return [started, RunCalled(event.caller), *rest]


def joined(state: State, event: e.CallJoined, now: int) -> list[Said]:
    return [] if state.ended or not state.run_id else [RunCalled(event.caller, joined=True)]
