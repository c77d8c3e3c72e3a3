"""A run's facts as they are recorded, as server-sent events.

A listener that comes back says what it has (``Last-Event-ID``). When nothing more can come the
answer is 204, which tells browsers not to come back again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ostinato.web.answers import encode, nothing
from ostinato.web.door import Door, door_of, headers_of
from ostinato.web.errors import unfit
from ostinato.web.lists import read_query
from ostinato.web.operation import Operations
from ostinato.web.runs import named

doors = Operations("runs")

QUIET = 15.0  # seconds; proxies close what is silent for longer
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class StreamQuery(Struct, forbid_unknown_fields=True):
    after: Annotated[int, Meta(ge=-1, description="the seq of the last fact you have")] = -1


@doors.get(
    "/runs/{id}/stream",
    may="run:read",
    query=StreamQuery,
    headers={"last-event-id": "the seq of the last fact you have; goes before `after`"},
    answers={200: "text/event-stream", 204: None},
)
async def stream_run(request: Request) -> Response:
    """Follow a run: each fact is one event, its id the seq. It ends when the run does."""
    query, door = read_query(request, StreamQuery), door_of(request)
    after = _after(headers_of(request).get("last-event-id"), query.after)
    head = await named(request, door)
    if head.ended_at is not None and not await door.app.history(head.run_id, after, 1):
        return nothing()
    events = _events(door, door.app.stream(head.run_id, after))
    return StreamingResponse(events, 200, HEADERS, "text/event-stream")


def _after(last: str | None, asked: int) -> int:
    if last is None or not last.strip():
        return asked
    try:
        return max(-1, int(last[:20]))
    except ValueError:
        raise unfit("it is the seq of a fact, a whole number", "last-event-id") from None


async def _events(door: Door, facts: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Ends with the facts, or when the server stops; a silent run gets a comment now and then."""
    yield b": the facts of a run\n\n"
    following = asyncio.ensure_future(_next(facts))
    try:
        while True:
            await door.within(_settled(following), QUIET)
            if not following.done():
                if door.stopping:
                    return
                yield b": still here\n\n"
                continue
            fact = following.result()
            if fact is None:
                return
            following = asyncio.ensure_future(_next(facts))
            yield _event(fact)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _next(facts: AsyncIterator[dict[str, Any]]) -> dict[str, Any] | None:
    return await anext(facts, None)


async def _settled(work: asyncio.Future[Any]) -> None:
    """Waits without taking the work along when the wait is given up."""
    await asyncio.wait({work})


def _event(fact: dict[str, Any]) -> bytes:
    head = f"id: {fact['seq']}\nevent: {fact['type']}\ndata: ".encode()
    return head + encode(fact) + b"\n\n"
