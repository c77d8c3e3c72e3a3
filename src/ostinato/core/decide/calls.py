"""A job calls another workflow, and ends as the run of that does.

A run that nobody wants any more is cancelled, and the job ends once that run has: what it did is
taken back before what was done before it. A run that was open already under the uid that was called
is waited for, and left alone.
"""

from __future__ import annotations

import re
from typing import cast

from msgspec import Raw, Struct

from ostinato.core import run_ids
from ostinato.core.callers import Caller
from ostinato.core.codec import NULL, encode_value
from ostinato.core.commands import AnswerCall, CallRun
from ostinato.core.decide.activation import Activation, constant
from ostinato.core.decide.failing import job_failed
from ostinato.core.decide.moves import Said
from ostinato.core.decide.steps import silent, timeout_at, watch
from ostinato.core.facts import (
    NOTHING,
    Failure,
    JobCalled,
    JobEnding,
    RunCancelled,
    RunFailed,
    RunSucceeded,
)
from ostinato.core.model import Call
from ostinato.core.state import State, Step
from ostinato.core.uids import uid_problem
from ostinato.errors import ExpressionError

EMPTY = Raw(b"{}")


def call(at: Activation) -> list[Said]:
    """Its time-out is for all its attempts: one that is set goes on."""
    state, step = at.state, at.state.steps.get(at.key)
    if state.depth >= state.graph.most_depth:
        most = f"{state.depth} runs that call one another (limits.call_depth)"
        error = Failure("CallTooDeep", f"{at.key} would come below {most}")
        return job_failed(state, at.scope, at.node, at.key, at.attempt, error)
    workflow, version, uid = _target(at)
    data, fixed = _input(at)
    run_id = run_ids.derived(at.now, f"{state.run_id}/{at.key}/{at.attempt}", _partition(at, uid))
    going = None if step is None else step.timeout_at
    timeout = timeout_at(at.job, at.now) if going is None else going
    caller = Caller(state.run_id, at.key, at.attempt, state.depth + 1, state.first)
    return [
        JobCalled(at.key, at.attempt, run_id, workflow, NOTHING if fixed else data, timeout),
        CallRun(caller, run_id, workflow, version, uid, data),
        *watch(at.key, timeout, None),
    ]


def _partition(at: Activation, uid: str | None) -> int:
    """Beside the run that calls, or beside the others of its uid."""
    if uid is None:
        return run_ids.partition_of(at.state.run_id)
    return run_ids.partition_of_uid(uid)


class CallBudget(Struct, frozen=True):
    """How many runs there may be below one that nobody called: ``made`` in all, ``open`` at once.

    A workflow that calls itself twice makes a million runs within twenty levels: the depth of
    calls has a budget of its own, and this is that of their number.
    """

    made: int = 100_000
    open: int = 10_000

    def refusal(self, caller: Caller, made: int, open: int) -> Failure | None:
        """Why no further run may begin below ``caller.first``, which has so many."""
        if open >= self.open:
            setting, mend = "limits.open_calls", "let it call fewer at once (`at_once`)"
            return _too_many(f"{open:,} runs are open", caller, mend, setting)
        if made >= self.made:
            setting, mend = "limits.calls", "see that what calls itself comes to an end"
            return _too_many(f"{made:,} runs were made", caller, mend, setting)
        return None


def _too_many(how_many: str, caller: Caller, mend: str, setting: str) -> Failure:
    below = f"below run {caller.first}, which it called, or which those did"
    return Failure("TooManyCalls", f"{how_many} {below}; {mend}, or raise {setting}")


def circle(holder: str, uid: str | None) -> Failure:
    """The run that is open under the uid that is called waits for the one that calls."""
    why = f"run {holder} is open under uid {uid!r}, and waits for this one"
    return Failure("CallsItself", why)


def _input(at: Activation) -> tuple[Raw, bool]:
    """What the other run is given, and whether the definition says that by itself."""
    source = at.job.input
    if at.given is not None:
        return at.given, False
    if source is None:
        return EMPTY, True
    if source.constant:
        return constant(source), True
    return encode_value(source.render(at.names)), False


def _target(at: Activation) -> tuple[str, int | None, str | None]:
    found = cast(Call, at.job.action).target.render(at.names)
    workflow, version, uid = found["workflow"], found.get("version"), found.get("uid")
    if not isinstance(workflow, str) or not workflow:
        raise ExpressionError(f"call.workflow gave {workflow!r:.80}, not the name of a workflow")
    if version is not None and (type(version) is not int or version < 1):
        raise ExpressionError(f"call.version gave {version!r:.80}, not a whole number from 1")
    if uid is not None and not isinstance(uid, str):
        raise ExpressionError(f"call.uid gave {uid!r:.80}, not a text; write string(…)")
    if uid is not None and (why := uid_problem(uid)):
        raise ExpressionError(f"call.uid: {why}")
    return workflow, version, uid


def hang_up(step: Step) -> list[Said]:
    """It is not wanted any more: it ends when its run has."""
    return [*silent(step), JobEnding(step.key)]


def answers(state: State, end: Said) -> list[Said]:
    """Every run that waits for this one is told how it ends."""
    return [AnswerCall(caller, *_outcome(state, end)) for caller in state.callers]


def answer(state: State, caller: Caller) -> AnswerCall:
    """Of a run that is over already."""
    if state.status == "succeeded":
        return AnswerCall(caller, NULL if state.output is None else state.output)
    if state.error is None:
        return AnswerCall(caller, NULL, _told(state, "Cancelled", CANCELLED))
    return AnswerCall(caller, NULL, _told(state, state.error.name, state.error.message))


def _outcome(state: State, end: Said) -> tuple[Raw, Failure | None]:
    match end:
        case RunSucceeded(output):
            return output, None
        case RunFailed(error):
            return NULL, _told(state, error.name, error.message)
        case RunCancelled(why):
            return NULL, _told(state, "Cancelled", f"it was cancelled: {why}" if why else CANCELLED)
    raise TypeError(f"{end!r} ends no run")


CANCELLED = "it was cancelled"
_COMES_FROM = re.compile(r" \(run \S+ of \S+\)$")


def _told(state: State, name: str, message: str) -> Failure:
    """An error as the run above sees it: it says from which run it comes, the lowest one."""
    if _COMES_FROM.search(message):
        return Failure(name, message)
    return Failure(name, f"{message} (run {state.run_id} of {state.workflow})")
