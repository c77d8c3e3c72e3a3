"""The verbs about work for people: list, show, complete."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ostinato.app.pages import heavy_page, place_of_task, sealed, weight_of_task
from ostinato.app.reading import Reading
from ostinato.app.remote import Server, find_server
from ostinato.core import events as e
from ostinato.core.codec import encode_value
from ostinato.core.state import path_of
from ostinato.core.tasks import Task, read_task
from ostinato.core.views import View
from ostinato.definitions import input_check
from ostinato.errors import ConflictError, DefinitionError, InvalidInput, NotFoundError, Problem
from ostinato.ports import Page, TaskQuery, TaskRow
from ostinato.runtime.bounds import check_size, check_text
from ostinato.runtime.tasks import AnswerTask, refuse_ended

MOST = 1_000
"""Tasks that a server tells at once."""

__all__ = ["TaskView", "Tasks", "task_view"]


class TaskAnswer(View, omit_defaults=False):
    data: Raw
    outcome: str | None
    by: str
    at: int


class TaskView(View, omit_defaults=False):
    """``external_id`` is the run's id; ``step`` the key of the step that waits for the answer."""

    id: str
    name: str
    status: str
    key: str | None
    type: str | None
    priority: str
    severity: str
    assignee_id: str | None
    candidates: tuple[str, ...]
    groups: tuple[str, ...]
    due_at: int | None
    overdue: bool
    opened_at: int
    ended_at: int | None
    outcomes: tuple[str, ...]
    form: dict[str, Any] | None
    data: Any
    workflow: str
    job: str
    step: str
    external_id: str
    answer: TaskAnswer | None
    damaged: str | UnsetType = UNSET


def task_view(row: TaskRow, now: int) -> TaskView:
    """``damaged`` says that a part of its row cannot be read: that is left out."""
    task, damaged = _read(row)
    late = row.status == "pending" and row.due_at is not None and row.due_at < now
    return TaskView(
        id=row.id,
        name=row.name,
        status=row.status,
        key=task.key,
        type=task.type,
        priority=task.priority,
        severity=task.severity,
        assignee_id=row.assignee,
        candidates=task.candidates,
        groups=task.groups,
        due_at=row.due_at,
        overdue=late,
        opened_at=row.opened_at,
        ended_at=row.ended_at,
        outcomes=task.outcomes,
        form=task.form,
        data=task.data,
        workflow=row.workflow,
        job=path_of(row.key).rpartition("/")[2],
        step=row.key,
        external_id=row.run_id,
        answer=None if damaged else _answer(row),
        damaged=damaged or UNSET,
    )


def _read(row: TaskRow) -> tuple[Task, str]:
    """What is asked, and why it cannot be read."""
    try:
        msgspec.json.decode(row.answer or b"null", type=Raw)
        return read_task(row.asked), ""
    except (msgspec.MsgspecError, ValueError) as error:
        return Task(row.name), f"its row in the store cannot be read: {error}"


def _answer(row: TaskRow) -> TaskAnswer | None:
    if row.answer is None or row.ended_at is None:
        return None
    return TaskAnswer(data=Raw(row.answer), outcome=row.outcome, by=row.by or "", at=row.ended_at)


PENDING = TaskQuery(status=("pending",))


