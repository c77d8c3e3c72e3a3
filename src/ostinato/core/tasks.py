"""Work for people: what they are asked, by what name, and which answer counts.

A task is the input of its job, rendered when the job begins. Spans in it count from then; whoever
it was handed on to stands in it as its assignee, and what is left of ``escalate`` is still to come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct

from ostinato.core.durations import parse_duration
from ostinato.core.instants import moment
from ostinato.core.labels import nul_problem
from ostinato.errors import ConflictError, DefinitionError, ExpressionError

if TYPE_CHECKING:
    from ostinato.core.state import State

Level = Literal["low", "medium", "high"]


class Escalation(Struct, frozen=True):
    """So long ``after`` the task was opened it goes to somebody else."""

    after: str
    to: str


class Task(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``form`` is a JSON Schema of the answer's data; ``data`` is shown to whoever is asked.

    ``due`` is a span or an instant: nothing happens then, but that it is overdue.
    """

    name: str
    key: str | None = None
    type: str | None = None
    assignee: str | None = None
    candidates: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    priority: Level = "medium"
    severity: Level = "medium"
    due: str | int | float | None = None
    escalate: tuple[Escalation, ...] = ()
    form: dict[str, Any] | None = None
    outcomes: tuple[str, ...] = ()
    data: Any = None

    def due_at(self, opened_at: int) -> int | None:
        return None if self.due is None else moment(self.due, opened_at, "task.due")

    def allows(self, outcome: str | None) -> bool:
        """Any outcome, where none is named."""
        return not self.outcomes or outcome in self.outcomes

    def escalates_at(self, opened_at: int) -> int | None:
        """When the first of those that are left comes."""
        if not self.escalate:
            return None
        try:
            return opened_at + parse_duration(self.escalate[0].after)
        except (DefinitionError, ValueError) as error:
            raise ExpressionError(f"task.escalate: {error}") from None

    def escalated(self) -> Task:
        first, *rest = self.escalate
        return msgspec.structs.replace(self, assignee=first.to, escalate=tuple(rest))


TEXTS = ("name", "key", "type", "assignee")
LISTS = ("candidates", "groups", "outcomes")


def task_of(values: dict[str, Any]) -> Task:
    """What the rendered members of ``task`` say; null is as if it were not there.

    Raises ``ExpressionError`` that names the member.
    """
    given = {name: value for name, value in values.items() if value is not None}
    for name in LISTS:
        if isinstance(given.get(name), str):
            given[name] = [given[name]]
    for name in TEXTS:
        if not isinstance(value := given.get(name, ""), str):
            raise ExpressionError(f"task.{name} gave {value!r:.80}, not a text")
    try:
        task = msgspec.convert(given, Task)
    except msgspec.ValidationError as error:
        raise ExpressionError(f"task: {error}") from None
    if not task.name.strip():
        raise ExpressionError("task.name is empty")
    for member, text in labels(task):
        if why := nul_problem(text):
            raise ExpressionError(f"task.{member} {why}")
    return task


def labels(task: Task) -> Iterator[tuple[str, str]]:
    """The texts that it is found by, or may be later, and whose they are."""
    for name in TEXTS:
        yield name, getattr(task, name) or ""
    for name in LISTS:
        for one in getattr(task, name):
            yield name, one
    for level in task.escalate:
        yield "escalate.to", level.to


def read_task(data: Raw | bytes) -> Task:
    return msgspec.json.decode(data, type=Task)


def task_id(run_id: str, key: str, attempt: int) -> str:
    """24 hexadecimal digits: the same for every replay; another time it is another task."""
    name = f"{run_id}:{key}:{attempt}".encode()
    return hashlib.blake2b(name, digest_size=12).hexdigest()


def job_id(run_id: str, key: str, attempt: int) -> str:
    """The name of an attempt that is offered to workers: it tells of which run it is."""
    return f"{run_id}.{task_id(run_id, key, attempt)}"


def open_tasks(state: State) -> dict[str, str]:
    """What the run waits for people to do: ids, and the keys of its steps."""
    waiting = (step for step in state.open.values() if step.kind == "task")
    return {task_id(state.run_id, step.key, step.attempt): step.key for step in waiting}


class Answer(NamedTuple):
    """What somebody said. ``data`` is JSON, and nothing of a task that nobody has answered."""

    by: str | None
    outcome: str | None
    data: bytes | None


def refuse_second(task_id: str, status: str, given: Answer, said: Answer) -> None:
    """Raises ``ConflictError`` for one that is over, unless it was ``given`` what is ``said``."""
    if status == "pending" or given == said:
        return
    if status != "completed":
        raise ConflictError(f"nobody is asked any more: its run went on without task {task_id}")
    what = f" with {given.outcome!r}" if given.outcome is not None else ""
    raise ConflictError(f"task {task_id} was completed already by {given.by or 'somebody'}{what}")
