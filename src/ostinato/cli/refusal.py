"""What a server refused, from its one error body, as a line with its mend and an exit code."""

from __future__ import annotations

import json
from typing import Any

from ostinato.cli.failure import FAILED, UNREACHABLE, USAGE, Stop
from ostinato.errors import Problem

_CODES = {409: FAILED, 429: FAILED, 503: UNREACHABLE}
_HINTS = {
    401: "set OSTINATO_KEY, or OSTINATO_KEY_FILE to the file that holds the key",
    403: "this key is not allowed to do that",
    429: "the server has all the work it can take; try again in a moment",
    503: "the server is starting or stopping; try again in a moment",
}


def refusal(status: int, content: bytes) -> Stop:
    body = _body(content)
    message = body.get("detail") or _inner(body).get("message") or body.get("title")
    code = _CODES.get(status, USAGE if status < 500 else FAILED)
    stop = Stop(
        str(message or f"the server answered {status}"), hint=_HINTS.get(status, ""), code=code
    )
    stop.problems = tuple(_problem(each) for each in body.get("errors") or ())
    return stop


def _body(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _inner(body: dict[str, Any]) -> dict[str, Any]:
    inner = body.get("error")
    return inner if isinstance(inner, dict) else {}


def _problem(error: Any) -> Problem:
    if not isinstance(error, dict):
        return Problem(str(error))
    path = str(error.get("pointer") or error.get("path") or "").lstrip("#")
    return Problem(
        str(error.get("message", "")), path, line=error.get("line", 0), hint=error.get("hint", "")
    )
