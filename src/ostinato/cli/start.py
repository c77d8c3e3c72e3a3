"""``ostinato start``: a run of a workflow, with or without waiting for its end."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.ending import told_end, wait_end
from ostinato.cli.failure import RUNNING
from ostinato.cli.options import Json, Store, Timeout, Url, seconds, settings_from
from ostinato.cli.texts import json_from
from ostinato.config import Settings

STORED = "stored; nothing is running yet: ostinato serve"


def start(
    workflow: Annotated[str, typer.Argument(metavar="NAME")],
    input: Annotated[
        str, typer.Option(metavar="JSON", help="The input: JSON, @file, or - for stdin.")
    ] = "{}",
    uid: Annotated[
        str | None, typer.Option(metavar="UID", help="One open run per workflow and uid.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="A version other than the newest.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end; exit 1 if it failed.")
    ] = False,
    timeout: Timeout = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Start a run of a workflow."""
    given, limit = json_from(input, "--input"), seconds(timeout)
    wait = wait or limit is not None
    start = _start(settings_from(store=store, url=url), workflow, given, uid, version, wait, limit)
    run, running = asyncio.run(start)
    if json:
        output.data(run)
    else:
        _tell(run, running)
    if wait:
        raise typer.Exit(told_end(run, quiet=json) if running else RUNNING)


async def _start(
    settings: Settings,
    workflow: str,
    input: Any,
    uid: str | None,
    version: int | None,
    wait: bool,
    limit: float | None,
) -> tuple[dict[str, Any], bool]:
    async with connected(settings) as client:
        run = await client.start(workflow, input, uid=uid, version=version)
        if wait and client.running:
            duplicate = {"duplicate": True} if run.get("duplicate") else {}
            run = await wait_end(client, run["id"], limit) | duplicate
        return run, client.running


def _tell(run: dict[str, Any], running: bool) -> None:
    verb = "was there already" if run.get("duplicate") else "started" if running else "accepted"
    output.line(f"run {run['id']} of {run['workflow']} {verb}")
    if not running:
        output.line(STORED)
    elif not run.get("endedAt"):
        output.note(f"follow it: ostinato watch {run['id']}")
