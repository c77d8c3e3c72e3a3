"""``ostinato graph``: a workflow as a tree of phases and jobs, or for a drawing program."""

from __future__ import annotations

import asyncio
import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import output
from ostinato.cli.connect import connected
from ostinato.cli.drawing import FORMATS, graph_data
from ostinato.cli.failure import FAILED, USAGE, Stop
from ostinato.cli.options import Json, Store, Url, settings_from
from ostinato.cli.sources import SUFFIXES
from ostinato.config import Settings
from ostinato.core.graph import Graph
from ostinato.definitions import compile, load


def graph(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE")],
    format: Annotated[
        str, typer.Option(metavar="FORMAT", help="tree, mermaid, dot or json.")
    ] = "tree",
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Draw a workflow that is deployed, or the ones in a file."""
    wanted = "json" if json else format
    if wanted not in (*FORMATS, "json"):
        raise Stop(f"--format {format}: write tree, mermaid, dot or json", code=USAGE)
    path = Path(name)
    if path.is_file() or path.suffix in SUFFIXES:
        graphs = _compiled(_read(path), name)
    else:
        text = asyncio.run(_document(settings_from(store=store, url=url), name))
        graphs = _compiled(text, name)
    if wanted == "json":
        found = [graph_data(each) for each in graphs]
        output.data(found[0] if len(found) == 1 else found)
    else:
        print("\n".join(line for each in graphs for line in FORMATS[wanted](each)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Stop(f"{path}: {error.strerror}", code=USAGE) from None


def _compiled(text: str | bytes, name: str) -> list[Graph]:
    from ostinato.errors import DefinitionError

    try:
        return [compile(document) for document in load(text)]
    except DefinitionError as error:
        hint = f"ostinato check {name} tells all"
        raise Stop(f"{name}: {error}", hint=hint, code=FAILED) from None


async def _document(settings: Settings, name: str) -> str:
    async with connected(settings) as client:
        document = (await client.workflow(name))["document"]
    return document if isinstance(document, str) else json_text.dumps(document)
