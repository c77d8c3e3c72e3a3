"""Who waited for places has them, does not get them, or gives them up.

What is told too late changes nothing: a step that has ended meanwhile has freed its places itself.
"""

from __future__ import annotations

from ostinato.core import events as e
from ostinato.core.commands import FreePlaces, HoldPlace
from ostinato.core.decide.activation import Activation
from ostinato.core.decide.jobs import admitted
from ostinato.core.decide.moves import Begin, Fail, Said
from ostinato.core.decide.reporting import attempt_failed
from ostinato.core.decide.steps import halted
from ostinato.core.facts import Failure, RunAdmitted, RunFollowed
from ostinato.core.state import State, Step


def taken(state: State, event: e.PlacesTaken, now: int) -> list[Said]:
    if not event.key:
        return [RunAdmitted(), Begin("")] if state.queued else []
    step = _waiting(state, event.key)
    if step is None:
        return []
    if state.paused:  # it was on its way when somebody paused the run
        return [FreePlaces(step.key)]
    return admitted(
        Activation(state, step.scope, step.node, step.job, step.key, step.attempt, now, step.input)
    )


def followed(state: State, event: e.Followed, now: int) -> list[Said]:
    """Who is open has the place for which the others wait: its end frees it."""
    if state.ended or not state.run_id or event.name in state.places:
        return []
    return [RunFollowed(event.name), HoldPlace(event.name)]


def refused(state: State, event: e.PlacesRefused, now: int) -> list[Said]:
    error = Failure("Rejected", f"no place is free under {event.name}")
    if not event.key:
        return [Fail(state.root, error)] if state.queued else []
    step = _waiting(state, event.key)
    return [] if step is None else attempt_failed(state, step, error, now, final=True)


def displaced(state: State, event: e.Displaced, now: int) -> list[Said]:
    step = state.steps.get(event.key)
    if step is None or not step.open or event.name not in step.places:
        return []
    error = Failure("Displaced", f"its place under {event.name} went to one that came later")
    return [*halted(step), *attempt_failed(state, step, error, now, final=True)]


def _waiting(state: State, key: str) -> Step | None:
    step = state.steps.get(key)
    waits = step is not None and step.kind == "turn" and step.status == "waiting"
    return step if waits else None
