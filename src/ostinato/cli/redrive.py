"""``ostinato redrive``: dead letters are tried again, against what is deployed now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.client import Client, Data
from ostinato.cli.connect import connected
from ostinato.cli.dead_letters import Kind, Since, Text, reason
from ostinato.cli.failure import DONE, FAILED, USAGE, Stop
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.start import STORED
from ostinato.config import Settings

AT_ONCE = 500


def redrive(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    trigger: Annotated[
        str | None, typer.Option(metavar="NAME", help="All of this trigger, as order/on/0.")
    ] = None,
    kind: Kind = None,
    since: Since = None,
    text: Text = None,
    all: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would fit now; change nothing.")
    ] = False,
    rate: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most so many per second.")
    ] = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Try dead letters again, oldest first. What still does not fit stays; exit 1 then."""
    where = {"kind": kind or ("trigger" if trigger else None), "target": trigger}
    where = {k: v for k, v in (where | {"since": since, "text": text}).items() if v is not None}
    if bool(ids) == (all or bool(where)) or (ids and rate and len(ids) > AT_ONCE):
        hint = "ostinato redrive ID…, --trigger NAME, another filter, or --all"
        raise Stop("say which dead letters", hint=hint, code=USAGE)
    asked: Data = {"ids": ids} if ids else {"where": where}
    settings = settings_from(store=store, url=url)
    done, running = asyncio.run(_redrive(settings, asked | {"dryRun": dry_run}, rate))
    _tell(done, running, json)
    raise typer.Exit(FAILED if any(one["outcome"] == "stays" for one in done) else DONE)


async def _redrive(settings: Settings, asked: Data, rate: int | None) -> tuple[list[Data], bool]:
    async with connected(settings) as client:
        return [one async for one in _in_lots(client, asked, rate)], client.running


async def _in_lots(client: Client, asked: Data, rate: int | None) -> AsyncIterator[Data]:
    ids: list[str] = asked.get("ids") or []
    lot, cursor = min(rate or AT_ONCE, AT_ONCE), None
    while True:
        if ids:
            part: dict[str, Any] = asked | {"ids": ids[:lot]}
            ids = ids[lot:]
        else:
            part = asked | {"limit": lot} | ({"cursor": cursor} if cursor else {})
        done = await client.redrive(part)
        for one in done["letters"]:
            yield one
        cursor = done.get("cursor")
        if not ids and not cursor:
            return
        if rate is not None:
            await asyncio.sleep(1)


def _tell(done: list[Data], running: bool, json: bool) -> None:
    if json:
        output.data(done)
        return
    output.table(("id", "outcome", "about"), map(_row, done), empty="no dead letters")
    if not running and any(one["outcome"] == "redriven" for one in done):
        output.line(STORED)


def _row(one: Data) -> tuple[Any, ...]:
    runs = " ".join(one.get("runs") or ())
    why = "; ".join(map(reason, one.get("reasons") or ()))
    return one["id"], one["outcome"], why or (f"run {runs}" if runs else "")
