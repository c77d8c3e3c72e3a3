"""One attempt of a job, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from ostinato.core.commands import StartJob
from ostinato.core.state import State
from ostinato.runtime.handlers import Handler, Job

Key = tuple[str, str, int]

NO_SECRETS: Mapping[str, str] = MappingProxyType({})


class Attempt(msgspec.Struct, eq=False):
    """``asked``: its start fact was asked for, and it begins after that is stored.

    ``secrets`` are those that it was given.
    ``reported``: its run knows how it ended, though the handler may still be at work.
    """

    state: State
    command: StartJob
    handler: Handler | None
    key: Key
    task: asyncio.Task[None] | None = None
    job: Job | None = None
    asked: bool = False
    begun_at: float = 0.0
    secrets: Mapping[str, str] = NO_SECRETS
    stopping: bool = False
    reported: bool = False

    @property
    def in_thread(self) -> bool:
        return self.handler is not None and self.handler.sync

    def stop(self) -> None:
        """Ask the handler to stop. One in a thread can only be asked."""
        self.stopping = True
        if self.job is not None:
            self.job.cancelled = True
        if self.task is not None and not self.in_thread:
            self.task.cancel()