class Tasks(Reading):
    async def tasks(self, query: TaskQuery = PENDING, page: Page | None = None) -> list[TaskView]:
        """Newest first; without a query those that are pending. A page ends early when it is
        ``HEAVY``.

        When this app is not open, the server on its store is asked.
        """
        page = page or Page()
        if self._service is None:
            return await _remote_tasks(find_server(self.settings), query, page)
        return [task_view(row, self.now()) for row in await self.task_rows(query, page)]

    async def task_rows(self, query: TaskQuery, page: Page) -> list[TaskRow]:
        """As they are kept."""
        read = partial(self.storage.tasks, query)
        return await heavy_page(page, read, weight_of_task, place_of_task)

    async def count_tasks(self, query: TaskQuery = PENDING) -> int:
        return await self.storage.count_tasks(query)

    async def task(self, name: str) -> TaskView:
        """By its id, or a beginning that no other has."""
        return task_view(await self._task(name), self.now())

    async def _task(self, name: str) -> TaskRow:
        if (row := await self.storage.task(name)) is not None:
            return row
        found = await self.storage.tasks(TaskQuery(id_prefix=name), Page(2)) if name else []
        if not found:
            raise NotFoundError(f"there is no task {name!r}; `ostinato tasks` lists them")
        if len(found) > 1:
            raise ConflictError(f"more than one task begins with {name!r}: give more of its id")
        return found[0]

    async def complete(
        self, name: str, *, outcome: str | None = None, data: Any = UNSET, by: str = ""
    ) -> TaskView:
        """Answer a task. Durable when this returns; the same answer once more changes nothing.

        Raises ``NotFoundError``, ``InvalidInput`` (the outcome is none of its outcomes, or the data
        do not fit its form), ``ConflictError`` (somebody has answered it, or its run went on).
        """
        if self._service is None:
            said: dict[str, Any] = {"outcome": outcome, "by": by or None}
            body = encode_value(said if data is UNSET else said | {"data": data})
            path = f"/tasks/{quote(name, safe='')}/complete"
            told: TaskView = await find_server(self.settings).ask("POST", path, body, TaskView)
            return told
        row = await self._task(name)
        check_text("by", by)
        if outcome is not None:
            check_text("outcome", outcome)
        value = {} if data is UNSET else data
        try:
            answer = checked_answer(row, outcome, value)
        except InvalidInput:
            refuse_ended(row, by, outcome, b"")  # of what is over that is the first to be said
            raise
        check_size("the data", answer, self.settings.limits.result, "limits.result")
        event = e.TaskAnswered(row.key, row.attempt, answer, outcome, by)
        await self.service.ask(lambda told: AnswerTask(row.id, event, told))
        return await self.task(row.id)


async def _remote_tasks(server: Server, query: TaskQuery, page: Page) -> list[TaskView]:
    found: list[TaskView] = []
    cursor = page.cursor
    while len(found) < page.limit:
        lot = min(MOST, page.limit - len(found))
        new = await _remote_lot(server, query, Page(lot, cursor))
        found += new
        if len(new) < lot:
            break
        cursor = place_of_task(new[-1])
    return found


async def _remote_lot(server: Server, query: TaskQuery, page: Page) -> list[TaskView]:
    found: list[TaskView] = await server.ask(
        "GET",
        "/tasks",
        kind=list[TaskView],
        status=",".join(query.status) or None,
        assignee=query.assignee,
        candidate=query.candidate,
        group=query.group,
        workflow=query.workflow,
        run=query.run_id,
        overdueAt=query.overdue_at,
        idPrefix=query.id_prefix,
        limit=page.limit,
        cursor=None if page.cursor is None else sealed(page.cursor),
    )
    return found


def checked_answer(row: TaskRow, outcome: str | None, data: Any) -> Raw:
    task, damage = _read(row)
    if damage:
        raise ConflictError(f"task {row.id}: {damage}; `ostinato skip` goes on without it")
    check_outcome(task, outcome)
    return encode_value(checked(row.id, task, data))


def check_outcome(task: Task, outcome: str | None) -> None:
    if task.allows(outcome):
        return
    known = ", ".join(task.outcomes)
    what = "this task needs an outcome" if outcome is None else f"{outcome[:80]!r} is no outcome"
    problem = Problem(what, "/outcome", hint=f"one of {known}")
    raise InvalidInput(f"{what}; it is one of {known}", problems=(problem,))


def checked(task_id: str, task: Task, data: Any) -> Any:
    """The data with the form's defaults."""
    value = msgspec.json.decode(data) if isinstance(data, Raw) else data
    try:
        fits = input_check(task.form)
    except DefinitionError as error:
        hint = "`ostinato skip` goes on without it"
        raise ConflictError(f"the form of task {task_id} is {error}; {hint}") from None
    try:
        return fits(value)
    except InvalidInput as error:
        problems = tuple(Problem(one.message, f"/data{one.path}") for one in error.problems)
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        said = f"the data do not fit: {problems[0]}{more}" if problems else error.message
        raise InvalidInput(said, problems=problems) from None
