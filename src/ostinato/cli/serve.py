"""``ostinato serve``: documents and Python applications, served until a signal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli.options import Json, Store, settings_from
from ostinato.cli.sources import Sources, documents_in, is_application
from ostinato.config import require_keys_beyond_loopback


def serve(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DOCUMENTS… | module:app]",
            help="Workflow files, directories of them, and Python applications.",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Default 127.0.0.1.")] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Default 8085; 0 takes any free one.")
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Run a server. SIGTERM or Ctrl-C lets jobs at work finish, then it ends with exit 0."""
    settings = settings_from(host=host, port=port, store=store)
    require_keys_beyond_loopback(settings)
    from ostinato.cli.server import serve_app  # only now: it imports the web

    given = sources or []
    applications = [source for source in given if is_application(source)]
    documents = documents_in([Path(each) for each in given if each not in applications])
    asyncio.run(serve_app(settings, Sources(tuple(applications), tuple(documents)), json=json))
