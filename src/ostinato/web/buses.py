"""What comes in by buses and goes out on them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ostinato.app.buses import BusView
from ostinato.web.answers import json_answer
from ostinato.web.door import door_of
from ostinato.web.operation import Operations

doors = Operations("buses")


@doors.get("/buses", may="bus:read", answers={200: list[BusView]})
async def buses(request: Request) -> Response:
    """The buses of the settings, and what has gone through each since this server began.

    `trouble` says why nothing comes in, or goes out, now.
    """
    return json_answer(await door_of(request).app.buses())


@doors.get("/asyncapi.json", may="bus:read", answers={200: dict[str, Any]})
async def asyncapi(request: Request) -> Response:
    """What this server receives and sends, as an AsyncAPI 3.0 document."""
    return json_answer(door_of(request).app.asyncapi())
