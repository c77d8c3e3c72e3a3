"""Taking back what was done: when the run fails or is cancelled, in reverse order of completion.

What a scope did is taken back as a whole, at the scope's place among its siblings. One after the
other: the first that cannot be taken back waits for a person, and all that came before it, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Raw

from ostinato.core.codec import encode_value
from ostinato.core.decide.activation import Activation, constant
from ostinato.core.decide.flowing import close
from ostinato.core.decide.jobs import begin
from ostinato.core.decide.moves import Begin, NoteUndo, Said, Settle, TakeBack
from ostinato.core.facts import Failure, JobHeld, JobUndone, ScopeOpened, UndoNoted, UndoPlanned
from ostinato.core.graph import UNDO
from ostinato.core.names import Names
from ostinato.core.outputs import output_of
from ostinato.core.state import TAKEN_BACK, Scope, State, Step
from ostinato.errors import ExpressionError, UsageError

UNKNOWN = frozenset({"Timeout", "HeartbeatTimeout", "Abandoned"})
"""Errors after which a job may have done its work all the same."""


def note(state: State, move: NoteUndo, now: int) -> list[Said]:
    """Taking it back will see what is known now."""
    step = state.steps[move.key]
    if not _may_have_happened(step):
        return []
    try:
        return [UndoNoted(step.key, _input(state, step))]
    except (ExpressionError, UsageError) as error:
        failure = Failure(error.code, f"{step.node.path}: undo: {error}", step.node.name)
        return [UndoNoted(step.key, error=failure)]


def _may_have_happened(step: Step) -> bool:
    if step.status == "failed":
        return step.error is not None and step.error.name in UNKNOWN
    if step.status == "cancelled":
        return step.kind in ("", "callback")
    return step.status == "succeeded"


def _input(state: State, step: Step) -> Raw:
    """What its document says, or what the job itself was given."""
    undo = step.node.undo
    source = step.node.spec.input if undo is None or undo.input is None else undo.input
    if source is None:
        return encode_value({})
    if source is step.node.spec.input and step.input is not None:
        return step.input
    if source.constant:
        return constant(source)
    extra = {"output": output_of(state, step)}
    return encode_value(source.render(Names(state, step.scope, step, extra=extra)))


def undo(state: State) -> list[Said]:
    """Begin to take everything back; nothing when there is nothing, or when that was done."""
    node = state.graph.undo
    if node is None or node.index in state.root.visits:
        return []
    keys = tuple(_in_order(state))
    return [ScopeOpened(UNDO), UndoPlanned(keys), Begin(UNDO)] if keys else []


def _in_order(state: State) -> Iterator[str]:
    children: dict[str, list[Step | Scope]] = {}
    for step in state.steps.values():
        if step.undo_input is not None:
            children.setdefault(step.scope.key, []).append(step)
    for scope in state.scopes.values():
        if scope.parent is not None:
            children.setdefault(scope.parent.key, []).append(scope)
    yield from _below("", children)


def _below(key: str, children: dict[str, list[Step | Scope]]) -> Iterator[str]:
    for child in sorted(children.get(key, ()), key=lambda one: -one.ended_seq):
        if isinstance(child, Step):
            yield child.key
        else:
            yield from _below(child.key, children)


def take_back(state: State, move: TakeBack, now: int) -> list[Said]:
    """The next one, now that the one before it is done; the end when none is left."""
    scope = move.scope
    if state.undoing is not None:
        return [JobUndone(state.undoing), Settle(scope.key)]
    if not state.to_undo:
        return close(state, scope)
    step = state.steps[state.to_undo[-1]]
    key = step.key + TAKEN_BACK
    if step.undo_error is not None:
        return [JobHeld(key, 1, step.undo_error)]
    undo = step.node.undo or step.node.spec
    return begin(Activation(state, scope, step.node, undo, key, 1, now, step.undo_input))
