"""``ostinato workers``: who does jobs elsewhere, and what is offered to them."""

from __future__ import annotations

import asyncio
from typing import Any

from ostinato.cli import output, words
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.config import Settings

Data = dict[str, Any]

WORKERS = ("worker", "topics", "version", "seen", "jobs", "skew")
TOPICS = ("topic", "offered", "taken", "oldest", "asked for")


def workers(json: Json = False, store: Store = None, url: Url = None) -> None:
    """List workers, and the topics under which jobs are offered to them."""
    found = asyncio.run(_workers(settings_from(store=store, url=url)))
    if json:
        output.data(found)
        return
    now = words.now_ms()
    rows = (_worker(one, now) for one in found["workers"])
    output.table(WORKERS, rows, empty="no workers")
    if found["topics"]:
        output.line("")
        output.table(TOPICS, (_topic(one, now) for one in found["topics"]), empty="")


async def _workers(settings: Settings) -> Data:
    async with connected(settings) as client:
        return {"workers": await client.workers(), "topics": await client.topics()}


def _worker(one: Data, now: int) -> tuple[Any, ...]:
    seen = f"{words.span(now - one['seenAt'])} ago" if one["seenAt"] else ""
    seen += ", longer than its lease" if one.get("late") else ""
    return one["name"], ", ".join(one["topics"]), one["version"], seen, one["jobs"], one["skew"]


def _topic(one: Data, now: int) -> tuple[Any, ...]:
    oldest = words.span(now - one["oldest"]) if one["oldest"] else ""
    asked = one["askedAt"]
    told = f"{words.span(now - asked)} ago" if asked else "by nobody yet"
    return one["topic"], one["offered"], one["taken"], oldest, told
