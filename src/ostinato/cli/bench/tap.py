"""What a process says to a PostgreSQL: a door in between that hands everything on and counts.

Nothing of the server has to be set up for it, and what it counts is what was sent, not what some
statistic made of it. It reads the sender's half of the protocol (version 3) and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Self
from urllib.parse import urlsplit

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
"""What a client may ask before it says who it is; the first two are answered with no."""
_PORT = 5432
_PART = 65536


class Tap:
    """``url`` leads through it. ``said`` counts by statement how often each was executed; one
    executed as text counts as itself. ``trips`` counts how often an answer was waited for.
    """

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._doors: set[asyncio.Task[None]] = set()
        self.said: Counter[str] = Counter()
        self.trips = 0
        self.url = ""
        self._more = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = self._there.netloc.rpartition("@")[0]
        place = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        self.url = self._there._replace(netloc=place).geturl()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for door in self._doors:
            door.cancel()
        await asyncio.gather(*self._doors, return_exceptions=True)

    def about(self, *words: str) -> int:
        """How many statements were executed that have one of the words in them."""
        return sum(count for sql, count in self.said.items() if any(word in sql for word in words))

    async def heard(self, word: str, times: int) -> None:
        """Returns when statements that have it were executed so many times more."""
        times += self.about(word)
        while self.about(word) < times:
            self._more.clear()
            await self._more.wait()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        door = asyncio.current_task()
        assert door is not None  # noqa: S101 - a task calls this
        self._doors.add(door)
        host, port = self._there.hostname or "127.0.0.1", self._there.port or _PORT
        answers, server = await asyncio.open_connection(host, port)
        back = asyncio.create_task(_hand_on(answers, writer))
        try:
            await self._hear(reader, writer, server)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # one of the two has hung up, or we go
        finally:
            back.cancel()
            server.close()
            writer.close()
            self._doors.discard(door)

    async def _hear(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
    ) -> None:
        if not await _greet(reader, writer, server):
            return
        named: dict[bytes, str] = {}
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
            self._count(head[:1], body, named)
            server.write(head + body)

    def _count(self, kind: bytes, body: bytes, named: dict[bytes, str]) -> None:
        if kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            named[name] = sql.decode()
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            self.said[named[name]] += 1
        elif kind == b"Q":
            self.said[body[:-1].decode()] += 1
        self.trips += kind in b"QS"
        self._more.set()


async def _greet(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: asyncio.StreamWriter
) -> bool:
    """False when it only came to cancel something."""
    while True:
        size = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(size) - 4)
        code = int.from_bytes(body[:4])
        if code not in (_SSL, _GSS):
            server.write(size + body)
            return code != _CANCEL
        writer.write(b"N")


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(_PART):
        writer.write(part)
    writer.close()
