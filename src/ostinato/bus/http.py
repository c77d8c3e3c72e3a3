"""Events are posted to an address, signed anew at each attempt.

Any 2xx takes an event. What may be over later (408, 425, 429, 5xx, no answer) is tried again, not
before the receiver's ``Retry-After``, of which an hour counts; any other answer refuses it for
good. Posts go out several at once, those of one key one after the other. In, there is nothing to
connect: events are posted to the server's own routes.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from urllib.parse import quote

import httpx2

from ostinato.config.buses import HttpSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError, SettingsError, UsageError
from ostinato.ports.buses import Inlet, Outlet
from ostinato.signing import sign_arc, sign_standard, sign_task

READS = "body"

TOGETHER = 16
"""Posts at once."""

READ = 64 << 10
"""Bytes of an answer that are read: then its connection can be used again."""

LATER = frozenset((408, 425, 429))

LONGEST = 3600.0
"""Seconds that a receiver is left in peace, however many it asks for."""


def inlets(settings: HttpSettings) -> list[Inlet]:
    if settings.receive:
        hint = "leave `receive` out, and post events to this server's /events"
        raise SettingsError(f"[bus.{settings.name}] of kind http receives nothing; {hint}")
    return []


def outlet(settings: HttpSettings) -> Outlet | None:
    _checked(settings)
    return HttpOutlet(settings) if settings.url else None


def form(settings: HttpSettings) -> str:
    return "binary" if settings.form == "cloudevents" else settings.form


_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


def _checked(settings: HttpSettings) -> None:
    try:
        _signature(settings, "id", b"")
    except UsageError as error:
        raise SettingsError(f"bus.{settings.name}.secret: {error}") from error
    for name, value in (settings.headers or {}).items():
        if not (_NAME.fullmatch(name) and isinstance(value, str) and _VALUE.fullmatch(value)):
            raise SettingsError(f"bus.{settings.name}.headers: {name!r} is no header with a text")


def _signature(settings: HttpSettings, id: str, body: bytes) -> dict[str, str]:
    """What a receiver verifies with ``ostinato.signing``. A secret of Standard Webhooks may be two,
    with a space between them, while one takes the place of the other."""
    if settings.secret is None:
        return {}
    now = time.time_ns() // 1_000_000
    if settings.sign == "task":
        signature = sign_task(settings.secret, body, now)
        return {"x-task-signature": signature, "x-task-timestamp": str(now)}
    if settings.sign == "arc":
        return {"x-signature": sign_arc(settings.secret, body, now), "x-timestamp": str(now)}
    signature = sign_standard(settings.secret.split(), id, now // 1000, body)
    return {"webhook-timestamp": str(now // 1000), "webhook-signature": signature}


class Unreached(BusError):
    """Nobody answered; an answer, whatever it says, is about its own event only."""


class HttpOutlet:
    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._client: httpx2.AsyncClient | None = None
        self._turns = asyncio.Semaphore(TOGETHER)
        self._barred: dict[str, float] = {}
        """Hosts that are to be left in peace, and until when (monotonic)."""

    async def open(self) -> None:
        """Nothing is posted: whether anybody is there, the first event shows."""
        self._barred.clear()

    def _http(self) -> httpx2.AsyncClient:
        if self._client is None:
            limits = httpx2.Limits(max_connections=TOGETHER, max_keepalive_connections=TOGETHER)
            self._client = httpx2.AsyncClient(limits=limits, timeout=None)
        return self._client

    async def send(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        answers: list[Exception | None] = [None] * len(messages)
        lines: dict[str, list[int]] = {}
        for place, message in enumerate(messages):
            key = f"#{place}" if message.key is None else f"k{message.key}"
            lines.setdefault(key, []).append(place)
        await asyncio.gather(*(self._in_turn(messages, each, answers) for each in lines.values()))
        if answers and all(isinstance(why, Unreached) for why in answers):
            raise next(filter(None, answers))
        return answers

    async def _in_turn(
        self, messages: Sequence[Message], line: list[int], answers: list[Exception | None]
    ) -> None:
        """Messages of one key; none after one that is to come again."""
        for n, place in enumerate(line):
            async with self._turns:
                answers[place] = why = await self._outcome(messages[place])
            if isinstance(why, BusError):
                for later in line[n + 1 :]:
                    answers[later] = type(why)(f"one of the same key comes first: {why}")
                return

    async def _outcome(self, message: Message) -> Exception | None:
        try:
            await self._post(message)
        except (BusError, UsageError) as error:
            return error
        return None

    async def _post(self, message: Message) -> None:
        """Raises ``BusError`` when it may be tried again, ``UsageError`` when not."""
        address = message.place or str(self._settings.url)
        try:
            request = self._http().build_request(
                "POST", address, content=message.body, headers=self._headers(message)
            )
        except (httpx2.InvalidURL, ValueError, TypeError) as error:
            raise UsageError(f"POST {address[:200]!r}: {error}") from error
        host = request.url.netloc.decode("ascii", "replace")
        if (left := self._barred.get(host, 0) - time.monotonic()) > 0:
            raise BusError(f"{host} asked not to be asked for another {left:.0f} s")
        status, answer, headers = await self._answer(request, host)
        if 200 <= status < 300:
            return
        told = f"{host} answered {status}: {answer[:200]}" if answer else f"{host} said {status}"
        if status in LATER or status >= 500:
            self._bar(host, headers.get("retry-after", ""))
            raise BusError(told)
        moved = "; redirects are not followed" if status < 400 else ""
        raise UsageError(told + moved)

    def _headers(self, message: Message) -> dict[str, str]:
        id = quote(message.id, safe=_SAFE) or sha256(message.body).hexdigest()[:32]
        given = {name.lower(): value for name, value in message.headers.items()}
        own = {name.lower(): str(each) for name, each in (self._settings.headers or {}).items()}
        signed = _signature(self._settings, id, message.body)
        return {"content-type": "application/json", **given, **own, "webhook-id": id, **signed}

    async def _answer(
        self, request: httpx2.Request, host: str
    ) -> tuple[int, str, Mapping[str, str]]:
        seconds = self._settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                response = await self._http().send(request, stream=True)
                try:
                    return response.status_code, await _beginning(response), response.headers
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise Unreached(f"{host} did not answer in {seconds:g} s") from error
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol) as error:
            raise UsageError(f"POST {str(request.url)[:200]!r}: {error}") from error
        except (httpx2.HTTPError, OSError) as error:
            raise Unreached(
                f"{host} cannot be reached: {str(error) or type(error).__name__}"
            ) from error

    def _bar(self, host: str, after: str) -> None:
        if seconds := _seconds(after):
            self._barred[host] = time.monotonic() + seconds

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


_SAFE = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}"


async def _beginning(response: httpx2.Response) -> str:
    text = bytearray()
    async for chunk in response.aiter_bytes():
        text += chunk
        if len(text) > READ:
            break
    return text[:READ].decode("utf-8", "replace").strip()


def _seconds(after: str) -> float:
    """Of ``Retry-After``: seconds, or a date; 0 when it says nothing that can be read."""
    if after.isascii() and after.isdigit():
        return min(float(after[:9]), LONGEST)
    try:
        at = parsedate_to_datetime(after)
    except (ValueError, TypeError):
        return 0.0
    left = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(left, 0.0), LONGEST)
