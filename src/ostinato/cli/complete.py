"""``ostinato complete``: the answer to a task."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.start import STORED
from ostinato.cli.texts import json_from
from ostinato.config import Settings


def complete(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Its id, or a beginning of it.")],
    outcome: Annotated[
        str | None, typer.Option(metavar="WORD", help="One of the task's outcomes.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help="For its form: JSON, @file, or - for stdin.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who answers.")] = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Answer a task; its run goes on. The same answer once more changes nothing."""
    said: dict[str, Any] = {"outcome": outcome, "by": by}
    said = {name: value for name, value in said.items() if value is not None}
    if data is not None:
        said["data"] = json_from(data, "--data")
    done, running = asyncio.run(_complete(settings_from(store=store, url=url), task, said))
    if json:
        output.data(done)
        return
    with_outcome = f": {done['answer']['outcome']}" if done["answer"]["outcome"] else ""
    output.line(f"task {done['id']} completed{with_outcome}")
    output.line(f"run {done['externalId']}")
    if not running:
        output.line(STORED)


async def _complete(
    settings: Settings, task: str, said: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    async with connected(settings) as client:
        return await client.complete(task, said), client.running
