"""``ostinato tables``: bring the tables of a database up to date, as their owner."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.app.wiring import bring_tables_up
from ostinato.cli import output
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json, Store, settings_from


def tables(
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Also what may go only when no older process is left."),
    ] = False,
    json: Json = False,
    store: Store = None,
) -> None:
    """Make the tables in PostgreSQL, or bring them up to date.

    A server does so itself when its role may; where it may not, their owner runs this before newer
    servers start, and once more with --finish when the last older one has stopped.
    """
    settings = settings_from(store=store, url=None)
    if not settings.store_is_server:
        said = f"{settings.store_shown} brings its tables up to date by itself"
        raise Stop(said, hint="name a database: --store postgresql://…", code=USAGE)
    done = asyncio.run(bring_tables_up(settings.only_store, finish=finish))
    if json:
        output.data(_facts(done))
    else:
        output.line(f"applied {', '.join(done)}" if done else "the tables are up to date")


def _facts(done: list[str]) -> dict[str, Any]:
    return {"applied": done}
