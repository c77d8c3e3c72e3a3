"""HTTP jobs: one request per attempt, through one client with a bounded pool."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec

from ostinato.runtime.handlers import Job
from ostinato.runtime.outcomes import Fail

TIMEOUT = 30.0
"""Seconds, when the job has no time-out of its own."""


class HttpJobs:
    """``request`` is the handler of ``http`` jobs. Its output is ``{status, headers, body}``.

    ``limit`` is of the body, in bytes.
    """

    def __init__(self, limit: int = 5 << 20) -> None:
        self.limit = limit
        self._client: httpx2.AsyncClient | None = None

    async def request(
        self,
        job: Job,
        url: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> dict[str, Any]:
        sent = {"Idempotency-Key": job.idempotency_key} | (headers or {})
        content = body.encode() if isinstance(body, str) else None
        if body is not None and content is None:
            content = msgspec.json.encode(body)
            sent.setdefault("Content-Type", "application/json")
        try:
            request = self._open().build_request(method, url, headers=sent, content=content)
        except (httpx2.InvalidURL, ValueError, TypeError) as error:
            raise Fail(f"{method} {url!r}: {error}", "WrongArguments") from error
        response = await self._open().send(request, stream=True)
        try:
            return await _answer(response, self.limit)
        finally:
            await response.aclose()

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            limits = httpx2.Limits(max_connections=100, max_keepalive_connections=20)
            self._client = httpx2.AsyncClient(timeout=TIMEOUT, limits=limits)
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


async def _answer(response: httpx2.Response, limit: int) -> dict[str, Any]:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise Fail(
                f"the answer is larger than {limit:,} bytes (limits.result); ask for less at once, "
                "or raise it",
                "TooLarge",
            )
    return {
        "status": response.status_code,
        "headers": dict(response.headers),
        "body": _read(response, bytes(body)),
    }


def _read(response: httpx2.Response, body: bytes) -> Any:
    """JSON when it says so, else text."""
    if "json" in response.headers.get("content-type", ""):
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            pass
    return body.decode(response.charset_encoding or "utf-8", "replace") if body else None
