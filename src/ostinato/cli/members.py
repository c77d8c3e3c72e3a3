"""``ostinato members``: which processes share the store, and what each of them has of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.connect import connected, members_of
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.words import span
from ostinato.config import Settings

COLUMNS = ("member", "address", "version", "partitions", "is", "for")


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

    `promote` tells the server at --url to take its share of the runs, as the others do.
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
    rows = (_row(each, found) for each in found["seats"])
    output.table(COLUMNS, rows, empty="nobody is there")
    if found.get("promoted") is False:
        output.note("this server did not stand by: nothing has changed")
    if free := found["free"]:
        count = free + sum(seat["partitions"] for seat in found["seats"])
        output.note(f"{free} of {count} partitions have no process: their runs wait for one")
        if free == count:
            output.note(f"nobody works: {_mend(found['seats'])}")


def _mend(seats: list[dict[str, Any]]) -> str:
    reserve = next((one["address"] for one in seats if one["waits"] and not one["late"]), None)
    if reserve is None:
        return "start `ostinato serve`"
    return f"start `ostinato serve`, or ostinato members promote --url {reserve}"


async def _asked(settings: Settings, *, promote: bool) -> dict[str, Any]:
    if not promote:
        return await members_of(settings)
    async with connected(settings) as client:
        promoted = await client.promote()
        return {**await client.members(), "promoted": promoted}


def _row(seat: dict[str, Any], roll: dict[str, Any]) -> tuple[str, ...]:
    there = span(roll["now"] - seat["since"])
    count = str(seat["partitions"])
    return seat["id"], seat["address"], seat["version"], count, _is(seat, roll["hub"]), there


def _is(seat: dict[str, Any], hub: str | None) -> str:
    """What is said of it besides that it works."""
    said = ["hub"] if seat["id"] == hub else []
    if seat["waits"]:
        said.append("on standby" if not seat["partitions"] else "stopping")
    elif not seat["partitions"]:
        said.append("joining")
    return ", ".join([*said, "late"] if seat["late"] else said)
