"""Starts, events and answers to tasks for an engine in another process: what ``app.start``,
``app.emit``, ``app.tasks`` and ``app.complete`` do when this app is not open.

The server is the one that ``OSTINATO_URL`` names, else the one that left its address beside the
SQLite file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
import msgspec
from msgspec import Raw

from ostinato.app.address import Look, known_address, looking
from ostinato.app.run import RunEnded
from ostinato.config import Settings
from ostinato.core.codec import encode_value
from ostinato.core.state import OVER
from ostinato.errors import ConflictError, InvalidInput, NotFoundError, NothingIsRunning
from ostinato.runtime.inbox import Accepted

PATIENCE = 45
"""Seconds that a request may take."""

AWAY, PAUSE = 30.0, 0.05
"""Seconds for which a run's server may be away, as while another one takes over; the first pause
between two looks."""

T = TypeVar("T")

ERRORS = {404: NotFoundError, 409: ConflictError, 422: InvalidInput}

NOBODY = (
    "no engine is running: use `async with app:` around this, or start `ostinato serve` and let "
    "OSTINATO_URL name it (a server on the same SQLite file is found by itself)"
)


class RemoteRun:
    """A handle on a run in a server."""

    def __init__(self, server: Server, run: dict[str, Any]) -> None:
        self._server = server
        self.id = str(run["id"])
        self.duplicate = bool(run.get("duplicate", False))

    async def view(self) -> dict[str, Any]:
        """The run as ``GET /runs/{id}`` shows it, also when another server goes on with it."""
        path = f"/runs/{self.id}"
        run: dict[str, Any] = await self._server.lasting(lambda: self._server.ask("GET", path))
        return run

    async def result(self, timeout: float | None = None) -> Any:
        """The output. Raises ``RunEnded`` when it fails, ``TimeoutError`` after ``timeout`` s."""
        path = f"/runs/{self.id}/stream"
        try:
            async with asyncio.timeout(timeout):
                while (run := await self.view())["status"] not in OVER:
                    await self._server.lasting(lambda: self._server.follow(path))
        except TimeoutError:
            raise TimeoutError(f"run {self.id} is not over after {timeout} s") from None
        return _output(run)


def _output(run: dict[str, Any]) -> Any:
    if run["status"] == "succeeded":
        return run["output"]
    error = run.get("error")
    why = f"{error['name']}: {error['message']}" if error else run.get("reason")
    told = f"run {run['id']} {run['status']}" + (f": {why}" if why else "")
    raise RunEnded(told, status=run["status"], error=error["name"] if error else "")


class Server:
    """``look`` says where the server is when it is not at ``url`` any more."""

    def __init__(self, url: str, key: str | None, look: Look | None = None) -> None:
        self.url = url
        self._look = look
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"

    async def start(
        self, workflow: str, input: Any, uid: str | None, version: int | None
    ) -> RemoteRun:
        more = {"uid": uid, "version": version}
        given = {name: value for name, value in more.items() if value is not None}
        body = {"workflow": workflow, "input": input, **given}
        return RemoteRun(self, await self.ask("POST", "/runs", encode_value(body)))

    async def emit(self, event: dict[str, Any]) -> Accepted:
        answer = await self.ask("POST", "/events", encode_value(event))
        return msgspec.convert(answer, Accepted)

    async def ask(
        self, method: str, path: str, body: Raw | None = None, kind: Any = Any, **params: Any
    ) -> Any:
        content = None if body is None else bytes(body)
        given = {name: value for name, value in params.items() if value is not None}
        async with self._client(PATIENCE) as client:
            answer = await client.request(method, path, content=content, params=given or None)
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=kind)
        raise _error(answer)

    async def follow(self, path: str) -> None:
        """Until a stream of events ends."""
        async with self._client(None) as client, client.stream("GET", path) as answer:
            if not answer.is_success:
                await answer.aread()
                raise _error(answer)
            async for _ in answer.aiter_raw():
                pass

    async def lasting(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of whichever server there is within ``AWAY`` seconds; only for what may be
        asked twice."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + AWAY, PAUSE
        while True:
            try:
                return await ask()
            except NothingIsRunning:
                if self._look is None or loop.time() >= until:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
            self.url = await self._look() or self.url

    @asynccontextmanager
    async def _client(self, timeout: float | None) -> AsyncIterator[httpx2.AsyncClient]:
        client = httpx2.AsyncClient(
            base_url=self.url, headers=self._headers, timeout=timeout, trust_env=False
        )
        async with client:
            try:
                yield client
            except httpx2.TransportError as error:
                raise NothingIsRunning(f"{self.url} does not answer: {NOBODY}") from error


def _error(answer: httpx2.Response) -> Exception:
    try:
        message = str(msgspec.json.decode(answer.content)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        message = f"status {answer.status_code}"
    return ERRORS.get(answer.status_code, NothingIsRunning)(message)


def find_server(settings: Settings) -> Server:
    """Raises ``NothingIsRunning``."""
    url = settings.url or known_address(settings)
    if not url:
        raise NothingIsRunning(NOBODY)
    return Server(url, settings.key, looking(settings))
