"""A worker that asks for jobs: what it wants, and what it is given while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ostinato.ports import JobRow


@dataclass(frozen=True, slots=True)
class Wish:
    """``topics``: of each at most so many. ``lease`` is in ms, ``wait`` in seconds."""

    topics: Mapping[str, int]
    worker: str
    most: int
    lease: int
    wait: float = 0.0

    @property
    def wanted(self) -> list[str]:
        """A worker names what it does, also while it wants none of it."""
        return [topic for topic, most in self.topics.items() if most > 0]


class Hand:
    """Held out for as long as it waits. ``promised`` are jobs that a batch offers to it alone, of
    which ``given`` are stored; one that is ``withdrawn`` takes nothing more.
    """

    __slots__ = ("given", "promised", "wish", "withdrawn", "woken")

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.promised: list[JobRow] = []
        self.given: list[JobRow] = []
        self.withdrawn = False
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wants(self, topic: str) -> bool:
        """One more under this topic, before it has been woken."""
        if self.woken.done() or len(self.promised) >= self.wish.most:
            return False
        same = sum(row.topic == topic for row in self.promised)
        return same < self.wish.topics[topic]

    def wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)
