"""Signed calls to the control plane, and to what an application plane takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import msgspec

from ostinato.signing import sign_arc

TIMEOUT = 30.0
"""Seconds that an answer may take."""

LONGEST = 1 << 20
"""Bytes of an answer that are read."""


class CallFailed(Exception):
    """It may be made again. ``after`` seconds, when the receiver says so."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class CallRefused(Exception):
    """It would be refused again."""


class Caller:
    """``transport`` stands in for the network, for an application that is served elsewhere."""

    def __init__(
        self, signature: str, timestamp: str, now: Callable[[], int], transport: Any = None
    ) -> None:
        self._names = signature, timestamp
        self._now = now
        self._transport = transport

    async def post(self, url: str, body: Any, secret: str, context: str = "") -> Any:
        """What was answered, as JSON; None for an answer without. Each attempt is signed anew.

        Any 2xx is success. Raises ``CallFailed`` or ``CallRefused``.
        """
        sent, now = msgspec.json.encode(body), self._now()
        signature, timestamp = self._names
        headers = {
            "content-type": "application/json",
            signature: sign_arc(secret, sent, now, context),
            timestamp: str(now),
        }
        try:
            async with httpx2.AsyncClient(
                timeout=TIMEOUT, transport=self._transport, trust_env=False
            ) as http:
                answer = await http.post(url, content=sent, headers=headers)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise CallRefused(f"{url}: {error}") from error
        except httpx2.HTTPError as error:
            raise CallFailed(f"{url} does not answer: {error!r}") from error
        return _told(answer, url)


async def report(callback_url: str, output: Mapping[str, Any]) -> None:
    """End a job by its callback; one that is over stays as it is. Raises ``CallFailed``."""
    body = msgspec.json.encode({"output": output})
    headers = {"content-type": "application/json"}
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
            answer = await http.post(callback_url, content=body, headers=headers)
    except httpx2.HTTPError as error:
        raise CallFailed(f"{callback_url} does not answer: {error!r}") from error
    if answer.status_code not in (204, 409, 410):
        raise CallFailed(f"{callback_url} answers {answer.status_code}")


def _told(answer: httpx2.Response, url: str) -> Any:
    status = answer.status_code
    if status in (408, 425, 429) or status >= 500:
        raise CallFailed(f"{url} answers {status}", _after(answer))
    if not 200 <= status < 300:
        raise CallRefused(f"{url} answers {status}")
    if not answer.content or len(answer.content) > LONGEST:
        return None
    try:
        return msgspec.json.decode(answer.content)
    except ValueError:
        return None


def _after(answer: httpx2.Response) -> float | None:
    said = answer.headers.get("retry-after", "")
    return min(float(said), 3600.0) if said.isdecimal() else None
