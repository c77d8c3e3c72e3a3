"""A job in a worker's hands: what its handler may ask of its run, and whose it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ostinato.core.commands import StartJob
from ostinato.runtime.attempt import Key
from ostinato.runtime.desk import Handed


class Told(NamedTuple):
    """What a run has from its graph."""

    address: str
    priority: int = 5


class Hand:
    """An ``Origin``. ``since``: when it was taken or heard of, in the loop's seconds.

    ``over``: its handler has said how it went, and the server is being told.
    """

    __slots__ = ("command", "event_value", "graph", "job", "key", "over", "since")

    def __init__(self, job: Handed, since: float) -> None:
        self.job = job
        self.since = since
        self.over = False
        self.key: Key = (job.run_id, job.key, job.attempt)
        data = None if bytes(job.input) == b"null" else job.input
        self.command = StartJob(job.key, job.attempt, job.topic, data, job.timeout)
        self.event_value: Any = msgspec.json.decode(job.event)
        self.graph = Told(job.callback_url.removesuffix(f"/callbacks/{job.callback_token}"))

    @property
    def run_id(self) -> str:
        return self.job.run_id

    @property
    def workflow(self) -> str:
        return self.job.workflow

    @property
    def uid(self) -> str | None:
        return self.job.uid

    @property
    def mark(self) -> str:
        return self.job.mark

    def token(self, key: str) -> str:
        return self.job.callback_token
