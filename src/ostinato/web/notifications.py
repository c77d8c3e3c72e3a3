"""What SNS posts: it carries no key of ours, but is signed, and that is looked at.

Whoever is not believed is told 401 and nothing else; the reason is logged.
"""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from ostinato.errors import SignatureError
from ostinato.telemetry.logger import logger
from ostinato.web.answers import json_answer
from ostinato.web.bodies import read_body
from ostinato.web.door import door_of, headers_of
from ostinato.web.errors import Refusal
from ostinato.web.operation import PUBLIC, Operations

doors = Operations("events")

log = logger("ostinato.web")

POSTED = {"text/plain": {"type": "string"}}


class Taken(Struct):
    """``accepted``: events, none for what is about the subscription or was not wanted."""

    accepted: int


@doors.post("/sns/{name}", may=PUBLIC, bodies=POSTED, answers={200: Taken})
async def post_notification(request: Request) -> Response:
    """Take what SNS posts for the bus of this name, if SNS has signed it.

    401 when it has not, when its topic is not one of the bus, and when it is older than an hour;
    the log says why.
    """
    door = door_of(request)
    body = await read_body(request, door.bounds.signal)
    name = request.path_params["name"]
    try:
        accepted = await door.app.take_posted(name, headers_of(request), body)
    except SignatureError as error:
        log.warning("notification.refused", bus=name, why=str(error))
        raise Refusal(401, "UnauthorizedError", "Unauthorized") from None
    for one in accepted:
        door.metrics.accepted(duplicate=one.duplicate)
    return json_answer({"accepted": len(accepted)})
