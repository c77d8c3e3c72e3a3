"""``ostinato schedules``: what starts by the clock, and hands on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.client import Data
from ostinato.cli.connect import connected
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.config import Settings
from ostinato.core.instants import parse_instant
from ostinato.errors import DefinitionError

COLUMNS = ("id", "says", "status", "next", "last", "run")


def schedules(
    action: Annotated[
        str,
        typer.Argument(metavar="[ACTION]", help="list, show, pause, resume, fire or backfill."),
    ] = "list",
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Its id, or a workflow that has one schedule."),
    ] = None,
    upcoming: Annotated[
        int, typer.Option("--next", min=0, max=1000, help="show: how many of the coming instants.")
    ] = 5,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Of a pause, a resume, a firing.")] = "",
    since: Annotated[
        str | None, typer.Option("--from", metavar="INSTANT", help="backfill: as 2027-01-31.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="INSTANT", help="backfill: now, if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="backfill: only say what.")] = False,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """List what starts by the clock; show, pause, resume, fire or back-fill one.

    A back-fill starts the planned instants of a span of the past that have not started. Doing it
    again starts nothing. A date alone is its midnight in UTC.
    """
    asked = _span(since, until, dry_run) if action == "backfill" else {"why": why}
    settings = settings_from(store=store, url=url)
    found, running, paused = asyncio.run(_ask(settings, action, name, upcoming, asked))
    if json:
        output.data(found)
        return
    TELL[action](found)
    if paused:
        mend = f"`ostinato schedules resume {name}` lets it go on"
        output.note(f"the schedule is paused and stays so: this run alone; {mend}")
    if action in ("fire", "backfill") and not running and not dry_run:
        output.line("stored; nothing is running yet: ostinato serve")


def _span(since: str | None, until: str | None, dry_run: bool) -> dict[str, Any]:
    if since is None:
        raise Stop("a back-fill needs --from", hint="as --from 2027-01-31", code=USAGE)
    for option, text in (("--from", since), ("--to", until)):
        try:
            parse_instant(text or since)
        except DefinitionError as error:
            raise Stop(f"{option}: {error}", code=USAGE) from None
    given = {"from": since, "to": until, "dryRun": dry_run}
    return {member: value for member, value in given.items() if value is not None}


async def _ask(
    settings: Settings, action: str, name: str | None, upcoming: int, asked: dict[str, Any]
) -> tuple[Any, bool, bool]:
    """What is told, whether somebody works on it, and whether what was fired is paused."""
    _check(action, name)
    async with connected(settings) as client:
        if name is None:
            return await client.schedules(), client.running, False
        if action == "show":
            return await client.schedule(name, upcoming), client.running, False
        found = await client.change_schedule(name, action, asked)
        if action not in ("fire", "resume"):
            return found, client.running, False
        now = await client.schedule(name, upcoming)
        if action == "resume":
            return now, client.running, False
        return found, client.running, now["status"] == "paused"


def _check(action: str, name: str | None) -> None:
    if action not in TELL:
        known = ", ".join(TELL)
        raise Stop(f"schedules cannot {action!r}", hint=f"known are {known}", code=USAGE)
    if (action == "list") == (name is not None):
        what = "takes no name" if name else "needs the name of a schedule"
        hint = "`ostinato schedules` lists them"
        raise Stop(f"`ostinato schedules {action}` {what}", hint=hint, code=USAGE)


def _list(found: list[Data]) -> None:
    now = words.now_ms()
    rows = (
        (
            one["id"], one["says"], one["status"], _next(one, now),
            words.moment(one.get("lastFor")), one.get("lastRun"),
        )
        for one in found
    )  # fmt: skip
    hint = "no schedules; a trigger `schedule:` or `every:` in a document makes one"
    output.table(COLUMNS, rows, empty=hint)


def _next(one: Data, now: int) -> str:
    at = one.get("dueAt")
    return f"{words.moment(at)} (in {words.span(at - now)})" if at else ""


def _show(one: Data) -> None:
    for line in _lines(one):
        output.line(line)


def _lines(one: Data) -> Iterator[str]:
    yield f"{one['id']}  {one['says']}  {one['status']}"
    if one.get("overlap"):
        jitter = f", jitter up to {words.span(one['jitter'])}" if one.get("jitter") else ""
        yield f"overlap {one['overlap']}, catch up {one['catchUp']}{jitter}"
    if one.get("pausedAt"):
        by = f" by {one['pausedBy']}" if one.get("pausedBy") else ""
        why = f": {one['pausedWhy']}" if one.get("pausedWhy") else ""
        yield f"paused {words.moment(one['pausedAt'])}{by}{why}"
        yield f"`ostinato schedules resume {one['id']}` lets it go on"
    if one.get("waitsFor"):
        yield f"waits for the end of run {one['waitsFor']}; goes on by itself"
    if one.get("lastRun"):
        yield f"last: run {one['lastRun']} for {words.moment(one.get('lastFor'))}"
    if one.get("missedFor"):
        yield f"missed: {words.moment(one['missedFor'])}"
    for at in one.get("upcoming") or ():
        yield f"next: {words.moment(at)}"


def _fired(accepted: Data) -> None:
    for run in accepted["runs"]:
        output.line(f"run {run}")
    for letter in accepted.get("deadLetters") or ():
        output.note(f"no run can start: dead letter {letter['id']} of {letter['trigger']}")


def _backfilled(made: Data) -> None:
    would = "would start" if made["dryRun"] else "started"
    output.line(f"{made['schedule']}: {len(made['planned'])} {would}, {made['known']} known before")
    for at in made["planned"] if made["dryRun"] else ():
        output.line(words.moment(at))
    if made["deadLetters"]:
        output.note(f"{made['deadLetters']} could not start: they are dead letters")


TELL: dict[str, Callable[[Any], None]] = {
    "list": _list,
    "show": _show,
    "pause": _show,
    "resume": _show,
    "fire": _fired,
    "backfill": _backfilled,
}
