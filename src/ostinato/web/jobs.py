"""Jobs that workers elsewhere do: they ask for some, hold them by a token, and say how they went.

Spans of time are durations (`30s`) or numbers of milliseconds.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from msgspec import Raw, Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import TopicView, WorkerView
from ostinato.app.elsewhere import Broken, Done, Extend, Extended, Fetch, Handed, Release
from ostinato.web.answers import json_answer, nothing
from ostinato.web.bodies import decode, read_body, value
from ostinato.web.door import Door, door_of
from ostinato.web.lists import NoQuery, read_query
from ostinato.web.operation import JSON, Operations

doors = Operations("jobs")

B = TypeVar("B", bound=Struct)


@doors.post("/jobs/fetch", may="job:work", bodies={JSON: Fetch}, answers={200: list[Handed]})
async def fetch_jobs(request: Request) -> Response:
    """Take jobs of these topics: at most `max`, each for `lease` (30s).

    With `wait` (at most 1m) the answer comes with the first of them, or is an empty list. A topic
    may be `{topic, max}`. `version` and `protocol` are the worker's; another protocol is 409.
    """
    door = door_of(request)
    asked = await _body(request, Fetch)
    found = await door.app.fetch_jobs(structs.replace(asked, wait=0))
    if not found and asked.wait not in (0, "0s", "0ms"):
        found = await _wait(request, door, asked)
    return json_answer(found)


async def _wait(request: Request, door: Door, asked: Fetch) -> list[Handed]:
    """No longer than whoever asks is there, and this server."""
    until: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def over(_: object) -> None:
        if not until.done():
            until.set_result(None)

    watching = [asyncio.ensure_future(_left(request)), asyncio.ensure_future(door.stopped())]
    for watch in watching:
        watch.add_done_callback(over)
    try:
        found = await door.app.fetch_jobs(asked, until)
        if watching[0].done():  # nobody is there any more to take them
            for job in found:
                await door.app.release_job(job.id, Release(job.token))
        return found
    finally:
        for watch in watching:
            watch.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@doors.post(
    "/jobs/{id}/complete",
    may="job:work",
    bodies={JSON: Done},
    answers={204: None, 200: list[Handed]},
)
async def complete_job(request: Request) -> Response:
    """Say that a job has succeeded, with its output. 409 when it is not this token's any more.

    `later`: it goes on elsewhere, and ends by its callback's token. With `fetch` (the body of
    `POST /jobs/fetch`; it does not wait) the answer is 200 with the next jobs.
    """
    done = await _body(request, Done)
    if isinstance(done.output, Raw):
        value(done.output)
    found = await door_of(request).app.complete_job(request.path_params["id"], done)
    return nothing() if done.fetch is None else json_answer(found)


@doors.post(
    "/jobs/{id}/fail",
    may="job:work",
    bodies={JSON: Broken},
    answers={204: None, 200: list[Handed]},
)
async def fail_job(request: Request) -> Response:
    """Say that an attempt has failed; its job's `retry` says what follows. 409 as above.

    `retry: false` is final; `after` is how long to wait for the next attempt. `fetch` as above.
    """
    broken = await _body(request, Broken)
    found = await door_of(request).app.fail_job(request.path_params["id"], broken)
    return nothing() if broken.fetch is None else json_answer(found)


@doors.post(
    "/jobs/{id}/extend",
    may="job:work",
    bodies={JSON: Extend},
    answers={204: None, 200: Extended},
)
async def extend_job(request: Request) -> Response:
    """Hold a job for `lease` from now on. 200 `{cancelled: true}`: it should stop. 409 as above.

    `beat`: the work itself says that it goes on, as a job with a `heartbeat` has to.
    """
    extend = await _body(request, Extend)
    if await door_of(request).app.extend_job(request.path_params["id"], extend):
        return json_answer(Extended(cancelled=True))
    return nothing()


@doors.post("/jobs/{id}/release", may="job:work", bodies={JSON: Release}, answers={204: None})
async def release_job(request: Request) -> Response:
    """Give a job back: it is offered again, and has not failed. 409 as above."""
    release = await _body(request, Release)
    await door_of(request).app.release_job(request.path_params["id"], release)
    return nothing()


@doors.get("/workers", may="run:read", query=NoQuery, answers={200: list[WorkerView]})
async def list_workers(request: Request) -> Response:
    """List workers: topics, version, jobs in hand, and when they were heard of last.

    `skew` says so when a worker and this server are of different versions.
    """
    read_query(request, NoQuery)
    return json_answer(await door_of(request).app.workers())


@doors.get("/topics", may="run:read", query=NoQuery, answers={200: list[TopicView]})
async def list_topics(request: Request) -> Response:
    """List what is offered to workers, and when somebody last asked for it."""
    read_query(request, NoQuery)
    return json_answer(await door_of(request).app.topics())


async def _body(request: Request, kind: type[B]) -> B:
    return decode(await read_body(request, door_of(request).bounds.answer), kind)
