"""``ostinato deploy``: documents to the server, or into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.documents import refuse_broken
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.sources import documents_in
from ostinato.config import Settings


def deploy(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Documents, or directories.")
    ],
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Give documents to the server: all of them or none."""
    paths = documents_in(files)
    refuse_broken(paths)
    deployed = asyncio.run(_deploy(settings_from(store=store, url=url), paths))
    if json:
        output.data(deployed)
        return
    for each in deployed:
        output.line(f"{each['name']} v{each['version']}")
        for warning in each.get("warnings") or ():
            output.note(f"{each['name']}: warning: {warning}")


async def _deploy(settings: Settings, paths: Sequence[Path]) -> list[dict[str, Any]]:
    async with connected(settings, creates=True) as client:
        return await client.deploy(paths)
