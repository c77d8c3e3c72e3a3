"""``ostinato emit``: an event, and the runs it started or continued."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.start import STORED
from ostinato.cli.texts import json_from
from ostinato.config import Settings

SOURCE = "ostinato/cli"


def emit(
    type: Annotated[str, typer.Argument(metavar="TYPE")],
    data: Annotated[
        str, typer.Option(metavar="JSON", help="The data: JSON, @file, or - for stdin.")
    ] = "{}",
    id: Annotated[
        str | None, typer.Option(metavar="ID", help="The same id twice is one event.")
    ] = None,
    source: Annotated[str, typer.Option(metavar="URI", help="Who sends it.")] = SOURCE,
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is about.")] = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Send an event."""
    event = {"type": type, "data": json_from(data, "--data"), "source": source}
    event |= {k: v for k, v in (("id", id), ("subject", subject)) if v is not None}
    answer, running = asyncio.run(_emit(settings_from(store=store, url=url), event))
    if json:
        output.data(answer)
    else:
        _tell(answer, running)


async def _emit(settings: Settings, event: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    async with connected(settings, creates=True) as client:
        return await client.emit(event), client.running


def _tell(answer: dict[str, Any], running: bool) -> None:
    known = " (it was here already: nothing is done twice)" if answer.get("duplicate") else ""
    output.line(f"event {answer['id']} accepted{known}")
    joined = answer.get("joined") or ()
    for run in answer.get("runs") or ():
        output.line(f"run {run}" + (" (it was there already)" if run in joined else ""))
    if not (answer.get("runs") or answer.get("deadLetters")):
        output.line("runs that wait for it go on; it begins none, as no trigger fits it")
    for letter in answer.get("deadLetters") or ():
        why = letter.get("reason") or "it did not fit"
        output.note(f"{letter['trigger']} started nothing: {why}; dead letter {letter['id']}")
    if not running:
        output.line(STORED)
