"""POST requests over connections that stay: what a worker needs of HTTP/1.1, and no more.

A job of a millisecond should not wait for two of a client library. Answers have a length or come in
chunks; redirects, cookies and compression are not for those who speak a protocol of their own.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from ostinato.errors import UsageError

LONGEST_HEAD = 64 << 10
CONNECTS_WITHIN = 3.0


class Broken(Exception):
    """There is no answer, or none that is HTTP."""


class Answer(NamedTuple):
    status: int
    body: bytes


class _Line(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Wire:
    """``patience``: seconds until an answer is given up."""

    def __init__(self, url: str, headers: dict[str, str], patience: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is no address of a server: http://HOST:PORT")
        self._host = parts.hostname
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._root = parts.path.rstrip("/")
        told = {"host": parts.netloc.rpartition("@")[2], **headers}
        self._headers = "".join(f"{name}: {text}\r\n" for name, text in told.items())
        self._patience = patience
        self._idle: list[_Line] = []

    async def post(self, path: str, body: bytes) -> Answer:
        """Raises ``Broken``. A connection that was closed meanwhile is made anew, once."""
        head = f"POST {self._root}{path} HTTP/1.1\r\n{self._headers}content-length: {len(body)}\r\n"
        request = head.encode("latin-1") + b"\r\n" + body
        try:
            async with asyncio.timeout(self._patience):
                while self._idle:
                    with suppress(Broken):
                        return await self._exchange(self._idle.pop(), request)
                return await self._exchange(await self._connected(), request)
        except TimeoutError as error:
            raise Broken(f"no answer within {self._patience:g} s") from error

    async def _connected(self) -> _Line:
        secure = ssl.create_default_context() if self._secure else None
        try:
            async with asyncio.timeout(CONNECTS_WITHIN):
                return _Line(*await asyncio.open_connection(
                    self._host, self._port, ssl=secure, limit=LONGEST_HEAD
                ))  # fmt: skip
        except OSError as error:  # TimeoutError is one
            raise Broken(str(error) or f"no connection within {CONNECTS_WITHIN:g} s") from error

    async def _exchange(self, line: _Line, request: bytes) -> Answer:
        stays = False
        try:
            line.writer.write(request)
            await line.writer.drain()
            answer, stays = await _read(line.reader)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise Broken(f"{type(error).__name__}: {error}") from error
        finally:
            if stays:
                self._idle.append(line)
            else:
                line.writer.close()
        return answer

    async def close(self) -> None:
        lines, self._idle = self._idle, []
        for line in lines:
            line.writer.close()
        for line in lines:
            with suppress(OSError):
                await line.writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """The answer, and whether the connection is good for another one."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"{first[:80]!r} is no HTTP/1.1")
    headers = {
        name.lower(): text.strip() for name, _, text in (one.partition(":") for one in lines)
    }
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    stays = headers.get("connection", "").lower() != "close" and version == "HTTP/1.1"
    return Answer(int(rest[:3]), body), stays


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readuntil(b"\r\n")
    while await reader.readuntil(b"\r\n") != b"\r\n":  # headers that come behind
        pass
    return b"".join(parts)
