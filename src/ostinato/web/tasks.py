"""Work for people: what waits for whom, and their answers.

A task is named by its id, or by a beginning of it that no other has.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import TaskView, task_view
from ostinato.app.pages import place_of_task, weight_of_task
from ostinato.ports import TaskQuery
from ostinato.web.answers import json_answer
from ostinato.web.bodies import decode, read_body, value
from ostinato.web.door import caller_of, door_of
from ostinato.web.errors import unfit
from ostinato.web.events import Count
from ostinato.web.lists import Form, NoQuery, Paged, instant, page_answer, page_of, read_query
from ostinato.web.operation import JSON, Operations

doors = Operations("tasks")

STATUSES = ("pending", "completed", "cancelled")
Statuses = Annotated[tuple[str, ...], Meta(description=", ".join(STATUSES) + "; several, by comma")]
Run = Annotated[str | None, Meta(description="the id of a run, or what else names it")]
Overdue = Annotated[bool, Meta(description="only pending ones that should be done by now")]

OverdueAt = Annotated[
    str | None,
    Meta(description="only pending ones that were due before: RFC 3339, ms, or how long ago"),
]


class TaskList(Paged, rename="camel", kw_only=True):
    status: Statuses = ()
    assignee: str | None = None
    candidate: str | None = None
    group: str | None = None
    workflow: str | None = None
    run: Run = None
    overdue: Overdue = False
    overdue_at: OverdueAt = None
    id_prefix: str | None = None


class TaskCount(Struct, forbid_unknown_fields=True, rename="camel"):
    status: Statuses = ()
    assignee: str | None = None
    candidate: str | None = None
    group: str | None = None
    workflow: str | None = None
    run: Run = None
    overdue: Overdue = False
    overdue_at: OverdueAt = None
    id_prefix: str | None = None


class Answer(Struct, forbid_unknown_fields=True):
    """``by`` is whoever calls, when it is not given."""

    outcome: str | None = None
    data: Raw | UnsetType = UNSET
    by: str | None = None


@doors.get("/tasks", may="task:read", seed=True, query=TaskList, answers={200: list[TaskView]})
async def list_tasks(request: Request) -> Response:
    """List tasks, newest first; with `status=pending` those that wait for somebody."""
    query = read_query(request, TaskList)
    wanted = await _wanted(request, query)
    app = door_of(request).app
    found = await app.task_rows(wanted, page_of(query, Form.TASK))
    shown = partial(task_view, now=app.now())
    return page_answer(request, query, found, place_of_task, shown, weight_of_task)


@doors.get("/tasks/count", may="task:read", seed=True, query=TaskCount, answers={200: Count})
async def count_tasks(request: Request) -> Response:
    """Count tasks."""
    wanted = await _wanted(request, read_query(request, TaskCount))
    return json_answer({"count": await door_of(request).app.count_tasks(wanted)})


async def _wanted(request: Request, query: TaskList | TaskCount) -> TaskQuery:
    app = door_of(request).app
    for status in query.status:
        if status not in STATUSES:
            hint = "known are " + ", ".join(STATUSES)
            raise unfit(f"{status[:40]!r} is no status of a task", "status", hint)
    return TaskQuery(
        status=query.status,
        assignee=query.assignee,
        candidate=query.candidate,
        group=query.group,
        workflow=query.workflow,
        run_id=None if query.run is None else (await app.find_run(query.run)).run_id,
        overdue_at=_overdue_at(query, app.now()),
        id_prefix=query.id_prefix,
    )


def _overdue_at(query: TaskList | TaskCount, now: int) -> int | None:
    if not query.overdue:
        return instant(query.overdue_at, "overdueAt", now)
    if query.overdue_at is not None:
        raise unfit("`overdue` means now, `overdueAt` another instant: give one", "overdueAt")
    return now


@doors.get("/tasks/{id}", may="task:read", seed=True, query=NoQuery, answers={200: TaskView})
async def get_task(request: Request) -> Response:
    """Show a task: what is asked, of whom, and the answer if there is one."""
    read_query(request, NoQuery)
    return json_answer(await door_of(request).app.task(request.path_params["id"]))


@doors.post(
    "/tasks/{id}/complete", may="task:complete", bodies={JSON: Answer}, answers={200: TaskView}
)
async def complete_task(request: Request) -> Response:
    """Answer a task; its run goes on. The same answer once more changes nothing.

    422 when the outcome is none of its outcomes or the data do not fit its form; 409 when somebody
    has answered it already, or its run went on without it.
    """
    door = door_of(request)
    body = await read_body(request, door.bounds.answer)
    said = decode(body, Answer) if body.strip() else Answer()
    data = UNSET if said.data is UNSET else value(said.data)
    by = caller_of(request).name if said.by is None else said.by
    name = request.path_params["id"]
    return json_answer(await door.app.complete(name, outcome=said.outcome, data=data, by=by))
