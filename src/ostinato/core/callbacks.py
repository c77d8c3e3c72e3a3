"""Callback tokens: who holds one, and whether an answer by it still counts.

The step is open: it does. It ran out of time (``Timeout`` and ``HeartbeatTimeout`` as the timers
of the run set them; those name their job, a failure that a user called so does not): the token is
gone. It ended in any other way: there is a conflict.
"""

from __future__ import annotations

from itertools import islice

from ostinato.core.state import State, Step
from ostinato.errors import ConflictError, Gone, NotFoundError

OUT_OF_TIME = ("Timeout", "HeartbeatTimeout")


def holder(state: State, token: str) -> Step:
    """The open step of this token. Raises ``NotFoundError``, ``Gone`` or ``ConflictError``."""
    key = _key(state, token)
    if key is None:
        raise NotFoundError("no job has this token")
    step = state.steps[key]
    if step.open:
        return step
    if _out_of_time(step):
        raise Gone(f"job {key} of run {state.run_id} has timed out")
    raise ConflictError(f"job {key} of run {state.run_id} has already {step.status}")


def _key(state: State, token: str) -> str | None:
    """Steps are only ever added, so only those at the end of ``steps`` may be new."""
    tokens = state.tokens = state.tokens if isinstance(state.tokens, dict) else {}
    new = len(state.steps) - len(tokens)
    for key in islice(reversed(state.steps), new):
        tokens[state.token(key)] = key
    return tokens.get(token)


def _out_of_time(step: Step) -> bool:
    error = step.error
    if step.status != "failed" or error is None:
        return False
    return error.name in OUT_OF_TIME and bool(error.job)
