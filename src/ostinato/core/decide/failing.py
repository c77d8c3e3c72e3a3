"""A job has failed for good: it is caught, held for a person, forgiven, or told on."""

from __future__ import annotations

from ostinato.core.decide.enough import can_spare
from ostinato.core.decide.flowing import onward
from ostinato.core.decide.moves import Fail, NoteUndo, Said, StandIn
from ostinato.core.facts import Failure, JobCaught, JobFailed, JobHeld
from ostinato.core.graph import Node
from ostinato.core.model import Kind, OnError
from ostinato.core.state import Scope, State


def job_failed(
    state: State,
    scope: Scope,
    node: Node,
    key: str,
    attempt: int,
    error: Failure,
    *,
    begun: bool = True,
) -> list[Said]:
    """What could not even begin (``begun``) cannot be held: nobody could take it up again."""
    if scope.stopping:
        return [JobFailed(key, attempt, error), *onward(scope, node, key)]
    if scope.node.kind is Kind.UNDO:  # nobody may take it for done
        return [JobHeld(key, attempt, error)]
    caught = _catch(state, node, key, error)
    if caught is not None:
        return [JobCaught(key, attempt, error, caught), StandIn(key)]
    if _forgiven(scope, node):
        return [JobFailed(key, attempt, error), *onward(scope, node, key)]
    mode = node.mode()
    if mode is OnError.HOLD and begun:
        return [JobHeld(key, attempt, error)]
    told = Failure(error.name, error.message, node.name)
    noted = [] if node.undo is None else [NoteUndo(key)]
    return [JobFailed(key, attempt, error), *noted, Fail(scope, told, mode is OnError.FINISH)]


def _catch(state: State, node: Node, key: str, error: Failure) -> int | None:
    """Which of the job's catches stands in. What stands in itself is not caught again."""
    step = state.steps.get(key)
    if node.job is None or (step is not None and step.caught is not None):
        return None
    fitting = (index for index, one in enumerate(node.job.catch) if one.fits(error.name))
    return next(fitting, None)


def _forgiven(scope: Scope, node: Node) -> bool:
    if scope.node is node:  # an item asks its `each`
        return False
    return node.optional or can_spare(scope)
