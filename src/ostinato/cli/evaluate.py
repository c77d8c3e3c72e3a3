"""``ostinato eval``: an expression on data, as a workflow would see it."""

from __future__ import annotations

from typing import Annotated

import typer

from ostinato.cli import output, words
from ostinato.cli.ending import shown
from ostinato.cli.failure import USAGE, Stop
from ostinato.cli.options import Json
from ostinato.cli.texts import json_from
from ostinato.core.expressions import parse


def evaluate(
    expression: Annotated[str, typer.Argument(metavar="EXPR")],
    data: Annotated[
        str,
        typer.Option(
            metavar="JSON",
            help='The names it may use, as {"input": {"n": 1}}: JSON, @file, or - for stdin.',
        ),
    ] = "{}",
    json: Json = False,
) -> None:
    """Try an expression on data."""
    names = json_from(data, "--data")
    if not isinstance(names, dict):
        hint = """name it: --data '{"input": …}'"""
        raise Stop("--data: an object is needed, its members are the names", hint=hint, code=USAGE)
    value = parse(expression).evaluate({"now": words.now_ms(), **names})
    if json:
        output.data(value)
    else:
        output.line(value if isinstance(value, str) else shown(value))
