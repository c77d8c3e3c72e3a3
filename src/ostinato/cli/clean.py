"""``ostinato clean``: what `[retention]` says is too old is removed now."""

from __future__ import annotations

import asyncio
from typing import Any

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.config import Settings

NOTHING = "nothing is too old; [retention] in ostinato.toml says how long things are kept"

_NAMES = (
    ("runs", "run", "runs"),
    ("events", "event", "events"),
    ("deadLetters", "dead letter", "dead letters"),
    ("replies", "remembered answer", "remembered answers"),
    ("operations", "operation", "operations"),
)


def clean(json: Json = False, store: Store = None, url: Url = None) -> None:
    """Remove now what [retention] says is too old. A server does so once an hour."""
    gone = asyncio.run(_clean(settings_from(store=store, url=url)))
    if json:
        output.data(gone)
    else:
        output.line(told(gone))


async def _clean(settings: Settings) -> dict[str, Any]:
    async with connected(settings) as client:
        return await client.clean()


def told(gone: dict[str, Any]) -> str:
    counted = ((gone[member], one, many) for member, one, many in _NAMES)
    counts = [
        f"{number:,} {one if number == 1 else many}" for number, one, many in counted if number
    ]
    return f"removed {', '.join(counts)}" if counts else NOTHING
