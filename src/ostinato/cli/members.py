"""``ostinato members``: which processes share the store, and who holds it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.words import span
from ostinato.config import Settings


def members(
    action: Annotated[
        str,
        typer.Argument(metavar="[list | promote]", help="promote: end a server's `standby`."),
    ] = "list",
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """List the processes that share a store. On SQLite there is one.

    `promote` tells the server at --url to take the store as soon as nobody holds it.
    """
    if action not in ("list", "promote"):
        raise Stop(f"{action!r} is not `list` or `promote`", code=USAGE)
    settings = settings_from(store=store, url=url)
    if action == "promote" and not settings.url:
        hint = "ostinato members promote --url http://…"
        raise Stop("which server is to end its standby?", hint=hint, code=USAGE)
    found = asyncio.run(_asked(settings, promote=action == "promote"))
    if json:
        output.data(found)
        return
    now = found["now"]
    rows = (
        (each["id"], each["address"], each["version"], _is(each), span(now - each["since"]))
        for each in found["seats"]
    )
    output.table(("member", "address", "version", "is", "for"), rows, empty="nobody is there")


async def _asked(settings: Settings, *, promote: bool) -> dict[str, Any]:
    async with connected(settings) as client:
        if promote:
            await client.promote()
        return await client.members()


def _is(seat: dict[str, Any]) -> str:
    said = "holds the store" if seat["holds"] else "stands by"
    return f"{said}, late" if seat["late"] else said
