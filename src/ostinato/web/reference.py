"""The HTTP part of docs/reference/doors.md. ``python -m ostinato.web.reference FILE`` writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ostinato.web.asgi import TABLE
from ostinato.web.auth import PERMISSIONS
from ostinato.web.openapi import permissions
from ostinato.web.operation import KNOWN, PUBLIC, Operation

BEGIN, END = "<!-- http: begin -->", "<!-- http: end -->"


def routes_part() -> str:
    lines = [BEGIN, ""]
    for tag in dict.fromkeys(operation.tag for operation in TABLE.operations):
        lines += [f"### {tag.capitalize()}", "", "| route | does | name | may | answers |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_row(one) for one in TABLE.operations if one.tag == tag]
        lines += [""]
    lines += ["### Permissions", "", "| ours | equal to |", "|---|---|"]
    lines += [f"| `{ours}` | {_listed(equal)} |" for ours, equal in PERMISSIONS.items()]
    return "\n".join([*lines, "", END])


def _row(operation: Operation) -> str:
    answers = ", ".join(str(status) for status in operation.answers)
    route = f"`{operation.method} {operation.path}`{_query(operation)}"
    cells = [route, operation.summary.rstrip("."), f"`{operation.name}`", _may(operation), answers]
    return f"| {' | '.join(cells)} |"


def _query(operation: Operation) -> str:
    fields = getattr(operation.query, "__struct_encode_fields__", ())
    return f" ?{_listed(fields, ' ')}" if fields else ""


def _may(operation: Operation) -> str:
    if operation.may == PUBLIC:
        return "everyone"
    return "anyone known" if operation.may == KNOWN else _listed(permissions(operation))


def _listed(names: Iterable[str], between: str = ", ") -> str:
    return between.join(f"`{name}`" for name in names) or "–"


def rewritten(page: str) -> str:
    """The page with its HTTP part made anew; the rest is other hands' work."""
    before, _, rest = page.partition(BEGIN)
    return before + routes_part() + rest.partition(END)[2]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(rewritten(target.read_text()))
