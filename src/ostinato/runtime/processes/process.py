"""One process, seen from the engine: it holds at most one attempt, and can be killed with it."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from ostinato.errors import ProcessDied
from ostinato.runtime.processes.child import main
from ostinato.runtime.processes.messages import (
    WORDS,
    Answer,
    Begun,
    Cancel,
    End,
    Frames,
    Heard,
    Message,
    framed,
)
from ostinato.runtime.processes.work import Work
from ostinato.telemetry.logger import logger
from ostinato.telemetry.logs import configured

log = logger("ostinato.processes")

START = 60.0
"""Seconds in which a process must have imported what it is to run."""

GRACE = 0.5
"""Seconds between the word that a job is cancelled and the kill, for handlers that can hear it."""

LAST_BYTES = 0.2
"""Seconds in which what a dead process has said before must have come in."""


class Process(asyncio.Protocol):
    """``gone`` is done when it is over, however it came to that; ``on_gone`` hears it, too.

    ``begun``: the function of its attempt was found, and is at work or about to be.
    """

    def __init__(self, on_gone: Callable[[Process], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_gone = on_gone
        self._frames = Frames()
        self._child: BaseProcess | None = None
        self._line: asyncio.Transport | None = None
        self._work: Work | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._watched = -1
        self._fate = ""
        self.begun = self.stopping = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    @property
    def usable(self) -> bool:
        return not self.stopping and not self.gone.done()

    # its life

    async def open(self) -> None:
        """It is asked for work at once: what it is sent waits until it listens."""
        here, there = socket.socketpair()
        spawn = multiprocessing.get_context("spawn")
        self._child = spawn.Process(
            target=main, args=(there, configured()), name="ostinato-process"
        )
        try:
            self._child.start()
            self._watch(self._child)
            await self._loop.create_connection(lambda: self, sock=here)
        except BaseException:
            here.close()
            self._give_up()
            raise
        finally:
            there.close()

    def _watch(self, child: BaseProcess) -> None:
        """By its own descriptor: its pipes stay open as long as what it may have forked."""
        try:
            self._watched = os.pidfd_open(child.pid or 0)
        except (AttributeError, OSError):  # not Linux, or an old one
            self._watched = os.dup(child.sentinel)
        self._loop.add_reader(self._watched, self._ended)

    def _give_up(self) -> None:
        """It cannot be used, and may not even be there."""
        self.kill()
        if self._watched < 0:
            self._kill_group()
            self._over()

    def end(self) -> None:
        """It has nothing to do, and may leave in order."""
        self.stopping = True
        self._tell(End())
        self._set_alarm(GRACE, self.kill)

    def kill(self, why: str = "") -> None:
        """With all that its handlers have started."""
        self.stopping = True
        self._fate = self._fate or why
        if self._watched >= 0:
            self._kill_group()

    def _kill_group(self) -> None:
        pid = 0 if self._child is None else self._child.pid
        if pid:
            try:
                os.killpg(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # it is not the head of a group yet
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _ended(self) -> None:
        """What it has started goes, too. What it has said comes first."""
        self.stopping = True
        self._kill_group()
        self._loop.remove_reader(self._watched)
        os.close(self._watched)
        self._watched = -1
        if self._child is not None:
            self._child.join()
        if self._line is None:
            self._over()
        else:
            self._set_alarm(LAST_BYTES, self._over)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a socket
        self._line = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._line = None
        if self._watched < 0:
            self._over()
        else:  # it is about to end, or has closed what was not its own
            self.stopping = True
            self._set_alarm(GRACE, self.kill)

    def _over(self) -> None:
        if self.gone.done():
            return
        self._clear_alarm()
        if self._line is not None:
            self._line.abort()
        self.gone.set_result(None)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ProcessDied(self._how()))
        self._on_gone(self)

    def _how(self) -> str:
        """Nothing that differs from one time to the next: failures are counted by what they say."""
        code = None if self._child is None else self._child.exitcode
        when = "" if self.begun else " before the handler began"
        if self._fate:
            return f"the handler's process was stopped: {self._fate}"
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = "; systems do so when memory runs out" if name == "SIGKILL" else ""
            return f"the handler's process was ended by {name}{when}{hint}"
        hint = "" if self.begun else "; what it wrote to stderr says why"
        return f"the handler's process ended by itself{when}, with exit code {code}{hint}"

    def _set_alarm(self, seconds: float, then: Callable[[], None]) -> None:
        self._clear_alarm()
        self._alarm = self._loop.call_later(seconds, then)

    def _clear_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    # its work

    async def do(self, work: Work) -> Answer:
        """Raises ``ProcessDied``. When this is cancelled, it is killed, and its attempt with it.

        A handler that can hear of it has ``GRACE`` seconds to end; then its answer counts.
        """
        self._work, self.begun = work, False
        self._answer = answer = self._loop.create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._set_alarm(START, lambda: self.kill(f"the handler had not begun after {START:.0f} s"))
        self._tell(work.message())
        try:
            return await self._answered(answer)
        finally:
            self._work = self._answer = None

    async def _answered(self, answer: asyncio.Future[Answer]) -> Answer:
        try:
            await asyncio.wait({answer})
        except asyncio.CancelledError:
            if not answer.done():
                self._cancel()
                await self._last_words(answer)
            if answer.exception() is not None:
                raise
        return answer.result()

    def _cancel(self) -> None:
        if self.begun and self._work is not None and self._work.handler.injects:
            self._tell(Cancel())
            self._set_alarm(GRACE, self.kill)
        else:
            self.kill()

    async def _last_words(self, answer: asyncio.Future[Answer]) -> None:
        try:
            await asyncio.wait({answer})
        except asyncio.CancelledError:  # whoever waits does not want to any longer
            self.kill()
            raise

    def _tell(self, message: Message) -> None:
        if self._line is not None:
            self._line.write(framed(message))

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            word = WORDS.decode(frame)
            if self._work is None or self._answer is None:
                continue
            if isinstance(word, Heard):
                self._work.heard()
            elif isinstance(word, Begun):
                self.begun = True
                if not self.stopping:
                    self._clear_alarm()
                self._work.begun()
            elif not self._answer.done():
                if self._watched >= 0 and not self.stopping:
                    self._clear_alarm()
                self._answer.set_result(word)
