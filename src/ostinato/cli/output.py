"""What commands print.

On a terminal: tables and colour, as wide as it is. Without one: plain lines with columns apart by
two spaces or more, nothing cut off. With --json: one JSON value. What is not the answer itself
(notes, errors) goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "succeeded": "green",
    "failed": "bold red",
    "cancelled": "magenta",
    "running": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "skipped": "dim",
    "pending": "dim",
    "undone": "magenta",
}


def on_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


@cache
def console() -> Console:
    """Rich honours NO_COLOR and COLUMNS by itself."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def data(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def note(text: str) -> None:
    print(text, file=sys.stderr)


@dataclass(frozen=True, slots=True)
class Line:
    text: str = ""
    style: str = ""

    def plain(self) -> str:
        return self.text

    def rich(self) -> Any:
        from rich.text import Text

        return Text(self.text, style=self.style)


@dataclass(frozen=True, slots=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def plain(self) -> str:
        rows = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def rich(self) -> Any:
        from rich.table import Table as RichTable

        drawn = RichTable(box=None, pad_edge=False, header_style="bold")
        for column in self.columns:
            # What is typed again must not be cut off; the widest of the others give way.
            drawn.add_column(column.upper(), no_wrap=column in _WHOLE)
        for row in self.rows:
            drawn.add_row(*map(_cell, row))
        return drawn


Part = Line | Table
_WHOLE = frozenset({"id", "job", "name", "seq", "setting", "status", "type"})


def line(text: str = "", style: str = "") -> None:
    show(Line(text, style))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "none") -> None:
    drawn = table_of(columns, rows)
    if drawn.rows:
        show(drawn)
    else:
        note(empty)


def table_of(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    return Table(columns, [[_one_line(cell) for cell in row] for row in rows])


def show(part: Part) -> None:
    if on_terminal():
        console().print(part.rich())
    else:
        print(part.plain())


def _cell(text: str) -> Any:
    from rich.text import Text

    return Text(text, style=STYLES.get(text, ""), no_wrap=True, overflow="ellipsis")


def _one_line(cell: Any) -> str:
    return "" if cell is None else " ".join(str(cell).split())
