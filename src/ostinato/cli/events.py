"""``ostinato events``: what was accepted, newest first."""

from __future__ import annotations

import asyncio
import json as json_text
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Limit, Store, Url, settings_from
from ostinato.config import Settings

_SHOWN = 200  # characters of data in a line; --json has all of it


def events(
    type: Annotated[str | None, typer.Option(metavar="TYPE", help="Of this type.")] = None,
    source: Annotated[str | None, typer.Option(metavar="URI", help="From this source.")] = None,
    limit: Limit = 20,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """List events, newest first."""
    query = {"type": type, "source": source}
    found = asyncio.run(_events(settings_from(store=store, url=url), query, limit))
    if json:
        output.data(found)
        return
    output.table(("time", "type", "id", "source", "data"), map(_row, found), empty="no events")


async def _events(settings: Settings, query: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    async with connected(settings) as client:
        return await client.events(query, limit)


def _row(event: dict[str, Any]) -> tuple[Any, ...]:
    data = json_text.dumps(event.get("data"), ensure_ascii=False)
    told = data if len(data) <= _SHOWN else data[:_SHOWN] + "…"
    return words.moment(event.get("timestamp")), event["type"], event["id"], event["source"], told
