"""The application. One dispatch: find the operation, check the caller, answer; errors end here.

It serves by itself (it takes the server's lifespan) or inside another ASGI application, which then
hands over its own: ``Starlette(routes=[Mount("/flows", door)], lifespan=door.lifespan)``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ostinato.app import App
from ostinato.web import (
    bulk,
    buses,
    callbacks,
    deploying,
    events,
    health,
    incoming,
    ingress,
    jobs,
    letters,
    members,
    notifications,
    pages,
    repairs,
    retention,
    runs,
    schedules,
    starting,
    stream,
    tasks,
    workflows,
)
from ostinato.web.auth import Access, open_names
from ostinato.web.door import Bounds, Door
from ostinato.web.errors import Refusal, again, error_answer, log
from ostinato.web.operation import Operation, Table

TABLE = Table(
    [
        *events.doors,
        *ingress.doors,
        *incoming.doors,
        *notifications.doors,
        *workflows.doors,
        *deploying.doors,
        *starting.doors,
        *runs.doors,
        *repairs.doors,
        *bulk.doors,
        *stream.doors,
        *schedules.doors,
        *tasks.doors,
        *callbacks.doors,
        *jobs.doors,
        *letters.doors,
        *retention.doors,
        *members.doors,
        *buses.doors,
        *health.doors,
        *pages.doors,
    ]
)


class Application(Door):
    table = TABLE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], _path(scope)
        operation, parameters, allowed = self.table.find(method, path)
        scope.update({"ostinato": self, "ostinato.path": path, "path_params": parameters})
        try:
            if operation is None:
                response = _unserved(method, path, allowed)
            else:
                response = await self._answer(operation, scope, receive)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            response = error_answer(_cut_off(), path)
        except Exception as error:
            response = error_answer(error, path, seed=operation is not None and operation.seed)
        self.metrics.answered(operation.name if operation else "none", response.status_code)
        if method == "HEAD":
            response = _headless(response)
        await response(scope, receive, send)

    async def _answer(self, operation: Operation, scope: Scope, receive: Receive) -> Response:
        headers = {
            name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]
        }
        scope["ostinato.headers"] = headers
        scope["ostinato.caller"] = self.access.check(scope, headers, operation)
        return await operation.endpoint(Request(scope, receive))

    @asynccontextmanager
    async def lifespan(self, host: Any = None) -> AsyncIterator[None]:
        """Runs the engine; for the ``lifespan`` argument of the application we are mounted in."""
        async with self.app:
            try:
                yield
            finally:
                self.stop()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        doing = "startup"
        await receive()
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
                doing = "shutdown"
        except Exception as error:
            log.error(f"server.{doing}_failed", exc_info=error)
            await send({"type": f"lifespan.{doing}.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})


def application(app: App, *, bind: str | None = None) -> Application:
    """``bind`` is the address a server will listen on, when the settings do not say it.

    Who may call, and how much at once, is in the app's settings.
    """
    settings = app.settings
    anonymous = open_names(settings.auth.anonymous, TABLE.operations)
    access = Access(bind or settings.host, settings.auth.keys, anonymous)
    return Application(app, access, Bounds.of(settings.limits))


def _path(scope: Scope) -> str:
    """Below where we are mounted, and still encoded if it is at all: see ``operation``."""
    raw: bytes = scope.get("raw_path") or b""
    path: str = raw.decode("ascii", "replace") if b"%" in raw else scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] or "/" if root and path.startswith(root) else path


def _cut_off() -> Refusal:
    """The server will not wait any longer for what this request waits for."""
    return again(
        "this server stops, and cannot say any more whether it was done; ask another one, or this "
        "one when it is back: under the same event id or Idempotency-Key nothing is done twice"
    )


def _unserved(method: str, path: str, allowed: list[str]) -> Response:
    if not allowed:
        message = f"there is nothing at {path[:200]}; /openapi.json lists what there is"
        raise Refusal(404, "NotFoundError", message)
    headers = {"allow": ", ".join(allowed)}
    if method == "OPTIONS":
        return Response(None, 204, headers)
    message = f"{method[:20]} is not for {path[:200]}; it takes {headers['allow']}"
    raise Refusal(405, "MethodNotAllowedError", message, headers=headers)


def _headless(response: Response) -> Response:
    """What HEAD gets: everything but the body."""
    shown = Response(None, response.status_code)
    shown.raw_headers = response.raw_headers
    return shown
