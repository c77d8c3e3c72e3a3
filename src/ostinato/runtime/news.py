"""What this process hints at to the others, after its commits: once per batch and target.

A hint is a word or two: ``mail 7`` (something lies in partition 7), ``reply KEY``, ``offer TOPIC``,
``watch RUN``, ``run RUN``, ``taken``, ``deployed``. All of them may be lost; whoever waits for one
looks by itself once in a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ostinato.errors import Fenced, StoreError
from ostinato.ports import Members
from ostinato.telemetry.logger import logger

log = logger("ostinato.news")

Hear = Callable[[str], None]


class News:
    """``members`` None: there is nobody else. Words for which nobody listens are not heard."""

    def __init__(self, members: Members | None) -> None:
        self._members = members
        self._words: dict[str, None] = {}
        self._telling: asyncio.Task[None] | None = None
        self.hearers: dict[str, Hear] = {}

    def tell(self, kind: str, about: str = "") -> None:
        if self._members is None:
            return
        self._words[f"{kind} {_escaped(about)}" if about else kind] = None
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(self._members), name="ostinato-news")

    async def _tell(self, members: Members) -> None:
        """What is said meanwhile goes together, as the next one."""
        try:
            while self._words:
                words, self._words = list(self._words), {}
                await members.hint(words)
        except (StoreError, Fenced) as error:
            log.debug("hint.lost", error=str(error))
        finally:
            self._telling = None

    def heard(self, words: Sequence[str]) -> None:
        for word in words:
            kind, _, about = word.partition(" ")
            if (hear := self.hearers.get(kind)) is not None:
                hear(_unescaped(about))

    def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()


def _escaped(about: str) -> str:
    """Stores keep words apart by commas, and a topic may have any characters."""
    return about.replace("%", "%25").replace(",", "%2C")


def _unescaped(about: str) -> str:
    return about.replace("%2C", ",").replace("%25", "%")
