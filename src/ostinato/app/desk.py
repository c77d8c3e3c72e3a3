"""A server's desk, over HTTP: where a worker elsewhere gets its jobs and hands them in."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from ostinato.app.address import Look
from ostinato.app.wire import Answer, Wire
from ostinato.app.wire import Broken as NoAnswer
from ostinato.errors import (
    ConflictError,
    InvalidInput,
    NotFoundError,
    NothingIsRunning,
    OstinatoError,
    ProtocolMismatch,
    UsageError,
)
from ostinato.runtime.desk import Broken, Done, Extend, Extended, Fetch, Handed, Release
from ostinato.telemetry.logger import logger

log = logger("ostinato.worker")

T = TypeVar("T")

PATIENCE = 75.0
"""Seconds: longer than a server lets anybody wait."""

NO_CONTENT = 204
REFUSED = 300
SERVER_ERRORS = 500
TOO_MANY = 429

ERRORS: dict[int, type[OstinatoError]] = {
    404: NotFoundError,
    409: ConflictError,
    400: InvalidInput,
    413: InvalidInput,
    422: InvalidInput,
}


class HttpDesk:
    """``look`` is asked when the server does not answer, or does no work: it may be elsewhere.

    Without it there are two places: ``url``, and the one that a server which stands by names as
    that of whoever does the work. When that one does not answer, ``url`` is asked again.
    """

    def __init__(self, url: str, key: str | None = None, look: Look | None = None) -> None:
        self.url = self._home = url
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._wire = Wire(url, self._headers, PATIENCE)
        self._left: list[Wire] = []
        self._look = look
        self._looking = asyncio.Lock()

    async def fetch(self, asked: Fetch) -> list[Handed]:
        return await self._post("/jobs/fetch", asked, list[Handed], [])

    async def complete(self, job_id: str, done: Done) -> list[Handed]:
        return await self._post(f"/jobs/{quote(job_id)}/complete", done, list[Handed], [])

    async def fail(self, job_id: str, broken: Broken) -> list[Handed]:
        return await self._post(f"/jobs/{quote(job_id)}/fail", broken, list[Handed], [])

    async def extend(self, job_id: str, extend: Extend) -> bool:
        path = f"/jobs/{quote(job_id)}/extend"
        return (await self._post(path, extend, Extended, Extended(cancelled=False))).cancelled

    async def release(self, job_id: str, release: Release) -> None:
        await self._post(f"/jobs/{quote(job_id)}/release", release, Any, None)

    async def close(self) -> None:
        for wire in (*self._left, self._wire):
            await wire.close()

    async def _post(self, path: str, body: Struct, kind: type[T] | Any, nothing: T) -> T:
        wire = self._wire
        try:
            answer = await wire.post(path, encode(body))
        except NoAnswer as error:
            gone = NothingIsRunning(f"{self.url} does not answer: {error}")
            await self._look_again(wire)
            raise gone from error
        if answer.status == NO_CONTENT:
            return nothing
        if answer.status >= SERVER_ERRORS:
            await self._look_again(wire, _named_in(answer))
        if answer.status >= REFUSED:
            raise error_of(answer)
        found: T = msgspec.json.decode(answer.body, type=kind)
        return found

    async def _look_again(self, asked: Wire, named: str = "") -> None:
        """Whoever asks next asks there. One looks for all who were asking in vain."""
        async with self._looking:
            if self._wire is not asked:
                return
            url = (named or self._home) if self._look is None else await self._look()
            if url is None or url == self.url:
                return
            log.info("server.found", server=url, before=self.url)
            self._left.append(asked)
            self._wire, self.url = Wire(url, self._headers, PATIENCE), url


def _named_in(answer: Answer) -> str:
    """Where to ask instead, when a server that stands by says so."""
    try:
        found = str(msgspec.json.decode(answer.body)["error"]["address"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""
    return found if found.startswith(("http://", "https://")) else ""


encode = msgspec.json.Encoder().encode


def error_of(answer: Answer) -> Exception:
    """A server that stops, or has no room, is asked again; what is wrong for good is told."""
    try:
        told = msgspec.json.decode(answer.body)["error"]
        name, message = str(told["name"]), str(told["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        name, message = "", f"status {answer.status}"
    if name == ProtocolMismatch.__name__:
        return ProtocolMismatch(message)
    if answer.status >= SERVER_ERRORS or answer.status == TOO_MANY:
        return NothingIsRunning(message)
    return ERRORS.get(answer.status, UsageError)(message)
