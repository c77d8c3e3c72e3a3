"""``ostinato new``: a starter project that runs and passes its own test."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ostinato.cli import output
from ostinato.cli.failure import FAILED, USAGE, Stop
from ostinato.cli.options import Json
from ostinato.cli.starter import FILES


def new(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New, or empty.")],
    json: Json = False,
) -> None:
    """Make a starter project: a workflow, two handlers, a test, a README."""
    if directory.exists() and not directory.is_dir():
        raise Stop(f"{directory} is a file", code=USAGE)
    if directory.exists() and any(directory.iterdir()):
        hint = "take a name that is not there yet"
        raise Stop(f"{directory} is not empty; nothing was written", hint=hint, code=USAGE)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"{directory} cannot be written: {error.strerror}", code=FAILED) from error
    if json:
        output.data({"directory": str(directory.resolve()), "files": list(FILES)})
        return
    output.line(f"{directory}: {', '.join(FILES)}")
    output.line(f"next: cd {shlex.quote(str(directory))} && ostinato serve hello.yaml app:app")
