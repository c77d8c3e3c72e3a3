"""``ostinato pause resume retry skip fork signal``: what a person does to a run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, RunName, Store, Url, settings_from
from ostinato.cli.texts import json_from
from ostinato.config import Settings

Why = Annotated[str, typer.Option(metavar="TEXT", help="Recorded with it.")]
Job = Annotated[str, typer.Argument(metavar="[JOB]", help="Key of a step, as `show` tells it.")]
Input = Annotated[
    str | None, typer.Option(metavar="JSON", help="Instead of what it had: JSON, @file, or -.")
]

HELD_BY_PAUSE = ("retry", "skip")
"""Verbs after which something is to begin."""

ENDED = {"succeeded": "has succeeded", "failed": "has failed", "cancelled": "is cancelled"}


def pause(
    name: RunName, why: Why = "", json: Json = False, store: Store = None, url: Url = None
) -> None:
    """Pause a run: nothing new starts in it, what is at work may end."""
    _repair("pause", name, {"why": why}, "is paused", json, settings_from(store=store, url=url))


def resume(
    name: RunName, why: Why = "", json: Json = False, store: Store = None, url: Url = None
) -> None:
    """Resume a paused run."""
    told, settings = "is no longer paused", settings_from(store=store, url=url)
    _repair("resume", name, {"why": why}, told, json, settings)


def retry(
    name: RunName,
    job: Job = "",
    input: Input = None,
    why: Why = "",
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Do what failed in a run once more, or one JOB of it; a run that has failed goes on."""
    asked = {"job": job, "why": why} | _given("input", input)
    _repair("retry", name, asked, "is tried again", json, settings_from(store=store, url=url))


def skip(
    name: RunName,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Key of a step, as `show` tells it.")],
    value: Annotated[
        str, typer.Option("--output", metavar="JSON", help="What it should have given.")
    ] = "null",
    done: Annotated[
        bool, typer.Option("--done", help="Count it as succeeded: its work was done by hand.")
    ] = False,
    why: Why = "",
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Go on without a job, with a value for those who come after it."""
    asked = {"job": job, "done": done, "why": why} | _given("output", value)
    told = f"goes on with {job} as done" if done else f"goes on without {job}"
    _repair("skip", name, asked, told, json, settings_from(store=store, url=url))


def fork(
    name: RunName,
    job: Job = "",
    input: Input = None,
    why: Why = "",
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Start another run with what this one had done before JOB, or before what failed."""
    asked = {"job": job, "why": why} | _given("input", input)
    _repair("fork", name, asked, "is a fork of it", json, settings_from(store=store, url=url))


def signal(
    name: RunName,
    type: Annotated[str, typer.Argument(metavar="TYPE")],
    data: Annotated[
        str, typer.Option(metavar="JSON", help="The data: JSON, @file, or - for stdin.")
    ] = "{}",
    why: Why = "",
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Send an event to one run alone."""
    asked = {"type": type, "why": why} | _given("data", data)
    _repair("signal", name, asked, f"has heard {type}", json, settings_from(store=store, url=url))


def _given(option: str, written: str | None) -> dict[str, Any]:
    return {} if written is None else {option: json_from(written, f"--{option}")}


def _repair(
    verb: str, name: str, asked: dict[str, Any], told: str, json: bool, settings: Settings
) -> None:
    run, running = asyncio.run(_asked(settings, verb, name, asked))
    if json:
        output.data(run)
        return
    for line in lines(run, verb, told):
        output.line(line)
    if not running and verb != "pause":
        output.line("stored; nothing is running yet: ostinato serve")


def lines(run: dict[str, Any], verb: str, told: str) -> Iterator[str]:
    """What was done, and why nothing follows from it yet, if so."""
    about = f"run {run['id']} of {run['workflow']}"
    if run["endedAt"]:
        yield f"{about} {told}; it {ENDED[run['status']]}"
        return
    waits = run["status"] == "paused" and verb in HELD_BY_PAUSE
    yield f"{about} {told}{', once it is no longer paused' if waits else ''}"
    yield from words.held(run, words.now_ms())


async def _asked(
    settings: Settings, verb: str, name: str, asked: dict[str, Any]
) -> tuple[dict[str, Any], bool]:
    async with connected(settings) as client:
        run = await client.run(name)
        return await client.repair(run["id"], verb, asked), client.running
