"""A server's desk, over HTTP: where a worker elsewhere gets its jobs and hands them in."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec
from msgspec import Struct

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

T = TypeVar("T")

PATIENCE = httpx2.Timeout(45, connect=3)
"""Seconds: longer than a server lets anybody wait."""

NO_CONTENT = 204
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
    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        headers = {"content-type": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        limits = httpx2.Limits(max_connections=None)
        self._http = httpx2.AsyncClient(
            base_url=url, headers=headers, timeout=PATIENCE, limits=limits, trust_env=False,
            transport=transport,
        )  # fmt: skip

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
        await self._http.aclose()

    async def _post(self, path: str, body: Struct, kind: type[T] | Any, nothing: T) -> T:
        try:
            answer = await self._http.post(path, content=msgspec.json.encode(body))
        except httpx2.TransportError as error:
            raise NothingIsRunning(f"{self.url} does not answer: {error}") from error
        if answer.status_code == NO_CONTENT:
            return nothing
        if not answer.is_success:
            raise error_of(answer)
        found: T = msgspec.json.decode(answer.content, type=kind)
        return found


def error_of(answer: httpx2.Response) -> Exception:
    """A server that stops, or has no room, is asked again; what is wrong for good is told."""
    try:
        told = msgspec.json.decode(answer.content)["error"]
        name, message = str(told["name"]), str(told["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        name, message = "", f"status {answer.status_code}"
    if name == ProtocolMismatch.__name__:
        return ProtocolMismatch(message)
    if answer.status_code >= SERVER_ERRORS or answer.status_code == TOO_MANY:
        return NothingIsRunning(message)
    return ERRORS.get(answer.status_code, UsageError)(message)
