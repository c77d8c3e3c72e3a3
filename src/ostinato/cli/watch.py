"""``ostinato watch``: a run as it goes, to its end. Ctrl-C leaves the run running."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import typer

from ostinato.cli import output, words
from ostinato.cli.client import Client
from ostinato.cli.connect import connected
from ostinato.cli.ending import exit_code, told_end
from ostinato.cli.failure import INTERRUPTED, RUNNING
from ostinato.cli.options import Json, RunName, Store, Timeout, Url, seconds, settings_from
from ostinato.cli.show import picture
from ostinato.config import Settings

Data = dict[str, Any]

# Facts that say nothing to someone who watches.
_QUIET = frozenset({"token.rested", "token.joined", "gateway.passed", "job.ready", "job.heard"})


def watch(
    name: RunName,
    timeout: Timeout = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Follow a run to its end: exit 0 when it succeeded, 1 when it failed or was cancelled.

    Ctrl-C leaves the run running. With --json, each fact is one line of data as it is recorded.
    """
    settings = settings_from(store=store, url=url)
    try:
        code = asyncio.run(_watch(settings, name, seconds(timeout), json))
    except KeyboardInterrupt:
        output.note("the run goes on")
        code = INTERRUPTED
    raise typer.Exit(code)


async def _watch(settings: Settings, name: str, limit: float | None, json: bool) -> int:
    async with connected(settings) as client:
        run = await client.run(name)
        follow = _lines if json or not output.on_terminal() else _redrawn
        try:
            async with asyncio.timeout(limit):
                await follow(client, run, json)
        except TimeoutError:
            pass
        run = await client.run(run["id"])
        code = exit_code(run) if json else told_end(run, quiet=output.on_terminal())
        if code == RUNNING and not client.running:
            output.note("nothing is running now: ostinato serve")
        return code


async def _lines(client: Client, run: Data, json: bool) -> None:
    import json as json_text

    waits = Waits(client, run)
    async with aclosing(client.follow(run["id"])) as facts:
        async for fact in facts:
            if json:
                print(json_text.dumps(fact, ensure_ascii=False), flush=True)
            elif fact["type"] not in _QUIET:
                print(await _line(fact, waits), flush=True)


async def _line(fact: Data, waits: Waits) -> str:
    clock = words.moment(fact["at"])[-8:]
    key = f" {fact['key']}" if fact.get("key") else ""
    if fact["type"] == "job.waiting":
        return f"{clock} {fact['type']}{key}  {await waits.told(fact)}"
    error = fact.get("error")
    why = f"  {words.failure(error)}" if error else ""
    return f"{clock} {fact['type']}{key}{why}"


class Waits:
    """Tells a wait that is open as ``show`` does, and one that is over as what it was."""

    def __init__(self, client: Client, run: Data) -> None:
        self._client = client
        self._run = run

    async def told(self, fact: Data) -> str:
        if fact["at"] > _latest(self._run):  # the run was read before that
            self._run = await self._client.run(self._run["id"])
        for wait in self._run.get("waits") or ():
            if (wait["key"], wait["since"]) == (fact["key"], fact["at"]):
                return words.reason(wait, words.now_ms(), self._client.place, self._run["id"])
        return words.waited(fact)


def _latest(run: Data) -> int:
    """The newest instant that stands in a run, by the clock of whoever does it."""
    members = ("startedAt", "endedAt", "since")
    parts = (run, *(run.get("jobs") or ()), *(run.get("waits") or ()))
    return max(part.get(member) or 0 for part in parts for member in members)


async def _redrawn(client: Client, run: Data, json: bool) -> None:
    """The picture of ``show``, again after each fact and each second (spans grow)."""
    from rich.console import Group
    from rich.live import Live

    with Live(console=output.console(), auto_refresh=False, vertical_overflow="crop") as live:
        changed = asyncio.Event()
        reader = asyncio.create_task(_signal(client, run["id"], changed))
        try:
            while True:
                run = await client.run(run["id"])
                parts = picture(run, client.place)
                live.update(Group(*(part.rich() for part in parts)), refresh=True)
                if reader.done():
                    return await reader
                await _either(changed, 1.0)
        finally:
            reader.cancel()


async def _signal(client: Client, run_id: str, changed: asyncio.Event) -> None:
    async for _ in client.follow(run_id):
        changed.set()
    changed.set()


async def _either(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        pass
    changed.clear()
