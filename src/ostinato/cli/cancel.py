"""``ostinato cancel``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, RunName, Store, Url, settings_from
from ostinato.config import Settings


def cancel(
    name: RunName,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Recorded with it.")] = "",
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Cancel a run: what is at work is stopped, what was done is undone, then `finally` runs."""
    run, running = asyncio.run(_cancel(settings_from(store=store, url=url), name, why))
    if json:
        output.data(run)
        return
    for line in lines(run, running):
        output.line(line)


def lines(run: dict[str, Any], running: bool) -> Iterator[str]:
    about = f"run {run['id']} of {run['workflow']}"
    if run["endedAt"]:
        yield f"{about} is {run['status']}"
        return
    held = list(words.held(run, words.now_ms()))
    if held:
        yield f"{about} is being cancelled, and goes no further by itself"
        yield from held
    else:
        goes_on = f"ostinato watch {run['id']}" if running else "ostinato serve"
        yield f"{about} is being cancelled: {goes_on}"


async def _cancel(settings: Settings, name: str, why: str) -> tuple[dict[str, Any], bool]:
    async with connected(settings) as client:
        run = await client.run(name)
        return await client.cancel(run["id"], why), client.running
