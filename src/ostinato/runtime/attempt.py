"""One attempt of a job, in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ostinato.core.commands import StartJob
from ostinato.runtime.handlers import Handler, Job, Origin, Where

Key = tuple[str, str, int]

NO_SECRETS: Mapping[str, str] = MappingProxyType({})


class Attempt:
    """``asked``: its start fact was asked for, and it begins after that is stored.

    ``secrets`` are those that it was given.
    ``reported``: its run knows how it ended, though the handler may still be at work.
    """

    __slots__ = (
        "asked", "begun_at", "command", "handler", "job", "key", "reported", "secrets", "state",
        "stopping", "task",
    )  # fmt: skip

    def __init__(self, state: Origin, command: StartJob, handler: Handler | None, key: Key) -> None:
        self.state = state
        self.command = command
        self.handler = handler
        self.key = key
        self.task: asyncio.Task[None] | None = None
        self.job: Job | None = None
        self.asked = False
        self.begun_at = 0.0
        self.secrets = NO_SECRETS
        self.stopping = False
        self.reported = False

    @property
    def where(self) -> Where:
        return "loop" if self.handler is None else self.handler.where

    def stop(self) -> None:
        """Ask the handler to stop. One in a thread can only be asked."""
        self.stopping = True
        if self.job is not None:
            self.job.cancelled = True
        if self.task is not None and self.where != "thread":
            self.task.cancel()


def attempted(call: Callable[[], Any], name: str) -> tuple[Any, BaseException | None]:
    """A future cannot carry every error (StopIteration), so none is raised through it.

    The thread carries the name of what it does, for whoever asks why it does not end.
    """
    thread = threading.current_thread()
    idle, thread.name = thread.name, f"ostinato-handler:{name}"
    try:
        return call(), None
    except BaseException as error:
        return None, error
    finally:
        thread.name = idle
