"""What a process does: one attempt after the other, until it is told to end.

The main thread runs the handlers, so that libraries which want it have it. Another one listens.

A process is the head of a group, which holds what its handlers start. The whole group ends with the
engine: by the kernel where that can be asked for, so that code which never lets go of the
interpreter is met, too, and else by the thread that listens.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import queue
import signal
import socket
import threading
from typing import Any

import msgspec
from msgspec import Raw

from ostinato.config import LogSettings
from ostinato.core import events as e
from ostinato.core.cloudevents import Event
from ostinato.core.commands import StartJob
from ostinato.runtime.handlers import Handler, Job, Provide
from ostinato.runtime.letters import event_of
from ostinato.runtime.processes.doing import done
from ostinato.runtime.processes.finding import find
from ostinato.runtime.processes.messages import (
    ORDERS,
    Begin,
    Begun,
    Cancel,
    Failed,
    Frames,
    Heard,
    Message,
    RunThere,
    framed,
)
from ostinato.telemetry.logs import configure_logs

CHUNK = 1 << 18

GIVES_WAY = 10
"""Its niceness, that of ``nice``: where all cores are busy, the engine's loop goes first."""


def main(line: socket.socket, logs: LogSettings | None) -> None:
    """``logs`` as the engine's process writes them."""
    _settle()
    if logs is not None:
        configure_logs(logs)
    Child(line).run()


def _settle() -> None:
    os.setpgrp()
    with contextlib.suppress(OSError):
        os.nice(GIVES_WAY)
    _end_with_parent()
    # Whoever stops a whole service tells all its processes; the engine decides for these.
    signal.signal(signal.SIGTERM, lambda *_: None)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def _end_with_parent() -> None:
    """The pipe that multiprocessing keeps to a parent closes with it; the kernel then kills."""
    parent = multiprocessing.parent_process()
    if parent is None or not hasattr(fcntl, "F_SETSIG"):
        return
    pipe = int(parent.sentinel)
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


class JobThere(Job):
    """A job whose run is elsewhere."""

    __slots__ = ("_run",)

    def __init__(self, run: RunThere, command: StartJob, report: Any) -> None:
        self._run = run
        self._command = command
        self._report = report
        self.cancelled = False

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @property
    def workflow(self) -> str:
        return self._run.workflow

    @property
    def uid(self) -> str | None:
        return self._run.uid

    @property
    def token(self) -> str:
        return self._run.token

    @property
    def callback_url(self) -> str:
        return self._run.callback_url

    @property
    def trigger(self) -> dict[str, Any] | None:
        return None if self._run.event is None else msgspec.json.decode(self._run.event)


NOWHERE = RunThere("", "", None, "", "", None)
"""For handlers that do not ask for their job."""


def _event(job: Job) -> Event | None:
    return None if job.trigger is None else event_of(job.trigger)


PROVIDED: dict[type, Provide] = {Job: lambda job: job, Event: _event}
"""What is injected here; the rest lives in the engine's process."""


class Child:
    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._orders: queue.SimpleQueue[Begin | None] = queue.SimpleQueue()
        self._telling = threading.Lock()
        self._handlers: dict[tuple[str, str, str], Handler] = {}
        self._job: Job | None = None

    def run(self) -> None:
        threading.Thread(target=self._listen, name="ostinato-listener", daemon=True).start()
        while (begin := self._orders.get()) is not None:
            self._do(begin)

    def _listen(self) -> None:
        frames = Frames()
        with contextlib.suppress(OSError):
            while data := self._line.recv(CHUNK):
                for frame in frames.feed(data):
                    self._obey(frame)
        _end_group()

    def _obey(self, frame: bytes) -> None:
        order, job = ORDERS.decode(frame), self._job
        if isinstance(order, Begin):
            self._orders.put(order)
        elif not isinstance(order, Cancel):
            self._orders.put(None)
        elif job is not None:
            job.cancelled = True

    def _tell(self, message: Message) -> None:
        with self._telling:
            self._line.sendall(framed(message))

    def _do(self, begin: Begin) -> None:
        data = None if begin.input is None else Raw(begin.input)
        command = StartJob(begin.key, begin.attempt, begin.handler, data)
        try:
            handler = self._find(begin)
        except BaseException as error:  # the module is the user's, and may raise anything
            text = f"{begin.module}.{begin.qualname} is not found in its process: {error}"
            self._tell(Failed("NoHandler", text))
            return
        self._job = JobThere(begin.run or NOWHERE, command, self._heard)
        self._tell(Begun())
        answer = done(handler, self._job, command, begin.limit)
        self._job = None
        self._tell(answer)

    def _heard(self, run_id: str, event: e.Event) -> None:
        self._tell(Heard())

    def _find(self, begin: Begin) -> Handler:
        key = (begin.handler, begin.module, begin.qualname)
        if key not in self._handlers:
            function = find(begin.module, begin.qualname)
            self._handlers[key] = Handler(begin.handler, function, PROVIDED)
        return self._handlers[key]


def _end_group() -> None:
    """The engine is gone."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
