"""``ostinato workflows``: what can be started."""

from __future__ import annotations

import asyncio
from typing import Any

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.config import Settings


def workflows(json: Json = False, store: Store = None, url: Url = None) -> None:
    """List workflows, each in its newest version."""
    found = asyncio.run(_workflows(settings_from(store=store, url=url)))
    if json:
        output.data(found)
        return
    rows = ((each["name"], each["version"], _first_line(each.get("description"))) for each in found)
    hint = "no workflows; `ostinato deploy FILE` or `ostinato serve FILE` brings some"
    output.table(("name", "version", "description"), rows, empty=hint)


async def _workflows(settings: Settings) -> list[dict[str, Any]]:
    async with connected(settings) as client:
        return await client.workflows()


def _first_line(text: str | None) -> str:
    return text.strip().partition("\n")[0] if text else ""
