"""Work that ends from outside. The token in the address is all that a caller needs to hold."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from ostinato.web.answers import nothing
from ostinato.web.bodies import decode, read_body, value
from ostinato.web.door import door_of
from ostinato.web.errors import unfit
from ostinato.web.operation import JSON, PUBLIC, Operations

doors = Operations("callbacks")


class CallbackError(Struct):
    name: str
    message: str = ""


class Callback(Struct, forbid_unknown_fields=True):
    """``output`` or ``error``; neither means that it is done and has nothing to say."""

    output: Raw | UnsetType = UNSET
    error: CallbackError | UnsetType = UNSET


@doors.post("/callbacks/{token}", may=PUBLIC, bodies={JSON: Callback}, answers={204: None})
async def answer_callback(request: Request) -> Response:
    """End the job that waits under this token. 409 when it is over, 410 when it has expired."""
    door = door_of(request)
    body = await read_body(request, door.bounds.answer)
    said = decode(body, Callback) if body.strip() else Callback()
    token = request.path_params["token"]
    if said.error is UNSET:
        output: Any = None if said.output is UNSET else value(said.output)
        await door.app.answer(token, output=output)
    elif said.output is UNSET:
        error = {"name": said.error.name, "message": said.error.message}
        await door.app.answer(token, error=error)
    else:
        raise unfit("`output` or `error`, not both", "error")
    return nothing()


@doors.post("/callbacks/{token}/heartbeat", may=PUBLIC, answers={204: None})
async def beat_callback(request: Request) -> Response:
    """Say that the work under this token goes on."""
    await door_of(request).app.heartbeat(request.path_params["token"])
    return nothing()
