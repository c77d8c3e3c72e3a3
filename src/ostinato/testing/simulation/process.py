"""A process: tasks that live and die together, and one app in them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any

from ostinato.testing.simulation.loop import OWNER, Owner, VirtualLoop
from ostinato.testing.simulation.points import Point, suspended_at

REQUEST = "request"
"""The name of tasks that serve clients."""


class ConnectionLost(Exception):
    """The process went away before it had answered."""


class Process(Owner):
    """``number`` rises. ``ended`` is done when it is over, or taken for dead; ``taken`` is how
    often it has taken the store. ``was_buried``: others have taken what it had.
    """

    def __init__(self, loop: VirtualLoop, number: int) -> None:
        super().__init__()
        self.number = number
        self.app: Any = None
        self.inner: Any = None
        self.blind = ""
        self.up = False
        self.stopping = False
        self.was_paused = False
        self.was_buried = False
        self.taken = 0
        self.store_failed = False
        self.ended: asyncio.Future[str] = loop.create_future()
        self._loop = loop
        self._context = Context()
        self._context.run(OWNER.set, self)
        self._requests: dict[asyncio.Future[Any], None] = {}  # in order: a set has none

    @property
    def is_well(self) -> bool:
        """It lives, and nothing that has happened to it could take its work away."""
        harmed = self.stopping or self.store_failed or self.was_paused or self.was_buried
        return self.state == "running" and not harmed

    def spawn(self, work: Coroutine[Any, Any, Any], name: str = REQUEST) -> asyncio.Task[Any]:
        return self._loop.create_task(work, name=name, context=self._context.copy())

    def hear(self, heard: Callable[..., object], *words: Any) -> None:
        """What reaches it from another process: in its own turn, if it lives by then."""
        self._loop.call_soon(heard, *words, context=self._context.copy())

    async def ask(self, serve: Callable[[Any], Awaitable[Any]]) -> Any:
        """What a client asks from outside: served in here, lost when this dies first."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._requests[answer] = None
        self.spawn(self._serve(serve, answer))
        try:
            return await answer
        finally:
            self._requests.pop(answer, None)

    async def _serve(
        self, serve: Callable[[Any], Awaitable[Any]], answer: asyncio.Future[Any]
    ) -> None:
        try:
            result = await serve(self.app)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(result)

    async def unanswered(self, seconds: float) -> int:
        """How many clients were told nothing by then."""
        waiting = [answer for answer in self._requests if not answer.done()]
        return len((await asyncio.wait(waiting, timeout=seconds))[1]) if waiting else 0

    def kill(self, how: str) -> Counter[Point]:
        """SIGKILL: not one more turn. Returns where its tasks were suspended."""
        where: Counter[Point] = Counter()
        for task in self.tasks:
            if not task.done():
                where.update(set(suspended_at(task)))
        self.state, self.up, self.held = "dead", False, []
        self.end(how)
        self._hang_up()
        return where

    def pause(self) -> None:
        """SIGSTOP, for so long that it is taken for dead."""
        self.state, self.up, self.was_paused = "paused", False, True
        self.end("paused")
        self._hang_up()

    def end(self, how: str) -> None:
        if not self.ended.done():
            self.ended.set_result(how)

    def _hang_up(self) -> None:
        for answer in self._requests:
            if not answer.done():
                answer.set_exception(ConnectionLost())

    def bury(self) -> None:
        """Free its memory. Nothing that its tasks still try reaches anybody."""
        self.state = "dead"
        while self.tasks:  # a ``finally`` may make another one
            task = self.tasks.pop()
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            if not task.done():
                self._context.copy().run(_close, task.get_coro())


def _close(coroutine: Any) -> None:
    for _ in range(20):  # each ``await`` in a ``finally`` asks for one more
        with suppress(BaseException):
            coroutine.close()
            return
