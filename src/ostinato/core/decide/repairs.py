"""What people do to a run: pause, resume, retry, skip, signal. Each stands in the history with who
and why.

``refuse`` says why a request cannot be met; one that cannot changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from ostinato.core import events as e
from ostinato.core.callers import UNTIL_ITS_END
from ostinato.core.decide.activation import Activation
from ostinato.core.decide.ending import refuse_cancel
from ostinato.core.decide.flowing import onward
from ostinato.core.decide.jobs import begin
from ostinato.core.decide.moves import Enter, HearKept, Join, Revisit, Said, Settle, StandIn
from ostinato.core.decide.queueing import left, queue_again
from ostinato.core.decide.reopening import before_it_began, failed_steps, refuse_reopening, reopen
from ostinato.core.decide.reporting import fits, hear
from ostinato.core.decide.steps import armed, halted, quiet
from ostinato.core.facts import (
    NOTHING,
    JobSkipped,
    JobSucceeded,
    RunPaused,
    RunRepaired,
    RunResumed,
    RunSignalled,
    TokensJoined,
)
from ostinato.core.model import Join as JoinKind
from ostinato.core.model import Set
from ostinato.core.state import State, Step
from ostinato.errors import ConflictError, InvalidInput, NotFoundError, OstinatoError

Asked = (
    e.CancelRequested
    | e.PauseRequested
    | e.ResumeRequested
    | e.RetryRequested
    | e.SkipRequested
    | e.Signalled
)
MOST_SIGNALS = 1_000
"""Signals that one run keeps until it waits for them."""

ACTIONS = ("cancel", "pause", "resume", "retry", "skip")
"""What can be asked by its name alone."""

AGAIN = ("repair", "retry")
"""Kinds of waiting after which a job can be begun at once."""


def request(action: str, by: str, why: str, key: str, output: Raw | None) -> Asked:
    """What a run is told; ``key`` is of a step that is retried or skipped."""
    match action:
        case "cancel":
            return e.CancelRequested(by, why)
        case "pause":
            return e.PauseRequested(by, why)
        case "resume":
            return e.ResumeRequested(by, why)
        case "retry":
            return e.RetryRequested(by, why, key)
        case _:
            return e.SkipRequested(key, by, why, output)


def refuse(state: State, event: Asked, holder: str = "") -> None:
    """Raises ``ConflictError``, ``NotFoundError`` or ``InvalidInput`` for what cannot be met now.

    ``holder`` is the run that has the uid of this one by now, which is over.
    """
    match event:
        case e.CancelRequested():
            refuse_cancel(state)
        case e.PauseRequested():
            _open(state)
            if state.paused:
                raise ConflictError(f"run {state.run_id} is paused already")
            if state.queued:
                raise ConflictError(f"run {state.run_id} has not begun, it waits for its turn")
        case e.ResumeRequested():
            _open(state)
            if not state.paused:
                raise ConflictError(f"run {state.run_id} is not paused")
        case e.RetryRequested(key=key):
            _refuse_retry(state, key)
            if event.input is not None:
                _refuse_input(state, key)
        case e.SkipRequested(key=key):
            _refuse_skip(state, key)
            _refuse_output(state.steps[key], event)
        case e.Signalled(event=sent, keep=keep):
            _refuse_signal(state, sent, keep)
    if holder:
        raise ConflictError(f"run {holder} is open under the uid {state.uid!r} by now")


def _open(state: State) -> None:
    if state.ended:
        raise ConflictError(f"run {state.run_id} has {state.status}")


def _step(state: State, key: str) -> Step:
    step = state.steps.get(key)
    if step is None:
        known = ", ".join([*state.open][:5]) or "none"
        raise NotFoundError(f"run {state.run_id} has no step {key!r}; open are {known}")
    return step


def _refuse_retry(state: State, key: str) -> None:
    if state.ended:
        refuse_reopening(state, key)
    elif key and _step(state, key).status != "waiting":
        raise ConflictError(f"step {key} is {state.steps[key].shown}; it does not wait for a retry")
    elif key and state.steps[key].kind in UNTIL_ITS_END:
        run = state.steps[key].types[0]
        raise ConflictError(f"step {key} waits for run {run}: retry that one, or skip the step")
    elif not _to_retry(state, key):
        raise ConflictError(
            f"no step of run {state.run_id} waits for repair or for its next attempt"
        )


def _refuse_input(state: State, key: str) -> None:
    """One input is of one step, and of one that gets as far as to have an input."""
    if key:
        steps = [state.steps[key]]
    else:
        steps = failed_steps(state) if state.ended else _to_retry(state, "")
    if len(steps) != 1:
        shown = ", ".join(step.key for step in steps[:5])
        raise ConflictError(f"{len(steps)} steps would be tried again, say which: {shown}")
    if state.ended and (member := before_it_began(state, steps[0])) is not None:
        why = f"step {steps[0].key} fails by its `{member}`, before it has an input"
        mend = "skip it with an output, or fork the run with another input of its own"
        raise ConflictError(f"{why}; {mend}")


def _to_retry(state: State, key: str) -> list[Step]:
    """The step of this key, or all that need a person."""
    if key:
        step = state.open.get(key)
        return [step] if step is not None and step.kind in AGAIN else []
    return [step for step in state.open.values() if step.kind == "repair"]


def _refuse_skip(state: State, key: str) -> None:
    step = _step(state, key)
    if state.ended:
        refuse_reopening(state, key)
    elif not step.open:
        raise ConflictError(f"step {key} has already {step.status}")
    elif step.status == "cancelling":
        raise ConflictError(f"step {key} is being cancelled")


def _refuse_output(step: Step, event: e.SkipRequested) -> None:
    """The output of a ``set`` is its variables."""
    job = step.job if step.open else step.node.spec
    if not isinstance(job.action, Set):
        return
    output = None if event.output is None else msgspec.json.decode(event.output)
    if isinstance(output, dict) or (output is None and not event.done):
        return
    wanted = 'the output must be a map of them, such as {"name": 1}'
    instead = "; to go on without them, skip it with no output, not as done"
    raise InvalidInput(f"step {step.key} sets variables: {wanted}, not {output!r:.80}{instead}")


def _refuse_signal(state: State, event: Raw, keep: bool) -> None:
    _open(state)
    found = msgspec.json.decode(event)
    if any(fits(step, found) for step in _listening(state)):
        return
    if keep:
        if len(state.signals) >= MOST_SIGNALS:
            most = f"{MOST_SIGNALS:,} signals that it has not waited for"
            raise ConflictError(f"run {state.run_id} keeps {most}; it takes no more")
        return
    waits = ", ".join(f"{step.key} for {'/'.join(step.types)}" for step in _listening(state))
    raise ConflictError(
        f"no wait of run {state.run_id} fits {found['type']}; open are {waits or 'none'}"
    )


def _listening(state: State) -> Iterator[Step]:
    return (one for one in state.open.values() if one.status == "waiting" and one.kind == "event")


def _refused(state: State, event: Asked) -> bool:
    try:
        refuse(state, event)
    except OstinatoError:
        return True
    return not state.run_id


def pause(state: State, event: e.PauseRequested, now: int) -> list[Said]:
    """Jobs that wait for their turn leave the line."""
    return [] if _refused(state, event) else [*left(state), RunPaused(event.by, event.why)]


def resume(state: State, event: e.ResumeRequested, now: int) -> list[Said]:
    """What was held goes on; a retry that was due meanwhile is due now."""
    if _refused(state, event):
        return []
    scopes = [scope for scope in state.scopes.values() if scope.ended_at is None]
    said: list[Said] = [RunResumed(event.by, event.why), *armed(state), *queue_again(state)]
    said += [StandIn(step.key) for step in state.open.values() if step.kind == "catch"]
    return said + [Revisit(scope) for scope in scopes]


def revisit(state: State, move: Revisit, now: int) -> list[Said]:
    scope = move.scope
    said: list[Said] = []
    for index in list(scope.resting):
        flow = scope.node.flows[index]
        if flow.target.join is JoinKind.EACH:
            for _ in range(scope.resting[index]):
                said += (TokensJoined(scope.key, (flow.name,)), Enter(scope, flow.target))
        else:
            said.append(Join(scope, flow))
    return [*said, Settle(scope.key)]


def retry(state: State, event: e.RetryRequested, now: int) -> list[Said]:
    if _refused(state, event):
        return []
    if state.ended:
        if event.input is not None and not event.key:
            event = replace(event, key=failed_steps(state)[0].key)
        return reopen(state, event, now)
    steps = _to_retry(state, event.key)
    keys = tuple(step.key for step in steps)
    said: list[Said] = [RunRepaired("retry", event.by, event.why, keys)]
    for step in steps:
        given = step.input if event.input is None else event.input
        at = Activation(
            state, step.scope, step.node, step.job, step.key, step.attempt + 1, now, given
        )
        said += [*quiet(step), *begin(at)]
    return said


def skip(state: State, event: e.SkipRequested, now: int) -> list[Said]:
    if _refused(state, event):
        return []
    if state.ended:
        return reopen(state, event, now)
    step = state.steps[event.key]
    repaired = RunRepaired("complete" if event.done else "skip", event.by, event.why, (event.key,))
    following = onward(step.scope, step.node, step.key)
    return [repaired, *quiet(step), *halted(step), _skipped(step, event), *following]


def _skipped(step: Step, event: e.SkipRequested) -> Said:
    output = NOTHING if event.output is None else event.output
    if event.done:
        return JobSucceeded(step.key, step.attempt, output)
    return JobSkipped(step.key, event.why or "skipped by a person", output)


def signal(state: State, event: e.Signalled, now: int) -> list[Said]:
    """Every wait that it fits goes on."""
    if _refused(state, event):
        return []
    found = msgspec.json.decode(event.event)
    steps = [step for step in _listening(state) if fits(step, found)]
    if not steps:
        return [] if _kept(state, found) else [RunSignalled(event.event)]
    keys = tuple(step.key for step in steps)
    said: list[Said] = [RunRepaired("signal", event.by, event.why, keys)]
    for step in steps:
        said += hear(state, step, event.event, now)
    return said


def _kept(state: State, event: dict[str, Any]) -> bool:
    """It was here before."""
    name = (event["source"], event["id"])
    kept = (msgspec.json.decode(one) for one in state.signals)
    return name in state.heard or any((one["source"], one["id"]) == name for one in kept)


def hear_kept(state: State, move: HearKept, now: int) -> list[Said]:
    """The oldest signal that fits continues the wait."""
    step = state.steps[move.key]
    if step.status != "waiting" or step.kind != "event":
        return []
    heard = (hear(state, step, event, now) for event in state.signals)
    return next((said for said in heard if said), [])
