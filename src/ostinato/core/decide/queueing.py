"""Limits: a job, or a run, that needs a place waits for its turn before it begins.

A place is held from there to the end of the step, over all its attempts; it is free again in the
transaction that records the end. Who waits is told by the runtime, which knows who has the places.
"""

from __future__ import annotations

from collections.abc import Iterable

from ostinato.core.codec import encode_value
from ostinato.core.commands import FreePlaces, TakePlaces, Want
from ostinato.core.decide.activation import Activation
from ostinato.core.decide.moves import Fail, Said
from ostinato.core.facts import NOTHING, Failure, JobQueued, RunQueued
from ostinato.core.labels import nul_problem
from ostinato.core.model import Limit
from ostinato.core.names import Names
from ostinato.core.state import State, Step
from ostinato.core.uids import line_want
from ostinato.errors import ExpressionError

LONGEST = 1_000
"""Characters of a name."""


def queue_job(at: Activation) -> list[Said]:
    """Raises ``ExpressionError``: no key is no limit that anybody meant."""
    node, workflow = at.node, at.state.workflow
    wants = _wants(f"{workflow}/{node.path}", node.limits, at.names)
    names = tuple(want.name for want in wants)
    queued = JobQueued(at.key, names, at.attempt, NOTHING if at.given is None else at.given)
    return [queued, TakePlaces(at.key, wants, at.state.graph.priority)]


def left(state: State) -> list[FreePlaces]:
    """The run is paused: its jobs give their turns up, so that nobody waits behind them."""
    return [FreePlaces(step.key) for step in _in_line(state)]


def queue_again(state: State) -> list[TakePlaces]:
    """It goes on, and its jobs stand behind those that have come meanwhile."""
    priority = state.graph.priority
    return [TakePlaces(step.key, _recorded(step), priority) for step in _in_line(state)]


def _in_line(state: State) -> list[Step]:
    return [step for step in state.open.values() if step.kind == "turn"]


def _recorded(step: Step) -> tuple[Want, ...]:
    """What it wanted when it came: the names are facts, the rest is the definition's."""
    pairs = zip(step.places, step.node.limits, strict=True)
    return tuple(Want(name, one.limit, one.overflow.value, one.per) for name, one in pairs)


def queue_run(state: State, behind: str = "") -> list[Said]:
    """``behind`` names the line of its uid; its own limits wait with that."""
    graph = state.graph
    try:
        wants = _wants(graph.workflow, graph.limits, Names(state, state.root))
    except ExpressionError as error:
        return [Fail(state.root, Failure(error.code, str(error)))]
    if behind:
        wants = (line_want(behind), *wants)
    names = tuple(want.name for want in wants)
    return [RunQueued(names), TakePlaces("", wants, graph.priority)]


def _wants(place: str, limits: Iterable[Limit], names: Names) -> tuple[Want, ...]:
    return tuple(_want(place, limit, names) for limit in limits)


def _want(place: str, limit: Limit, names: Names) -> Want:
    what = "concurrency" if limit.per is None else "rate"
    name = f"{what}:{place}"
    if limit.key is not None:
        value = limit.key.evaluate(names)
        if value is None:
            raise ExpressionError(f"{what}.key: {limit.key.text} gave null, which is no key")
        shown = value if isinstance(value, str) else bytes(encode_value(value)).decode()
        name = f"{name}:{shown}"
    if why := nul_problem(name):
        raise ExpressionError(f"{what}.key {why}")
    if len(name) > LONGEST:
        raise ExpressionError(f"{what}.key is longer than {LONGEST} characters")
    return Want(name, limit.limit, limit.overflow.value, limit.per)
