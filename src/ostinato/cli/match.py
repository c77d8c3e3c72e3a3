"""``ostinato match``: does a pattern fit an event, and if not, why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ostinato.cli import output
from ostinato.cli.failure import DONE, FAILED, USAGE, Stop
from ostinato.cli.options import Json
from ostinato.cli.texts import STDIN, json_from
from ostinato.core.patterns import Explanation, Pattern
from ostinato.errors import PatternError, UsageError


def match(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="JSON, @file, or - for stdin.")],
    event: Annotated[
        str,
        typer.Argument(metavar="EVENT", help="The same; a message's attributes or body for --sns."),
    ],
    sns: Annotated[
        str | None,
        typer.Option(metavar="SCOPE", help="It is an SNS filter policy: attributes or body."),
    ] = None,
    json: Json = False,
) -> None:
    """Ask a pattern whether it fits an event, and why not.

    Exit 0 when it fits, 1 when it does not, 2 when one of them is none.
    """
    if pattern == event == STDIN:
        raise Stop("PATTERN and EVENT cannot both come from stdin", code=USAGE)
    wanted = _pattern(json_from(pattern, "PATTERN"), sns)
    explanation = _explained(wanted, json_from(event, "EVENT"))
    if json:
        output.data(_data(explanation))
    else:
        output.line("matched" if explanation.matched else str(explanation))
    raise typer.Exit(DONE if explanation.matched else FAILED)


def _pattern(written: Any, sns: str | None) -> Pattern:
    try:
        return Pattern(written) if sns is None else Pattern.sns(written, sns)
    except PatternError as error:
        raise Stop(f"PATTERN: {error}", code=USAGE) from None
    except UsageError as error:
        raise Stop(f"--sns: {error}", code=USAGE) from None


def _explained(pattern: Pattern, event: Any) -> Explanation:
    try:
        return pattern.explain(event)
    except UsageError as error:
        raise Stop(f"EVENT: {error}", code=USAGE) from None


def _data(explanation: Explanation) -> dict[str, Any]:
    return {
        "matched": explanation.matched,
        "failures": [failure._asdict() for failure in explanation.failures],
        "alternatives": explanation.alternatives,
    }
