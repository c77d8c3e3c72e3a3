"""What is too old goes now, and not within the hour."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import Cleaned
from ostinato.telemetry.logger import logger
from ostinato.web.answers import json_answer
from ostinato.web.door import caller_of, door_of
from ostinato.web.operation import Operations

doors = Operations("retention")

log = logger("ostinato.web")


@doors.post("/clean", may="retention:write", answers={200: Cleaned})
async def clean(request: Request) -> Response:
    """Remove now what `[retention]` says is too old; the answer is how many went. Safe to repeat.

    The server does so once an hour by itself. A pass over much that is old takes its time.
    """
    log.info("retention.asked", by=caller_of(request).name)
    return json_answer(await door_of(request).app.clean())
