"""``ostinato stuck``: what does not go on by itself, why, and what would continue it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.config import Settings
from ostinato.core.durations import parse_duration
from ostinato.errors import DefinitionError

Data = dict[str, Any]

FAILURE = ("fingerprint", "workflow", "error", "runs", "last", "example")
OVERDUE = ("run", "key", "kind", "overdue")


def stuck(
    since: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Failures of so long (7d).")
    ] = None,
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow.")] = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Show what runs wait for and since when, failures that are one, and overdue timers."""
    found, place = asyncio.run(_stuck(settings_from(store=store, url=url), _span(since), workflow))
    if json:
        output.data(found)
        return
    for part in picture(found, place):
        output.show(part)
    if not any(found.values()):
        output.note("nothing is stuck")


def _span(text: str | None) -> int | None:
    try:
        return None if text is None else parse_duration(text)
    except DefinitionError as error:
        raise Stop(f"--since: {error}", code=USAGE) from None


async def _stuck(settings: Settings, span: int | None, workflow: str | None) -> tuple[Data, str]:
    async with connected(settings) as client:
        return await client.stuck(span, workflow), client.place


def picture(found: Data, place: str) -> Iterator[output.Part]:
    now = words.now_ms()
    for group in found["waiting"]:
        yield from _waiting(group, now, place)
    if found["failures"]:
        yield output.Line("failed, by what they have in common:")
        yield output.table_of(FAILURE, (_failure(group, now) for group in found["failures"]))
        yield output.Line()
    if found["overdue"]:
        yield output.Line("timers that nobody has served (is a server running?):")
        yield output.table_of(OVERDUE, (_overdue(timer, now) for timer in found["overdue"]))


def _waiting(group: Data, now: int, place: str) -> Iterator[output.Part]:
    runs = "1 run" if group["count"] == 1 else f"{group['count']:,} runs"
    since = words.span(now - group["since"])
    text = f"{group['workflow']}: {runs} waiting for {group['waitingFor']} since {since}"
    yield output.Line(text, "yellow")
    for run in group["runs"]:
        uid = f" ({run['uid']})" if run["uid"] else ""
        yield output.Line(f"  {run['id']}{uid}")
        for reason in words.progress(run, now, place):
            yield output.Line(f"    {reason}")
        yield from _below(run, now, place)
        for doubt in run["doubts"]:
            yield output.Line(f"    doubtful: {doubt}", "bold red")
    if group["count"] > len(group["runs"]):
        name, what = group["workflow"], group["waitingFor"]
        yield output.Line(f"  all: ostinato runs --workflow {name} --waiting-for {what}")
    yield output.Line()


def _below(run: Data, now: int, place: str) -> Iterator[output.Part]:
    """The chain of runs down to the one that the others wait for."""
    for depth, below in enumerate(run.get("below") or (), 3):
        indent = "  " * depth
        since = words.span(now - below["since"])
        about = f"waiting for {below['waitingFor']}" if below["waitingFor"] else below["status"]
        yield output.Line(f"{indent}{below['run']} of {below['workflow']}: {about} since {since}")
        for reason in words.progress({"id": below["run"], "waits": below["waits"]}, now, place):
            yield output.Line(f"{indent}  {reason}")


def _failure(group: Data, now: int) -> tuple[Any, ...]:
    last = words.clock(group["last"], now) if group["last"] else ""
    error = f"{group['name']}: {group['message']}"
    return group["fingerprint"], group["workflow"], error, group["count"], last, group["example"]


def _overdue(timer: Data, now: int) -> tuple[Any, ...]:
    return timer["run"], timer["key"], timer["kind"], words.span(now - timer["dueAt"])
