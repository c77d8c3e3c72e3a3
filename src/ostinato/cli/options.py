"""Options that commands share, and the settings that come of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ostinato.cli.failure import USAGE, Stop
from ostinato.config import Settings, read_settings
from ostinato.core.durations import parse_duration
from ostinato.errors import DefinitionError

Json = Annotated[bool, typer.Option("--json", help="Print data.")]
Store = Annotated[
    list[str] | None,
    typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://…; several share the work."),
]
Url = Annotated[str | None, typer.Option(metavar="URL", help="The server to talk to.")]
Timeout = Annotated[
    str | None, typer.Option(metavar="DURATION", help="How long to wait, as 30s; then exit 4.")
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Id, beginning of it, uid, or `last`.")]


def settings_from(**flags: Any) -> Settings:
    return read_settings(flags, by="--{name}")


def seconds(timeout: str | None) -> float | None:
    try:
        return None if timeout is None else parse_duration(timeout) / 1000
    except DefinitionError as error:
        raise Stop(f"--timeout: {error}", code=USAGE) from None


def to_show(command: str, what: str, action: str, name: str | None) -> str | None:
    """The one that is to be shown; None: the list. ``what`` says how one is named."""
    if action == "show":
        if name is None:
            raise Stop(f"which one? ostinato {command} show {what}", code=USAGE)
        return name
    if action != "list" or name is not None:
        raise Stop(f"{action!r} is not `list` or `show {what}`", code=USAGE)
    return None
