"""``ostinato migrate-store``: everything from one store to another, running runs included."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import msgspec
import typer

from ostinato.app.moving import MovedView, Told, move_store, unmove_store
from ostinato.cli import output
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json
from ostinato.config import read_settings
from ostinato.core.instants import format_instant
from ostinato.errors import SettingsError
from ostinato.telemetry.logs import warn_on_stderr

_WORDS = {"copy": "copying", "compare": "comparing", "judge": "judging"}


def migrate_store(
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="The store, as sqlite:///FILE.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="An empty one, as postgresql://….")
    ] = None,
    faulty: Annotated[
        bool, typer.Option("--faulty", help="Also with histories that are wrong already.")
    ] = False,
    undo: Annotated[
        bool,
        typer.Option(
            "--undo",
            help="Let servers start on --from again, if nothing has happened since it was moved.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --undo: also when the other one has gone on.")
    ] = False,
    json: Json = False,
) -> None:
    """Move everything from one store to another: runs go on where they are.

    No server may be at work on either. All of it is copied, compared row by row, and every history
    is judged; then the target is whole, and the source says that it was moved, so that nobody
    starts it by mistake. What breaks off changes nothing: run it again.
    """
    if source is None:
        raise Stop("which store? --from is missing", hint=_EXAMPLE, code=USAGE)
    given = _checked("--from", source)
    if undo:
        _undo(given, target, force, json)
        return
    if force:
        raise Stop("--force is for --undo; leave it away", code=USAGE)
    if target is None:
        raise Stop("where to? --to is missing", hint=_EXAMPLE, code=USAGE)
    restore = warn_on_stderr()
    try:
        moving = move_store(given, _checked("--to", target), faulty=faulty, told=_progress())
        moved = asyncio.run(moving)
    finally:
        restore()
        _clear()
    _tell(moved, json)


_EXAMPLE = "ostinato migrate-store --from sqlite:///ostinato.db --to postgresql://USER@HOST/NAME"


def _checked(option: str, url: str) -> str:
    try:
        return read_settings({"store": url}, by=option).only_store
    except SettingsError as error:
        raise Stop(str(error), hint=_EXAMPLE, code=USAGE) from None


def _undo(source: str, target: str | None, force: bool, json: bool) -> None:
    to = None if target is None else _checked("--to", target)
    found = asyncio.run(unmove_store(source, to, force=force))
    if found is None:
        raise Stop("nothing to undo: this store was not moved", code=USAGE)
    if json:
        output.data({"to": found.to, "at": format_instant(found.at)})
    else:
        holds = "what happened there is forgotten" if force else "it holds the same runs"
        output.line(f"servers may start here again, and no more at {found.to}: {holds},")
        output.line("so let nobody start one there, or everything is done twice")


def _tell(moved: MovedView, json: bool) -> None:
    if json:
        output.data(msgspec.to_builtins(moved))
        return
    rows = ((name, f"{count:,}") for name, count in moved.rows.items() if count)
    output.table(("table", "rows"), rows, empty="it was empty")
    total = sum(moved.rows.values())
    said = "had been moved already" if moved.again else f"moved in {moved.seconds:.1f} s"
    judged = "1 history" if moved.runs == 1 else f"{moved.runs:,} histories"
    output.line(f"{total:,} rows {said}, compared one by one; {judged} judged")
    go_on = "1 run goes" if moved.open == 1 else f"{moved.open:,} runs go"
    output.line(f"{go_on} on with: export OSTINATO_STORE={moved.target}")
    for violation in moved.violations:
        output.note(f"wrong before and after: {violation}")


def _progress() -> Told:
    """One line on a terminal, written over again; nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda *_: None

    def told(what: str, name: str, done: int, total: int) -> None:
        print(f"\r\x1b[K{_WORDS[what]} {name}: {done:,} of {total:,}", end="", file=sys.stderr)

    return told


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
