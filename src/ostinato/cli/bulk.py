"""``ostinato bulk``: one repair for many runs, after a look at which they are."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.client import Client, Data
from ostinato.cli.connect import connected
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.operations import told
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.start import STORED
from ostinato.cli.texts import json_from
from ostinato.config import Settings

FILTERS = (
    "status", "workflow", "uid", "waitingFor", "failedSince", "text", "idPrefix", "fingerprint",
)  # fmt: skip
COLUMNS = ("id", "workflow", "uid", "status", "error")
PER = {"s": 1, "m": 60, "h": 3600}


def bulk(
    action: Annotated[str, typer.Argument(metavar="ACTION")],
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help=f"Which runs; {', '.join(FILTERS)}."),
    ] = None,
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow.")] = None,
    job: Annotated[str, typer.Option(metavar="KEY", help="A step, for skip and retry.")] = "",
    value: Annotated[
        str | None, typer.Option("--output", metavar="JSON", help="What a skipped job gives.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which runs fit; change nothing.")
    ] = False,
    rate: Annotated[str, typer.Option(metavar="N/s", help="So many runs, as 10/s or 100/m.")] = (
        "10/s"
    ),
    why: Annotated[str, typer.Option(metavar="TEXT", help="Recorded with each.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Cancel, pause, resume, retry or skip in many runs, oldest first. Shows them and asks."""
    asked: Data = {"action": action, "where": _where(where or [], workflow), "job": job}
    asked |= {} if value is None else {"output": json_from(value, "--output")}
    begin = {"rate": _per_second(rate), "why": why}
    settings = settings_from(store=store, url=url)
    done, running = asyncio.run(_bulk(settings, asked, begin, dry_run, yes, json))
    if json:
        output.data(done)
    elif "id" in done:
        output.line(told(done))
        output.line(f"watch it: ostinato operations show {done['id']}" if running else STORED)


async def _bulk(
    settings: Settings, asked: Data, begin: Data, dry_run: bool, yes: bool, json: bool
) -> tuple[Data, bool]:
    async with connected(settings) as client:
        preview = await client.bulk(asked | {"dryRun": True})
        if not json:
            _show(preview)
        if dry_run or not preview["matched"]:
            return preview, client.running
        if not yes:
            _confirm(preview, begin)
        return await _begun(client, preview, begin), client.running


async def _begun(client: Client, preview: Data, begin: Data) -> Data:
    return await client.bulk({"previewToken": preview["previewToken"]} | begin)


def _where(given: list[str], workflow: str | None) -> Data:
    found: Data = {} if workflow is None else {"workflow": workflow}
    for text in given:
        name, equals, value = text.partition("=")
        name = "".join(part.title() if i else part for i, part in enumerate(name.split("_")))
        if not equals or name not in FILTERS:
            wrong = f"there is no filter {name!r}" if equals else f"{text!r} is not NAME=VALUE"
            hint = f"--where status=failed; known are {', '.join(FILTERS)}"
            raise Stop(f"--where: {wrong}", hint=hint, code=USAGE)
        found[name] = value.split(",") if name == "status" else value
    return found


def _per_second(text: str) -> float:
    number, _, unit = text.partition("/")
    try:
        return float(number) / PER[unit or "s"]
    except (KeyError, ValueError):
        raise Stop(f"--rate: {text!r} is not as 10/s or 100/m", code=USAGE) from None


def _show(preview: Data) -> None:
    count = preview["matched"]
    if not count:
        output.line("no run fits")
        return
    output.table(COLUMNS, map(_row, preview["sample"]))
    if count > len(preview["sample"]):
        output.line(f"… and {count - len(preview['sample']):,} more")
    output.line(f"{preview['action']}: {_runs(count)}")


def _row(run: Data) -> tuple[Any, ...]:
    return tuple(run[name] for name in COLUMNS)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count:,} runs"


def _confirm(preview: Data, begin: Data) -> None:
    if not sys.stdin.isatty():
        hint = "--yes does it without a question, --dry-run only looks"
        raise Stop("nobody is here to be asked", hint=hint, code=USAGE)
    question = f"{preview['action']} {_runs(preview['matched'])} at {begin['rate']:g}/s?"
    if not typer.confirm(question, err=True):
        raise Stop("nothing was done", code=1)
