"""``ostinato serve``: documents and Python applications, served until a signal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json, Store, settings_from
from ostinato.cli.sources import documents_in, is_application, load_application
from ostinato.config import override_settings, require_keys_beyond_loopback


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
    standby: Annotated[
        bool, typer.Option("--standby", help="Read only, until told to take its share of the runs.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a server. SIGTERM or Ctrl-C lets jobs at work finish, then it ends with exit 0."""
    flags = {"host": host, "port": port, "store": store}
    if standby:
        flags["standby"] = "true"
    given = sources or []
    applications = [source for source in given if is_application(source)]
    documents = documents_in(Path(each) for each in given if each not in applications)
    if len(applications) > 1:
        raise Stop("one application can be served at a time", code=USAGE)
    if not applications:
        require_keys_beyond_loopback(settings_from(**flags))  # before the slow imports
    from ostinato.app import App
    from ostinato.cli.server import serving

    if applications:
        app = load_application(applications[0])
        app.configure(override_settings(app.settings, flags, by="--{name}"))
    else:
        app = App(settings_from(**flags))
    asyncio.run(serving(app, documents, json=json))
