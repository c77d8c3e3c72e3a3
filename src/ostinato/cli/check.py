"""``ostinato check``: what is wrong with documents, without a server or a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import output
from ostinato.cli.documents import Entry, check_files, told
from ostinato.cli.failure import DONE, FAILED, USAGE
from ostinato.cli.options import Json
from ostinato.cli.sources import documents_in, load_application
from ostinato.definitions.check import report


def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Documents, directories, or - for stdin.")
    ],
    app: Annotated[
        str | None, typer.Option(metavar="module:app", help="Whose handlers are known.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="An unknown handler is an error, not a topic.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is wrong with documents, with line and mend.

    Exit 0 also with warnings, 1 with errors, 2 when a file cannot be read.
    """
    handlers = sorted(load_application(app).handlers.names()) if app else None
    entries, readable = check_files(_files(files), handlers, strict)
    summary = report(entries)
    if json:
        output.data(summary)
    else:
        _tell(entries)
    raise typer.Exit(USAGE if not readable else DONE if summary["ok"] else FAILED)


def _files(paths: list[Path]) -> list[Path]:
    return [
        inside for path in paths for inside in (documents_in([path]) if path.is_dir() else [path])
    ]


def _tell(entries: list[Entry]) -> None:
    for entry in entries:
        for line in told(entry):
            output.line(line, style=_style(line))
        if not entry["errors"]:
            output.line(f"{entry['file']}: {entry['workflow']} is fine", style="green")


def _style(line: str) -> str:
    return "red" if ": error: " in line else "yellow" if ": warning: " in line else ""
