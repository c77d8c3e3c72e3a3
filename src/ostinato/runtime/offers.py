"""Who waits for jobs, and which topics may have some: nothing is asked of the store for a topic
that was found empty, until something is offered under it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from ostinato.runtime.asking import Hand

MANY = 10_000
"""Topics that are known to be empty; beyond that all are looked at again."""

Waiting = asyncio.Future[None]


class Offers:
    def __init__(self) -> None:
        self._empty: set[str] = set()
        self._offered: Counter[str] = Counter()
        self._waiting: dict[str, dict[Hand, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __len__(self) -> int:
        """Those who wait."""
        return len({hand for waiting in self._waiting.values() for hand in waiting})

    def hand(self, topic: str) -> Hand | None:
        """Whoever has waited longest for it, and wants one more."""
        return next((hand for hand in self._waiting.get(topic, ()) if hand.wants(topic)), None)

    def possible(self, topics: Iterable[str]) -> dict[str, int]:
        """Those that may have jobs, with what ``found_empty`` wants to know."""
        return {topic: self._offered[topic] for topic in topics if topic not in self._empty}

    def found_empty(self, topic: str, offered: int) -> None:
        """Nothing was left of it, unless more was offered while one looked."""
        if self._offered[topic] == offered:
            if len(self._empty) >= MANY:
                self._empty.clear()
                self._offered.clear()
            self._empty.add(topic)

    def offered(self, topic: str) -> None:
        """There is one more; whoever has waited longest comes and looks."""
        self._offered[topic] += 1
        self._empty.discard(topic)
        self._wake(topic)

    def pass_on(self, topics: Iterable[str]) -> None:
        """Who was woken leaves some, or cannot come: the next one is woken."""
        for topic in topics:
            if topic not in self._empty:
                self._wake(topic)

    def _wake(self, topic: str) -> None:
        for hand in self._waiting.get(topic, ()):
            if not (hand.promised or hand.woken.done()):
                hand.wake()
                return

    def hold_out(self, hand: Hand) -> None:
        for topic in hand.wish.wanted:
            self._waiting.setdefault(topic, {})[hand] = None

    def withdraw(self, hand: Hand) -> None:
        hand.withdrawn = True
        for topic in hand.wish.wanted:
            del self._waiting[topic][hand]
            if not self._waiting[topic]:
                del self._waiting[topic]

    async def wait(self, hand: Hand, seconds: float, until: Waiting) -> None:
        """Until something may be there, or ``until`` is done. The hand is held out."""
        await asyncio.wait(
            {hand.woken, until}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )

    def let_go(self) -> None:
        """Nothing comes any more: all that wait go on."""
        for waiting in self._waiting.values():
            for hand in waiting:
                hand.wake()

    def look_again(self) -> None:
        """Other processes may have offered something."""
        self.forget()
        for topic in self._waiting:
            self._wake(topic)

    def forget(self) -> None:
        """What is there is not known."""
        self._empty.clear()
