"""What every route can reach: the app, its bounds, who may do what, and whether we are stopping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import uuid4

from starlette.requests import Request

from ostinato.app import App
from ostinato.core.cloudevents import Limits
from ostinato.telemetry.metrics import Metrics
from ostinato.web.auth import Access, Caller

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """In bytes: a request with events, a request to start or answer something, a document."""

    events: Limits = field(default_factory=Limits)
    batch: int = 16_777_216
    body: int = 2_097_152
    document: int = 4_194_304


class Door:
    def __init__(self, app: App, access: Access, bounds: Bounds) -> None:
        self.app = app
        self.access = access
        self.bounds = bounds
        self.metrics = Metrics()
        self._stopping = asyncio.Event()

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def new_id(self) -> str:
        return str(uuid4())

    def stop(self) -> None:
        """Let go of those who wait and listen, so that a server can end; safe to repeat."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    async def within(self, work: Coroutine[Any, Any, T], seconds: float | None) -> T | None:
        """What comes of the work; None when time is up or the server stops before."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({task, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def door_of(request: Request) -> Door:
    return cast(Door, request.scope["ostinato"])


def caller_of(request: Request) -> Caller:
    return cast(Caller, request.scope["ostinato.caller"])


def headers_of(request: Request) -> dict[str, str]:
    """Names in lower case; of a header that comes twice, the last."""
    return cast(dict[str, str], request.scope["ostinato.headers"])
