"""``ostinato runs``: a list, newest first."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Limit, Store, Url, settings_from
from ostinato.config import Settings
from ostinato.core.state import WAITING_FOR

COLUMNS = ("id", "workflow", "status", "uid", "started", "took", "about")


def runs(
    status: Annotated[
        str | None, typer.Option(help="As failed, or failed,cancelled.", metavar="STATUS")
    ] = None,
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow.")] = None,
    uid: Annotated[str | None, typer.Option(metavar="UID", help="Under this uid.")] = None,
    waiting_for: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help=f"One of {', '.join(WAITING_FOR)}."),
    ] = None,
    limit: Limit = 20,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """List runs, newest first."""
    query = {"status": status, "workflow": workflow, "uid": uid, "waitingFor": waiting_for}
    found = asyncio.run(_runs(settings_from(store=store, url=url), query, limit))
    if json:
        output.data(found)
        return
    now = words.now_ms()
    output.table(COLUMNS, (_row(run, now) for run in found), empty="no runs")


async def _runs(settings: Settings, query: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    async with connected(settings) as client:
        return await client.runs(query, limit)


def _started(at: int | None, now: int) -> str:
    return words.clock(at, now) if output.on_terminal() else words.moment(at)


def _row(run: dict[str, Any], now: int) -> tuple[Any, ...]:
    waiting = run.get("waitingFor")
    about = words.failure(run.get("error")) or (f"waits for {waiting}" if waiting else "")
    return (
        run["id"],
        run["workflow"],
        run["status"],
        run.get("uid"),
        _started(run.get("startedAt"), now),
        words.took(run, now),
        about,
    )
