"""The sender of a load: HTTP/1.1 on connections that stay open, one request at a time on each.

It knows just enough of HTTP to be no bottleneck: requests are made beforehand, and of an answer
only status and length are looked at.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from ostinato.cli.bench.server import Server

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Refused(Exception):
    """An answer of another status than the one that was wanted."""


def request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answer_in(buffer: bytearray) -> tuple[int, bytes, int] | None:
    """Status, body, and how many bytes the answer has; None while it is not all there."""
    head = buffer.find(_END)
    if head < 0:
        return None
    at = buffer.lower().find(_LENGTH, 0, head)
    length = int(buffer[at + len(_LENGTH) : buffer.find(b"\r\n", at)]) if at >= 0 else 0
    end = head + len(_END) + length
    if len(buffer) < end:
        return None
    return int(buffer[9:12]), bytes(buffer[head + len(_END) : end]), end


class Caller:
    """One connection that waits for each answer: what a client in another process sees."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection((server.host, server.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, sent: bytes, wanted: int) -> bytes:
        self._socket.sendall(sent)
        buffer = bytearray()
        while (answer := answer_in(buffer)) is None:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionError("the server has closed the connection")
            buffer += part
        _check(answer, wanted)
        return answer[1]

    def close(self) -> None:
        self._socket.close()


def _check(answer: tuple[int, bytes, int], wanted: int) -> None:
    if answer[0] != wanted:
        raise Refused(f"{answer[0]} instead of {wanted}: {answer[1][:300].decode()}")


class _Load:
    """What is still to be sent, and how long each answer took."""

    def __init__(self, requests: Sequence[bytes], done: asyncio.Future[None]) -> None:
        self.waiting = deque(requests)
        self.open = len(requests)
        self.taken: list[float] = []
        self.done = done

    def answered(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.open -= 1
        if not self.open and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = bytearray()
        self._transport: Any = None
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self) -> None:
        if self._load.waiting:
            self._sent = time.perf_counter()
            self._transport.write(self._load.waiting.popleft())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = answer_in(self._buffer)
        if answer is None:
            return
        try:
            _check(answer, 202)
        except Refused as error:
            self._load.fail(error)
            return
        del self._buffer[: answer[2]]
        self._load.answered(time.perf_counter() - self._sent)
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.fail(error or ConnectionError("the server has closed the connection"))

    def close(self) -> None:
        self._transport.close()


async def burst(
    server: Server, events: Sequence[Any], batch: int = 1, *, at_once: int
) -> list[float]:
    """Send all events, ``batch`` in a request; the seconds that each request took.

    Returns when the last one is acknowledged.
    """
    bodies = events if batch == 1 else _batches(events, batch)
    requests = [request("/events", msgspec.json.encode(body)) for body in bodies]
    loop = asyncio.get_running_loop()
    load = _Load(requests, loop.create_future())
    connections = [
        (await loop.create_connection(lambda: _Connection(load), server.host, server.port))[1]
        for _ in range(min(at_once, len(requests)))
    ]
    try:
        for connection in connections:
            connection.send()
        await load.done
    finally:
        for connection in connections:
            connection.close()
    return load.taken


def _batches(events: Sequence[Any], batch: int) -> list[Sequence[Any]]:
    return [events[at : at + batch] for at in range(0, len(events), batch)]
