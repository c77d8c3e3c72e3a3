"""A wait begins: for a span, an instant, or an event."""

from __future__ import annotations

from typing import Any, cast

from msgspec import Raw

from ostinato.core import correlation
from ostinato.core.codec import encode_value
from ostinato.core.commands import OpenWait, SetTimer
from ostinato.core.decide.activation import Activation
from ostinato.core.decide.moves import HearKept, Said
from ostinato.core.decide.steps import timeout_at, watch
from ostinato.core.facts import NOTHING, JobWaiting
from ostinato.core.instants import moment
from ostinato.core.model import WaitEvent, WaitUntil
from ostinato.core.patterns import Pattern
from ostinato.core.patterns.parse import OURS
from ostinato.core.run_ids import chosen_at
from ostinato.errors import ExpressionError, PatternError


def until(at: Activation) -> list[Said]:
    span = cast(WaitUntil, at.job.action).span
    due_at = (
        moment(at.values().get("until"), at.now, "wait.until") if span is None else at.now + span
    )
    waiting = JobWaiting(at.key, "timer", at.attempt, due_at=due_at)
    return [waiting, SetTimer(at.key, "due", due_at)]


def event(at: Activation) -> list[Said]:
    action = cast(WaitEvent, at.job.action)
    match = at.values() if at.job.input is not None else {}
    values_key = correlation.key_of_values(action.paths, _values(action.paths, match))
    timeout = timeout_at(at.job, at.now)
    waiting = JobWaiting(
        at.key, "event", at.attempt, timeout_at=timeout, types=action.types, match=_pattern(match)
    )
    wait = OpenWait(at.key, action.types, action.paths, values_key, _since(at, action))
    said: list[Said] = [waiting, wait, *watch(at.key, timeout, None)]
    return [*said, HearKept(at.key)] if at.state.signals else said


def _since(at: Activation, action: WaitEvent) -> int | None:
    """From when on an event may have come: never before the run's own trigger.

    That came when the run's id was chosen, where another process took it in and this one was told:
    what came while it was on its way counts. What came before it all the same, by another clock,
    the store leaves out, as it knows the order; this is how far it has to look.
    """
    if action.look_back == 0:
        return None
    begun = min(at.state.started_at, chosen_at(at.state.run_id))
    return begun if action.look_back is None else max(begun, at.now - action.look_back)


def _pattern(match: dict[str, Any]) -> Raw:
    """Looked at now: at an event's arrival nobody could be told that it is none."""
    if not match:
        return NOTHING
    try:
        Pattern(match)
    except PatternError as error:
        raise ExpressionError(f"wait.match: {error}") from None
    return encode_value(match)


def _values(paths: tuple[str, ...], match: dict[str, Any]) -> list[Any]:
    """What the pattern wants at each of ``paths``: one plain value each."""
    return [_wanted(match, path.split(".")) for path in paths]


def _wanted(match: dict[str, Any], path: list[str]) -> Any:
    """Both ``data`` and its other name may be there, each with a part of what is wanted."""
    for name, value in match.items():
        found = value if OURS.get(name, name) == path[0] else None
        for below in path[1:]:
            found = found.get(below) if isinstance(found, dict) else None
        if found is not None:
            return found[0]
    raise ExpressionError(f"wait.match has no value at {'.'.join(path)}")
