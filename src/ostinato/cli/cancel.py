"""``ostinato cancel``."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.cli import output
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
    """Cancel a run: what is at work is stopped, then its `finally` runs."""
    run, running = asyncio.run(_cancel(settings_from(store=store, url=url), name, why))
    if json:
        output.data(run)
    elif run["status"] == "cancelled":
        output.line(f"run {run['id']} of {run['workflow']} is cancelled")
    else:
        goes_on = f"ostinato watch {run['id']}" if running else "ostinato serve"
        output.line(f"run {run['id']} of {run['workflow']} is being cancelled: {goes_on}")


async def _cancel(settings: Settings, name: str, why: str) -> tuple[dict[str, Any], bool]:
    async with connected(settings) as client:
        run = await client.run(name)
        return await client.cancel(run["id"], why), client.running
