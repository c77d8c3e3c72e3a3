"""How a run is shown: the same words at every door (``contract`` forms 7.1 and 7.6).

Python sees snake_case, JSON camelCase. Values of users stay encoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ostinato.core.callers import UNTIL_ITS_END, Caller
from ostinato.core.facts import NOTHING, Fact, Failure
from ostinato.core.graph import Node
from ostinato.core.model import Kind
from ostinato.core.secrets import hidden
from ostinato.core.state import LARGE, Scope, State, Step, path_of
from ostinato.core.tasks import read_task, task_id


class View(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    pass


class ErrorView(View, omit_defaults=False):
    name: str
    message: str
    job: str | UnsetType = UNSET


class JobView(View, omit_defaults=False):
    """One step. ``input`` and ``output`` are there when they were recorded; ``worker`` has done it
    elsewhere, or is at work on it."""

    key: str
    job: str
    phase: str | None
    status: str
    attempts: int
    started_at: int | None = None
    ended_at: int | None = None
    input: Raw | UnsetType = UNSET
    output: Raw | UnsetType = UNSET
    error: ErrorView | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    worker: str | UnsetType = UNSET


class AskedView(View, omit_defaults=False):
    """The task that a step waits for, and whose it is; it goes to another at ``escalates_at``."""

    id: str
    name: str
    assignee: str | None
    candidates: tuple[str, ...]
    groups: tuple[str, ...]
    outcomes: tuple[str, ...]
    due_at: int | None
    escalates_at: int | None


class WaitView(View, omit_defaults=False):
    """Why a step waits, since when, and what would continue it. Key "" is the run itself.

    ``types`` are those of the events that it waits for; for a turn, the names of its places. For
    a call, ``run`` is the run that it waits for. A ``topic`` is what workers are asked for;
    ``asked_at`` says when one last asked for it (null: none since the server began).
    """

    key: str
    kind: str
    since: int
    run: str | UnsetType = UNSET
    due_at: int | None = None
    types: tuple[str, ...] = ()
    match: Raw | UnsetType = UNSET
    token: str | UnsetType = UNSET
    task: AskedView | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    asked_at: int | UnsetType | None = UNSET


class PhaseView(View, omit_defaults=False):
    key: str
    phase: str
    status: str
    started_at: int
    ended_at: int | None = None
    error: ErrorView | UnsetType = UNSET


class ParentView(View):
    """The run that has started this one, and waits for it in this step."""

    run: str
    step: str


class ChildView(View):
    """A run that a step of this one has called; ``joined``: it was there already."""

    step: str
    attempt: int
    run: str
    workflow: str
    joined: bool = False


class RunView(View, omit_defaults=False):
    id: str
    workflow: str
    version: int
    uid: str | None
    status: str
    doing: str
    waiting_for: str | None
    started_at: int
    ended_at: int | None
    input: Raw
    output: Raw
    error: ErrorView | None
    reason: str | None
    event: Raw
    jobs: list[JobView]
    phases: list[PhaseView]
    waits: list[WaitView]
    warnings: list[str]
    incident: str | None = None
    tokens: tuple[str, ...] = ()
    forked_from: str | UnsetType = UNSET
    parent: ParentView | UnsetType = UNSET
    children: list[ChildView] | UnsetType = UNSET
    duplicate: bool | UnsetType = UNSET


NULL = Raw(b"null")


def run_view(state: State) -> RunView:
    reason, tokens = state.stuck or (None, ())
    return RunView(
        id=state.run_id,
        workflow=state.workflow,
        version=state.version,
        uid=state.uid,
        status=status_of(state),
        doing=state.doing,
        waiting_for=state.waiting_for,
        started_at=state.started_at,
        ended_at=state.ended_at,
        input=state.input if state.input is not None else _encoded(state.input_value),
        output=state.output if state.output is not None and state.status == "succeeded" else NULL,
        error=_error(state.error),
        reason=state.cancelled or None,
        event=NULL if state.event is None else state.event,
        forked_from=state.forked_from or UNSET,
        parent=_parent(state),
        children=_children(state) or UNSET,
        jobs=[_job(step) for step in state.steps.values()],
        phases=[_phase(scope) for scope in state.scopes.values() if _is_phase(scope)],
        waits=[*_own_turn(state), *_waits(state)],
        warnings=list(state.warnings),
        incident=reason,
        tokens=tokens,
    )


def _parent(state: State) -> ParentView | UnsetType:
    parent = state.parent
    return UNSET if parent is None else ParentView(run=parent.run, step=parent.key)


def _children(state: State) -> list[ChildView]:
    return [
        ChildView(
            step=child.key,
            attempt=child.attempt,
            run=child.run,
            workflow=child.workflow,
            joined=child.joined,
        )
        for child in state.children.values()
    ]


def status_of(state: State) -> str:
    """running while some job is at work; waiting while all that is open waits."""
    if state.ended or not state.run_id:
        return state.status
    if state.queued:
        return "pending"
    if state.paused:
        return "paused"
    return "running" if state.busy > state.offered and not state.stuck else "waiting"


def _encoded(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def _error(error: Failure | None) -> ErrorView | None:
    if error is None:
        return None
    return ErrorView(name=error.name, message=error.message, job=error.job or UNSET)


def phase_of(node: Node) -> str | None:
    """The outermost scope around a job: its phase, ``on_failure`` or ``finally``."""
    while node.parent is not None and node.parent.parent is not None:
        node = node.parent
    return node.name if node.children else None


def _job(step: Step) -> JobView:
    return JobView(
        key=step.key,
        job=step.node.name,
        phase=phase_of(step.node),
        status=step.shown,
        attempts=step.attempt,
        started_at=step.ready_at,
        ended_at=step.ended_at,
        input=_input(step),
        output=step.output if step.output is not None else UNSET,
        error=_error(step.error) or UNSET,
        reason=step.why or UNSET,
        worker=step.worker or UNSET,
    )


def _input(step: Step) -> Raw | UnsetType:
    """A large one is shown as long as a repair could use it; the history has it for ever."""
    if step.input is None or (step.status == "succeeded" and len(step.input) > LARGE):
        return UNSET
    return hidden(step.input)


def _is_phase(scope: Scope) -> bool:
    """Not the run itself, not an item of an ``each``, and not the ``each`` of a job."""
    return scope.parent is not None and scope.index is None and scope.node.kind is Kind.SCOPE


def _phase(scope: Scope) -> PhaseView:
    return PhaseView(
        key=scope.key,
        phase=scope.node.name,
        status=scope.status,
        started_at=scope.opened_at,
        ended_at=scope.ended_at,
        error=_error(scope.error) or UNSET,
    )


def _own_turn(state: State) -> list[WaitView]:
    if not state.queued:
        return []
    kind = "uid" if state.behind else "turn"
    return [WaitView(key="", kind=kind, since=state.started_at, types=state.places)]


def _waits(state: State) -> Iterator[WaitView]:
    for step in state.open.values():
        if step.status == "waiting":
            yield _wait(state, step)
        elif step.status == "ready" and step.topic is not None:
            since = step.waiting_since
            yield WaitView(key=step.key, kind="worker", since=since, topic=step.topic)


def _wait(state: State, step: Step) -> WaitView:
    return WaitView(
        key=step.key,
        kind=step.kind,
        since=step.waiting_since,
        due_at=step.timeout_at if step.kind == "task" else step.due_at or step.timeout_at,
        run=step.types[0] if step.kind in UNTIL_ITS_END else UNSET,
        types=_names(step),
        match=step.match if step.match is not None else UNSET,
        token=state.token(step.key) if step.kind == "callback" else UNSET,
        task=_asked(state, step) if step.kind == "task" else UNSET,
    )


def _asked(state: State, step: Step) -> AskedView | UnsetType:
    if step.input is None:
        return UNSET
    task = read_task(step.input)
    return AskedView(
        id=task_id(state.run_id, step.key, step.attempt),
        name=task.name,
        assignee=task.assignee,
        candidates=task.candidates,
        groups=task.groups,
        outcomes=task.outcomes,
        due_at=task.due_at(step.waiting_since),
        escalates_at=step.due_at,
    )


def _names(step: Step) -> tuple[str, ...]:
    if step.kind == "turn":
        return step.places
    return step.types if step.kind == "event" else ()


def history_view(seq: int, at: int, facts: Iterable[Fact]) -> Iterator[dict[str, Any]]:
    """Per fact: ``seq``, ``at``, ``type``, then what it holds."""
    for number, fact in enumerate(facts, seq):
        yield {"seq": number, "at": at, "type": fact_type(fact)} | _members(fact)


def fact_type(fact: Fact) -> str:
    return str(fact.__struct_config__.tag)


def _members(fact: Fact) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in fact.__struct_fields__:
        value = getattr(fact, name)
        if value is None or value is NOTHING or value == () or name == "seed":
            continue  # whoever knows the seed knows the run's tokens
        if isinstance(value, Failure):
            value = _error(value)
        elif isinstance(value, Caller):
            value = {"run": value.run, "step": value.key, "attempt": value.attempt}
        elif isinstance(value, Raw):
            value = hidden(value)
        shown[_camel(name)] = value
    if "key" in shown and fact_type(fact).startswith("job."):
        shown["job"] = path_of(shown["key"]).rpartition("/")[2]
    return shown


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
