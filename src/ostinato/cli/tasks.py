"""``ostinato tasks``: what people are asked; one of them whole."""

from __future__ import annotations

import asyncio
import json as json_text
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Limit, Store, Url, settings_from, to_show
from ostinato.config import Settings

COLUMNS = ("id", "name", "assignee", "status", "opened", "due", "workflow", "run")
Data = dict[str, Any]


def tasks(
    action: Annotated[str, typer.Argument(metavar="[list|show]")] = "list",
    name: Annotated[str | None, typer.Argument(metavar="[TASK]")] = None,
    assignee: Annotated[str | None, typer.Option(metavar="NAME", help="Of this person.")] = None,
    candidate: Annotated[
        str | None, typer.Option(metavar="NAME", help="That this person may take.")
    ] = None,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Of this group.")] = None,
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Of this run.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="That should be done by now.")] = False,
    status: Annotated[
        str, typer.Option(metavar="STATUS", help="pending, completed, cancelled or all.")
    ] = "pending",
    limit: Limit = 20,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """List what people are asked, newest first, or show one: the question, and how to answer."""
    settings = settings_from(store=store, url=url)
    if (task := to_show("tasks", "TASK", action, name)) is not None:
        _show(asyncio.run(_one(settings, task)), json)
        return
    query = {"assignee": assignee, "candidate": candidate, "group": group}
    query |= {"workflow": workflow, "run": run}
    query["status"] = None if status == "all" else status
    query["overdue"] = "true" if overdue else None
    found = asyncio.run(_all(settings, query, limit))
    if json:
        output.data(found)
        return
    now = words.now_ms()
    output.table(COLUMNS, (_row(task, now) for task in found), empty="no tasks")


async def _all(settings: Settings, query: Data, limit: int) -> list[Data]:
    async with connected(settings) as client:
        return await client.tasks(query, limit)


async def _one(settings: Settings, name: str) -> Data:
    async with connected(settings) as client:
        return await client.task(name)


def _row(task: Data, now: int) -> tuple[Any, ...]:
    opened = words.moment(task["openedAt"])
    return (
        task["id"], task["name"], task["assigneeId"], task["status"], opened,
        words.due(task["dueAt"], now) if task["status"] == "pending" else "",
        task["workflow"], task["externalId"],
    )  # fmt: skip


def _show(task: Data, json: bool) -> None:
    if json:
        output.data(task)
        return
    for label, text in _told(task, words.now_ms()):
        output.line(f"{label}: {text}")


def _told(task: Data, now: int) -> Iterator[tuple[str, str]]:
    yield "task", f"{task['id']}  {task['name']}"
    yield "status", f"{task['status']}, opened {words.moment(task['openedAt'])}"
    for label, member in (("for", "assigneeId"), ("candidates", "candidates"), ("of", "groups")):
        if who := task[member]:
            yield label, who if isinstance(who, str) else ", ".join(who)
    if task["status"] == "pending" and task["dueAt"]:
        yield "due", words.due(task["dueAt"], now)
    for label in ("data", "form"):
        if task[label] is not None:
            yield label, json_text.dumps(task[label], ensure_ascii=False)
    yield "run", f"{task['externalId']} ({task['workflow']}, step {task['step']})"
    if answer := task["answer"]:
        said = f" {answer['outcome']}" if answer["outcome"] else ""
        by = f" by {answer['by']}" if answer["by"] else ""
        yield (
            "answered",
            f"{words.moment(answer['at'])}{by}:{said} {json_text.dumps(answer['data'])}",
        )
    elif task["status"] == "pending":
        yield "to answer", words.answering(task)
