"""The processes that share a store."""

from __future__ import annotations

from msgspec.structs import astuple
from starlette.requests import Request
from starlette.responses import Response

from ostinato.ports import Roll
from ostinato.telemetry.logger import logger
from ostinato.web.answers import json_answer
from ostinato.web.door import caller_of, door_of
from ostinato.web.operation import Operations

doors = Operations("members")

log = logger("ostinato.web")


@doors.get("/members", may="member:read", answers={200: Roll})
async def members(request: Request) -> Response:
    """The processes at the store, as this one saw them last; times are by the store's clock.

    `partitions` is how many of the 64 partitions of runs each has; `free`, how many nobody has.
    """
    return json_answer(await door_of(request).app.members())


class Promoted(Roll, frozen=True, kw_only=True):
    """``promoted`` is false when it did not stand by, and nothing has changed."""

    promoted: bool


@doors.post("/members/promote", may="member:write", answers={200: Promoted})
async def promote(request: Request) -> Response:
    """End this server's `standby`: it takes its share of the runs, as the others do."""
    app = door_of(request).app
    if promoted := app.promote():
        log.info("members.promoted", by=caller_of(request).name)
    roll = await app.members()
    return json_answer(Promoted(*astuple(roll), promoted=promoted))
