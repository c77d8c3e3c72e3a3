"""What every route can reach: the app, its bounds, who may do what, and whether we are stopping."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

from starlette.requests import Request

from ostinato.app import App
from ostinato.config import LimitSettings
from ostinato.core.cloudevents import Limits
from ostinato.telemetry.metrics import Metrics
from ostinato.web.auth import Access, Caller

T = TypeVar("T")

ROOM = 64 << 10  # for what is around a value in a body


class Bound(NamedTuple):
    """Of a body, in bytes; ``says`` is where it comes from."""

    size: int
    says: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one event, and of bodies: many events, a start, an answer, a signal, documents, others."""

    events: Limits
    batch: Bound
    start: Bound
    answer: Bound
    signal: Bound
    repair: Bound
    documents: Bound
    body: Bound

    @classmethod
    def of(cls, limits: LimitSettings) -> Bounds:
        """What a body holds is bounded again by whoever reads it: each event, each document."""
        event, input, result = limits.event, limits.input, limits.result
        return cls(
            events=Limits(event, limits.batch),
            batch=Bound(16 * event, "16 times limits.event"),
            start=Bound(input + ROOM, "limits.input and 64 KB"),
            answer=Bound(result + ROOM, "limits.result and 64 KB"),
            signal=Bound(event + ROOM, "limits.event and 64 KB"),
            repair=Bound(max(input, result) + ROOM, "limits.input or limits.result, and 64 KB"),
            documents=Bound(4 * limits.document, "4 times limits.document"),
            body=Bound(ROOM, "fixed"),
        )


class Door:
    def __init__(self, app: App, access: Access, bounds: Bounds) -> None:
        self.app = app
        self.access = access
        self.bounds = bounds
        self.metrics = Metrics()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let go of those who wait and listen, so that a server can end; safe to repeat."""
        self._stopping.set()

    async def stopped(self) -> None:
        """Returns when it is."""
        await self._stopping.wait()

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
