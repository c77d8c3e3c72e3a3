"""Answers: JSON by msgspec, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

encode = msgspec.json.Encoder().encode


def json_answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(encode(value), status, headers, "application/json")


def nothing() -> Response:
    return Response(None, 204)


def url_of(request: Request, path: str) -> str:
    """A path of ours as seen from outside: below where we are mounted."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/") + path
