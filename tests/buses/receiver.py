"""A real HTTP server that notes what is posted to it, and answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn


@dataclass
class Post:
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]
TAKEN: Answer = (204, {}, b"")


@dataclass
class Receiver:
    url: str = ""
    posts: list[Post] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    answer: Callable[[Post], Awaitable[Answer]] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            post = await _read(scope, receive)
            self.posts.append(post)
            status, headers, body = TAKEN if self.answer is None else await self.answer(post)
        finally:
            self.at_once -= 1
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


async def _read(scope: Any, receive: Any) -> Post:
    body, more = b"", True
    while more:
        part = await receive()
        body += part.get("body", b"")
        more = part.get("more_body", False)
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    return Post(scope["path"], headers, body)


class _Server(uvicorn.Server):
    def __init__(self, app: Any) -> None:
        options: dict[str, Any] = {"lifespan": "off", "log_config": None}
        super().__init__(uvicorn.Config(app, port=0, timeout_graceful_shutdown=1, **options))
        self.up = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = _Server(receiver)
    serving = asyncio.create_task(server._serve())
    await server.up.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        server.should_exit = True
        await serving
