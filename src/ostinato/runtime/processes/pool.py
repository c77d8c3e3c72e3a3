"""The processes of one engine: made when there is work for them, gone when there is none.

How many there are at once is for the slots of the executor to say.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ostinato.errors import ProcessDied
from ostinato.runtime.handlers import Handler
from ostinato.runtime.processes.finding import check_at_work, check_findable
from ostinato.runtime.processes.messages import Answer
from ostinato.runtime.processes.work import Work
from ostinato.telemetry.logger import logger

if TYPE_CHECKING:
    from ostinato.runtime.processes.process import Process

log = logger("ostinato.processes")

IDLE = 300.0
"""Seconds after which a process without work leaves, and gives its memory back."""


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool(Protocol):
    @staticmethod
    def check(name: str, function: Callable[..., Any], provided: Iterable[type]) -> None:
        """Raises ``UsageError`` for a function that cannot be done there."""

    @staticmethod
    def prepare(handlers: Iterable[Handler]) -> None:
        """Work is to begin, and all modules are there. Raises ``UsageError``, too."""

    async def do(self, work: Work) -> Answer:
        """Raises ``ProcessDied``. When it is cancelled, so is the work."""

    def close(self) -> Sequence[asyncio.Future[Any]]:
        """Nothing is done any more; what is returned is done when nothing is left."""


class Processes:
    """A process that dies takes along the one attempt that it holds, and no other."""

    @staticmethod
    def check(name: str, function: Callable[..., Any], provided: Iterable[type]) -> None:
        check_findable(name, function, provided)

    @staticmethod
    def prepare(handlers: Iterable[Handler]) -> None:
        check_at_work(handlers)
        if any(handler.where == "process" for handler in handlers):  # not when a job waits for it
            importlib.import_module("ostinato.runtime.processes.process")

    def __init__(self) -> None:
        self._all: dict[Process, None] = {}
        self._idle: dict[Process, asyncio.TimerHandle] = {}  # the one that was used last is last
        self._closed = False

    def __len__(self) -> int:
        return len(self._all)

    async def do(self, work: Work) -> Answer:
        while True:
            process, used = self._rouse(), True
            if process is None:
                process, used = await self._make(), False
            try:
                return await process.do(work)
            except ProcessDied:
                if process.begun or not used:
                    raise
                # it died while it had nothing to do, or of that: another one begins the attempt
            finally:
                self._rest(process)

    def _rouse(self) -> Process | None:
        while self._idle:
            process, alarm = self._idle.popitem()
            alarm.cancel()
            if process.usable:
                return process
        return None

    async def _make(self) -> Process:
        from ostinato.runtime.processes.process import Process

        process = Process(self._gone)
        self._all[process] = None
        await process.open()
        atexit.unregister(self._kill_all)
        atexit.register(self._kill_all)  # goes before what multiprocessing has registered: it waits
        return process

    def _rest(self, process: Process) -> None:
        if not process.usable:
            return
        if self._closed:
            process.end()
        else:
            loop = asyncio.get_running_loop()
            self._idle[process] = loop.call_later(IDLE, self._let_go, process)

    def _let_go(self, process: Process) -> None:
        del self._idle[process]
        process.end()

    def _gone(self, process: Process) -> None:
        if (alarm := self._idle.pop(process, None)) is not None:
            alarm.cancel()
        self._all.pop(process, None)
        if not self._all:
            atexit.unregister(self._kill_all)

    def _kill_all(self) -> None:
        for process in list(self._all):
            process.kill()

    def close(self) -> Sequence[asyncio.Future[Any]]:
        """Those at work have been cancelled by whoever waits for them."""
        self._closed = True
        for process, alarm in self._idle.items():
            alarm.cancel()
            process.end()
        self._idle.clear()
        return [process.gone for process in self._all]
