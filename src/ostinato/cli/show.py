"""``ostinato show``: one run, why it waits and what would continue it."""

from __future__ import annotations

import asyncio
import json as json_text
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.archived import exported_run
from ostinato.cli.connect import connected
from ostinato.cli.ending import shown
from ostinato.cli.options import Json, RunName, Store, Url, settings_from
from ostinato.config import Settings

Data = dict[str, Any]


def show(
    name: RunName,
    history: Annotated[
        bool, typer.Option("--history", help="All that was recorded, instead.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="From a file of exported runs.")
    ] = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Show one run: its jobs, why it waits, and what would continue it."""
    if file is not None:
        run, facts = exported_run(file, name)
        place, running = str(file), True
    else:
        settings = settings_from(store=store, url=url)
        run, facts, place, running = asyncio.run(_show(settings, name, history))
    if json:
        output.data(facts if history else run)
    elif history:
        output.table(("seq", "time", "type", "key", "more"), map(_fact_row, facts))
    else:
        for part in picture(run, place):
            output.show(part)
        if not running and not run.get("endedAt"):
            output.note("nothing is running now: ostinato serve")


async def _show(settings: Settings, name: str, history: bool) -> tuple[Data, list[Data], str, bool]:
    async with connected(settings) as client:
        run = await client.run(name)
        facts = await client.history(run["id"]) if history else []
        return run, facts, client.place, client.running


def picture(run: Data, place: str) -> Iterator[output.Part]:
    now = words.now_ms()
    uid = f" ({run['uid']})" if run.get("uid") else ""
    yield output.Line(f"{run['workflow']} v{run['version']}{uid}  run {run['id']}")
    yield output.Line(f"{run['status']}; {_times(run, now)}", output.STYLES.get(run["status"], ""))
    for label, text in _told(run, now, place):
        yield output.Line(f"{label}: {text}")
    if run.get("jobs"):
        yield output.Line()
        columns = ("phase", "job", "status", "attempts", "took", "about")
        yield output.table_of(columns, (_job_row(job, now) for job in run["jobs"]))


def _times(run: Data, now: int) -> str:
    began, span = f"started {words.moment(run['startedAt'])}", words.took(run, now)
    if not run.get("endedAt"):
        return f"{began}, {span} ago"
    return f"{began}, ended {words.moment(run['endedAt'])} after {span}"


def _told(run: Data, now: int, place: str) -> list[tuple[str, str]]:
    told = [("input", shown_short(run.get("input")))]
    if parent := run.get("parent"):
        told.append(("called by", f"step {parent['step']} of run {parent['run']}"))
    if children := run.get("children"):
        told.append(("has called", _children(children)))
    if error := words.failure(run.get("error")):
        told.append(("error", error))
    if run.get("reason"):
        told.append(("cancelled", run["reason"]))
    if run["status"] == "succeeded" and run.get("output") is not None:
        told.append(("output", shown(run["output"])))
    told += [("warning", warning) for warning in run.get("warnings") or ()]
    return told + [("now", reason) for reason in words.progress(run, now, place)]


MANY = 5


def _children(children: list[Data]) -> str:
    """The last ones; all are in ``--json``."""
    last = [f"{one['workflow']} as {one['run']} ({one['step']})" for one in children[-MANY:]]
    more = len(children) - len(last)
    return ", ".join([f"{more:,} runs, …", *last] if more > 0 else last)


def shown_short(value: Any, longest: int = 400) -> str:
    text = json_text.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[:longest] + "… (all of it: --json)"


def _job_row(job: Data, now: int) -> tuple[Any, ...]:
    about = words.failure(job.get("error")) or job.get("reason") or ""
    name = job["job"] if job["key"].endswith(job["job"]) and "[" not in job["key"] else job["key"]
    attempts = job.get("attempts") or ""
    return job.get("phase"), name, job["status"], attempts, words.took(job, now), about


_PLACED = ("seq", "at", "type", "key", "job")


def _fact_row(fact: Data) -> tuple[Any, ...]:
    more = {name: value for name, value in fact.items() if name not in _PLACED}
    told = shown_short(more, 200) if more else ""
    return fact["seq"], words.moment(fact["at"]), fact["type"], fact.get("key"), told
