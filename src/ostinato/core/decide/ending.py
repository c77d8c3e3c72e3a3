"""Failing, stopping and cancelling; ``on_failure`` and ``finally``; how a run ends.

When something fails for good, the nearest scope that forgives it (an item within ``tolerate``,
an optional one) fails, and all in between; else the run does. A failing scope starts nothing new
and asks what is open to stop; once empty it ends. Then, for the run: what was done is taken back
(``undoing``), ``on_failure`` unless cancelled, ``finally``, and the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Raw, json

from ostinato.core import events as e
from ostinato.core.codec import NULL, encode_value
from ostinato.core.commands import SetTimer
from ostinato.core.decide.calls import answers, hang_up
from ostinato.core.decide.enough import can_spare
from ostinato.core.decide.moves import Begin, Fail, Finish, NoteUndo, Said, Settle, Stop
from ostinato.core.decide.reporting import cancelled
from ostinato.core.decide.steps import armed, freed, no_timer, no_timers, quiet, silent, stop_job
from ostinato.core.decide.undoing import undo
from ostinato.core.expressions import Expression
from ostinato.core.facts import (
    Failure,
    JobCancelled,
    JobCancelling,
    RunCancelled,
    RunCancelling,
    RunFailed,
    RunFinishing,
    RunStuck,
    RunSucceeded,
    RunWarned,
    ScopeFailing,
    ScopeOpened,
)
from ostinato.core.graph import FINALLY, Node
from ostinato.core.model import Kind
from ostinato.core.names import Names
from ostinato.core.outputs import outputs, weight
from ostinato.core.state import BUSY, Scope, State, Step
from ostinato.errors import ConflictError, ExpressionError, TooLarge, UsageError

UNDOING = "undo"

GRACE = 10_000
"""Milliseconds that running siblings are given to stop."""


def fail(state: State, move: Fail, now: int) -> list[Said]:
    scope = _answerable(state, move.scope)
    if scope.stopping:
        return [Settle(move.scope.key)]
    failing = [ScopeFailing(one.key, move.error) for one in _up_to(scope, move.scope)]
    stops: list[Said] = [] if move.finish else [Stop(scope.key)]
    return [*no_timers(state, scope), *failing, *stops, Settle(move.scope.key)]


def _up_to(last: Scope, first: Scope) -> Iterator[Scope]:
    """``first`` and what is around it, ``last`` included."""
    scope: Scope | None = first
    while scope is not None and scope is not last:
        yield scope
        scope = scope.parent
    yield last


def _answerable(state: State, scope: Scope) -> Scope:
    """The scope that fails when something in ``scope`` has failed."""
    while scope.parent is not None:
        if scope.stopping and scope.error is not None:
            return scope
        if _forgives(scope) or scope.node in (state.graph.on_failure, state.graph.finally_):
            return scope
        scope = scope.parent
    return scope


def _forgives(scope: Scope) -> bool:
    container, each = scope.parent, scope.node.each
    if scope.index is None or container is None or each is None:
        return scope.node.optional or (container is not None and can_spare(container))
    return container.failed < each.may_fail(len(container.items or ()))


def timed_out(state: State, event: e.TimerFired) -> list[Said]:
    """A phase or the whole run has taken too long."""
    scope = state.scopes.get(event.key)
    if scope is None or event.kind != "timeout" or scope.ended_at is not None:
        return []
    if not event.key:
        if state.due_at != event.due_at or state.doing != "work":
            return []
        return [Fail(scope, Failure("Timeout", "the run took too long"))]
    if scope.due_at != event.due_at or scope.stopping:
        return []
    return [Fail(scope, Failure("Timeout", f"phase {scope.key} took too long"))]


def cancel_requested(state: State, event: e.CancelRequested, now: int) -> list[Said]:
    if state.ended or not state.run_id:
        return []
    left = [] if state.cancelled is None else _let_go(state)
    if state.cancelled is not None and state.doing != FINALLY:
        return [*_go_on(state, event), *left] if state.paused or left else []
    if state.doing == UNDOING:  # it is being taken back already, and nothing comes after that
        if state.paused:
            return _go_on(state, event)
        return [RunCancelling(event.by, event.why)]
    return [*no_timers(state, state.root), RunCancelling(event.by, event.why), *left, Stop("")]


def refuse_cancel(state: State) -> None:
    """Raises ``ConflictError``: it would change nothing, and nothing would follow."""
    run = f"run {state.run_id}"
    if state.ended:
        raise ConflictError(f"{run} is over already: {state.status}")
    if state.cancelled is None or state.doing == FINALLY or _let_go(state):
        return
    held = " and ".join(step.key for step in state.open.values() if step.kind == "repair")
    if held and state.waiting_for == "repair":
        raise ConflictError(f"{run} is being cancelled already: retry or skip {held}")


def _let_go(state: State) -> list[Said]:
    """Who cancels once more does not wait for the runs that are being cancelled, either."""
    said: list[Said] = []
    for step in state.open.values():
        if step.kind in ("call", "ending") and step.scope.node.kind is not Kind.UNDO:
            said += cancelled(step)
    return said


def _go_on(state: State, event: e.CancelRequested) -> list[Said]:
    """It is ending already: what a pause holds up goes on."""
    scopes = [scope for scope in state.scopes.values() if scope.ended_at is None]
    settled = [Settle(scope.key) for scope in scopes]
    return [RunCancelling(event.by, event.why), *armed(state), *settled]


def broken(state: State, event: e.Broken, now: int) -> list[Said]:
    return [] if state.ended or state.stuck else [RunStuck(event.reason)]


def stop(state: State, move: Stop, now: int) -> list[Said]:
    said: list[Said] = []
    for child in state.scopes[move.key].live.values():
        if isinstance(child, Step):
            said += _stop_step(child, now)
        else:
            said.append(Stop(child.key))
    return [*said, Settle(move.key)]


def _stop_step(step: Step, now: int) -> list[Said]:
    if step.kind in ("call", "ending") and step.status == "waiting":
        return hang_up(step) if step.kind == "call" else []
    if step.status not in BUSY:
        noted: list[Said] = [] if step.node.undo is None else [NoteUndo(step.key)]
        gone = JobCancelled(step.key, step.attempt)
        return [*quiet(step), gone, *noted, Settle(step.scope.key)]
    if step.status == "cancelling":
        return []
    due_at = now + GRACE
    return [
        *silent(step),
        JobCancelling(step.key, due_at),
        stop_job(step),
        SetTimer(step.key, "grace", due_at),
    ]


def finish(state: State, move: Finish, now: int) -> list[Said]:
    """The work, ``on_failure`` or ``finally`` is over: go on to the next of them."""
    if not move.key:
        return _work_over(state, now)
    scope = state.scopes[move.key]
    said: list[Said] = []
    if scope.error is not None:
        said.append(RunWarned(f"{scope.key}: {scope.error.name}: {scope.error.message}"))
    return [*said, *_next(state, now)]


def _work_over(state: State, now: int) -> list[Said]:
    halted = state.halted and state.output is None and state.cancelled is None
    if state.doing != "work" and not halted:
        return _next(state, now)
    try:
        output = _output(state)
    except (ExpressionError, UsageError) as error:
        return [Fail(state.root, Failure(error.code, f"output: {error}"))]
    warned = [] if output is not None else [RunWarned(_left_out(state))]
    given = NULL if output is None else output
    if state.graph.finally_ is None:
        end = RunSucceeded(given)
        said: list[Said] = [*warned, *no_timer(state), *freed(state), end]
        return [*said, *answers(state, end)] if state.callers else said
    return [*warned, *no_timer(state), RunFinishing(given), *_next(state, now)]


def _output(state: State) -> Raw | None:
    """What its document says. None when that is nothing, and what the jobs gave is too large."""
    graph = state.graph
    if graph.output is None:
        return _outputs(state)
    names = Names(state, state.root)
    said = graph.output
    data = encode_value(
        said.evaluate(names) if isinstance(said, Expression) else said.render(names)
    )
    if len(data) > graph.most_output:
        raise TooLarge.beyond("the run's", len(data), graph.most_output, "limits.output")
    return data


def _outputs(state: State) -> Raw | None:
    last, most = state.graph.last, state.graph.most_output
    found = {} if last is None else outputs(state.root, last)
    if state.large is not None and weight(found) > most:  # it may not even fit into memory
        return None
    data = Raw(json.encode(found))
    return data if len(data) <= most else None


def _left_out(state: State) -> str:
    return (
        "the outputs of the last phase are together larger than the limit of "
        f"{state.graph.most_output:,} bytes of JSON (limits.output), so the run has no output; "
        "say in `output` what matters, or raise the limit"
    )


def _next(state: State, now: int) -> list[Said]:
    graph = state.graph
    if (state.error is not None or state.cancelled is not None) and (begun := undo(state)):
        return begun
    failed = state.error is not None and state.cancelled is None
    if failed and (opened := _stage(state, graph.on_failure)):
        return opened
    if opened := _stage(state, graph.finally_):
        return opened
    end = _end(state)
    return [*no_timer(state), *freed(state), end, *answers(state, end)]


def _stage(state: State, node: Node | None) -> list[Said]:
    if node is None or node.name in state.staged:
        return []
    key = state.root.next_key(node)
    return [ScopeOpened(key), Begin(key)]


def _end(state: State) -> Said:
    if state.cancelled is not None:
        return RunCancelled(state.cancelled)
    if state.error is not None:
        return RunFailed(state.error)
    finally_ = state.graph.finally_
    last = None if finally_ is None else state.root.latest.get(finally_.index)
    if last is not None and last.error is not None:
        return RunFailed(last.error)
    return RunSucceeded(state.output if state.output is not None else Raw(b"null"))
