"""Runs of other processes of which somebody here wants to hear.

Whoever has such a run is asked to hint at each change of it. A hint may be lost, so whoever waits
looks by itself once in a while, and asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from ostinato.runtime.engine import Engine
from ostinato.runtime.news import News

SAFETY = 15.0
"""Seconds after which one looks without a hint."""

Then = Callable[[], None]


class Distant:
    def __init__(self, engine: Engine, news: News) -> None:
        self.engine = engine
        self._news = news
        self._waiting: dict[str, list[Then]] = {}
        engine.outlets.watching.news = lambda run_id: news.tell("run", run_id)
        news.hearers["watch"] = self._asked
        news.hearers["run"] = self._heard

    def _asked(self, run_id: str) -> None:
        """Another process wants to hear of it; at once, for it may have changed already."""
        if self.engine.territory.has_run(run_id):
            self.engine.outlets.watching.want(run_id, self.engine.clock.now())
            self._news.tell("run", run_id)

    def _heard(self, run_id: str) -> None:
        for then in list(self._waiting.get(run_id, ())):
            then()

    def watch(self, run_id: str, then: Then) -> None:
        """``then`` is called when it has changed, or may have."""
        self._waiting.setdefault(run_id, []).append(then)
        self._news.tell("watch", run_id)

    def look(self) -> None:
        """Who has what is another matter by now: one looks, and whoever has it is asked again."""
        for run_id in list(self._waiting):
            self._heard(run_id)
            self._news.tell("watch", run_id)

    def forget(self, run_id: str, then: Then) -> None:
        waiting = self._waiting.get(run_id, [])
        if then in waiting:
            waiting.remove(then)
        if not waiting:
            self._waiting.pop(run_id, None)

    @contextmanager
    def changes(self, run_id: str) -> Iterator[Callable[[], Awaitable[None]]]:
        """Look at it inside, and await what is given before each further look: until it may have
        changed. Whoever asks for it anew each time is told at once, each time.
        """
        heard = asyncio.Event()
        self.watch(run_id, heard.set)

        async def changed() -> None:
            try:
                async with asyncio.timeout(SAFETY):
                    await heard.wait()
            except TimeoutError:
                self._news.tell("watch", run_id)
            heard.clear()

        try:
            yield changed
        finally:
            self.forget(run_id, heard.set)
