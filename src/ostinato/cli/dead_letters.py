"""``ostinato dead-letters``: what could not be processed, newest first; one of them whole."""

from __future__ import annotations

import asyncio
import json as json_text
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Limit, Store, Url, settings_from, to_show
from ostinato.config import Settings

COLUMNS = ("id", "time", "kind", "target", "event", "type", "tries", "why")
Data = dict[str, Any]

Kind = Annotated[
    str | None,
    typer.Option(metavar="KIND", help="trigger, consumer, outgoing, stored, incoming or conflict."),
]
Target = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of this trigger or consumer, or emitted by this run."),
]
Since = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Not older than this, as 2h or 3d.")
]
Text = Annotated[
    str | None, typer.Option(metavar="TEXT", help="In the reasons, the event's id or type.")
]


def dead_letters(
    action: Annotated[str, typer.Argument(metavar="[list|show]")] = "list",
    id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    kind: Kind = None,
    target: Target = None,
    since: Since = None,
    text: Text = None,
    redriven: Annotated[
        bool, typer.Option("--redriven", help="Those that were redriven, instead.")
    ] = False,
    limit: Limit = 20,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """List dead letters, newest first, or show one: its event, and every reason."""
    settings = settings_from(store=store, url=url)
    if (letter := to_show("dead-letters", "ID", action, id)) is not None:
        _show(asyncio.run(_one(settings, letter)), json)
        return
    query = {"kind": kind, "target": target, "since": since, "text": text}
    query["redriven"] = "true" if redriven else None
    found = asyncio.run(_all(settings, query, limit))
    if json:
        output.data(found)
    else:
        output.table(COLUMNS, map(_row, found), empty="no dead letters")


async def _all(settings: Settings, query: Data, limit: int) -> list[Data]:
    async with connected(settings) as client:
        return await client.dead_letters(query, limit)


async def _one(settings: Settings, letter_id: str) -> Data:
    async with connected(settings) as client:
        return await client.dead_letter(letter_id)


def _row(letter: Data) -> tuple[Any, ...]:
    type_ = (letter.get("event") or {}).get("type")
    why = "; ".join(map(reason, letter["reasons"]))
    at, tries = words.moment(letter["at"]), letter["attempts"]
    return letter["id"], at, letter["kind"], letter["target"], letter["eventId"], type_, tries, why


def reason(why: Data) -> str:
    where = f"{why['pointer']}: " if why.get("pointer") else ""
    mend = f" ({why['hint']})" if why.get("hint") else ""
    return f"{where}{why['message']}{mend}"


def _show(letter: Data, json: bool) -> None:
    if json:
        output.data(letter)
        return
    for label, text in _told(letter):
        output.line(f"{label}: {text}")


def _told(letter: Data) -> Iterator[tuple[str, str]]:
    yield "dead letter", f"{letter['id']} ({letter['kind']} {letter['target']})"
    yield "since", f"{words.moment(letter['at'])}, tried {letter['attempts']} times"
    for why in letter["reasons"]:
        yield "why", reason(why)
    if letter.get("run"):
        yield "run", letter["run"]
    yield "event", json_text.dumps(letter["event"], ensure_ascii=False)
    if letter.get("redrivenAt"):
        made = f", run {letter['redrivenRun']}" if letter.get("redrivenRun") else ""
        yield "redriven", f"{words.moment(letter['redrivenAt'])} by {letter['redrivenBy']}{made}"
    else:
        yield "mend it, then", f"ostinato redrive {letter['id']}"
