"""An event loop in virtual time: the same seed turns it the same way, always.

Nothing here waits: when no callback is ready, time jumps to the next timer. Each turn costs
``TURN`` seconds of virtual time, so that what spins lets time pass and is found.

Whatever happens between two turns, a real loop could have done too: of the callbacks that are
ready, those of different tasks run in any order (their wake-ups come from a disk and a network),
the plain ones among themselves in the order in which they were asked for, as asyncio promises.

A callback belongs to the ``Owner`` in whose context it was asked for. An owner that is dead or
paused is given no turn: to a task, that is SIGKILL or SIGSTOP. No ``finally`` of it runs.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

TURN = 0.000_02
MOST_TURNS, SPAN = 100_000, 600.0
"""Turns in so many virtual seconds: the busiest sound simulation of hundreds needs 36,000."""


class Owner:
    """What callbacks belong to. ``held`` are those that have come while it was paused."""

    def __init__(self) -> None:
        self.state = "running"
        self.held: list[Call] = []
        self.tasks: list[asyncio.Task[Any]] = []


OWNER: ContextVar[Owner | None] = ContextVar("simulated-owner", default=None)


class Spinning(Exception):
    """The simulation takes turns without an end."""


class Asleep(Exception):
    """Nothing is ready and nothing is due, yet somebody waits."""


class VirtualTask(asyncio.Task[Any]):
    """Its hash is its number, so that sets of tasks have the same order in every process."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class Call:
    """A callback that is ready, or will be at ``due``. ``task``: whose step it is, if one's."""

    __slots__ = ("args", "callback", "context", "due", "owner", "stopped", "task")

    def __init__(
        self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context, due: float
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.due = due
        self.stopped = False
        self.owner: Owner | None = context.get(OWNER)
        task = getattr(callback, "__self__", None)
        self.task = task if isinstance(task, asyncio.Task) else None

    def cancel(self) -> None:
        self.stopped = True

    def cancelled(self) -> bool:
        return self.stopped

    def when(self) -> float:
        return self.due


Base: Any = asyncio.AbstractEventLoop
"""What a simulation does not need (sockets, signals, processes) raises NotImplementedError there.

``Any``, for to the types those 36 methods are abstract, and no loop is one without them.
"""


class VirtualLoop(Base):  # type: ignore[misc]
    """``shuffled``: tasks that are ready take turns in a seeded order, else in the order asked.

    ``watch`` hears of each step of a task, just after it.
    """

    def __init__(self, random: Random, *, shuffled: bool = True) -> None:
        self._random = random
        self._shuffled = shuffled
        self._now = 0.0
        self._ready: list[Call] = []
        self._timers: list[tuple[float, int, Call]] = []
        self._number = 0
        self._busy = 0.0
        self.turns = 0
        self._counted = (0.0, 0)
        self.watch: Callable[[Call], None] | None = None
        self.problems: list[str] = []

    # what asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        call = Call(callback, args, copy_context() if context is None else context, self._now)
        self._ready.append(call)
        return call

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        call = Call(callback, args, copy_context() if context is None else context, when)
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, call))
        return call

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> asyncio.Task[Any]:
        context = copy_context() if context is None else context
        VirtualTask.number = self._number = self._number + 1  # asyncio hashes it at once
        task = VirtualTask(coro, loop=self, name=name or "", context=context)
        task.number = self._number
        owner = context.get(OWNER)
        if owner is not None:
            owner.tasks.append(task)
            if len(owner.tasks) % 256 == 0:
                owner.tasks = [one for one in owner.tasks if not one.done()]
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """A thread in virtual time: what it does is done at once, its result comes ``busy`` later.

        What it reports while it works (``call_soon_threadsafe``) is heard before its result.
        """
        future: asyncio.Future[T] = self.create_future()
        self.call_soon(self._in_thread, future, func, args)
        return future

    def _in_thread(self, future: asyncio.Future[Any], func: Callable[..., Any], args: Any) -> None:
        self._busy = 0.0
        result = func(*args)
        self.call_later(self._busy, self._out_of_thread, future, result)

    def _out_of_thread(self, future: asyncio.Future[Any], result: Any) -> None:
        if not future.done():
            future.set_result(result)

    def busy(self, seconds: float) -> None:
        """The function that runs in a thread takes so long."""
        self._busy += seconds

    def compute(self, seconds: float) -> None:
        """Somebody's function keeps the loop for so long."""
        self._now += seconds

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Said when garbage is collected, and when that is, is no part of a simulation."""

    # turning

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Turn until ``main`` has ended."""
        before, hooks = asyncio._get_running_loop(), sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(lambda made: None, lambda lost: None)  # of the dead: nothing runs
        try:
            task = self.create_task(main)
            while not task.done():
                self._turn()
            result: T = task.result()
            return result
        finally:
            asyncio._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)

    def _turn(self) -> None:
        self._look_at_timers()
        call = self._take()
        if call.stopped:
            return
        if call.owner is not None and call.owner.state != "running":
            if call.owner.state == "paused":
                call.owner.held.append(call)
            return
        self.turns += 1
        self._now += TURN
        since, before = self._counted
        if self._now > since + SPAN:
            self._counted = self._now, self.turns
        elif self.turns - before > MOST_TURNS:
            raise Spinning(f"{self.turns:,} turns, and no end")
        try:
            call.context.run(call.callback, *call.args)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.problems.append(f"a callback raised {type(error).__name__}: {error}")
        if self.watch is not None and call.task is not None:
            self.watch(call)

    def _look_at_timers(self) -> None:
        timers = self._timers
        while not self._ready and timers:
            due, _, call = heapq.heappop(timers)
            if not call.stopped and (call.owner is None or call.owner.state != "dead"):
                self._now = max(self._now, due)
                self._ready.append(call)
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    def _take(self) -> Call:
        ready = self._ready
        if not ready:
            raise Asleep("nothing is ready and nothing is due")
        if not self._shuffled or len(ready) == 1:
            return ready.pop(0)
        place = int(self._random.random() * len(ready))
        if ready[place].task is None:
            place = next(number for number, call in enumerate(ready) if call.task is None)
        return ready.pop(place)

    def rest(self) -> None:
        """Whatever turns it has taken, it may take as many again."""
        self._counted = self._now, self.turns

    def resume(self, owner: Owner) -> None:
        """A paused owner gets its turns again, first those that it has missed."""
        owner.state = "running"
        self._ready += owner.held
        owner.held = []
