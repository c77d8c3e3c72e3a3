"""``ostinato operations``: repairs of many runs, how far they are, and stopping one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from shlex import quote
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.client import Data
from ostinato.cli.connect import connected
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json, Limit, Store, Url, settings_from
from ostinato.config import Settings
from ostinato.core.instants import format_instant

COLUMNS = ("id", "time", "action", "status", "runs", "done", "refused", "passed", "left", "by")
ACTIONS = ("list", "show", "stop")


def operations(
    action: Annotated[str, typer.Argument(metavar="[list|show|stop]")] = "list",
    id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    limit: Limit = 20,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """List repairs of many runs, newest first, show one, or stop one."""
    settings = settings_from(store=store, url=url)
    if action not in ACTIONS or (id is None) != (action == "list"):
        raise Stop(f"{action!r} is not `list`, `show ID` or `stop ID`", code=USAGE)
    if id is None:
        found = asyncio.run(_all(settings, limit))
        if json:
            output.data(found)
        else:
            output.table(COLUMNS, map(_row, found), empty="no operations")
        return
    one = asyncio.run(_one(settings, action, id))
    if json:
        output.data(one)
        return
    for text in _told(one):
        output.line(text)


async def _all(settings: Settings, limit: int) -> list[Data]:
    async with connected(settings) as client:
        return await client.operations(limit)


async def _one(settings: Settings, action: str, operation_id: str) -> Data:
    async with connected(settings) as client:
        if action == "stop":
            return await client.stop_operation(operation_id)
        return await client.operation(operation_id)


def _row(one: Data) -> tuple[Any, ...]:
    at = words.moment(one["createdAt"])
    counts = (one["matched"], one["done"], one["refused"], one["passed"], one["left"])
    return one["id"], at, one["action"], one["status"], *counts, one["by"]


def told(one: Data) -> str:
    counts = ", ".join(f"{one[name]:,} {name}" for name in ("done", "refused", "passed", "left"))
    return f"operation {one['id']}: {one['action']}, {one['status']}; {counts}"


def _typed(name: str, value: Any) -> str:
    """As ``ostinato bulk`` takes it."""
    if isinstance(value, list):
        value = ",".join(value)
    if isinstance(value, int):  # an instant
        value = format_instant(value)
    return f"--where {quote(f'{name}={value}')}"


def _told(one: Data) -> Iterator[str]:
    yield told(one)
    yield f"where: {' '.join(_typed(*each) for each in one['where'].items())}"
    yield f"by {one['by'] or 'nobody'}: {one['why'] or 'without a reason'}; {one['rate']:g}/s"
    if one["stoppedBy"]:
        why = f": {one['stoppedWhy']}" if one.get("stoppedWhy") else ""
        yield f"stopped by {one['stoppedBy']}{why}"
    for reason in one["reasons"]:
        yield f"refused {reason['count']:,}: {reason['reason']} (as run {reason['example']})"
