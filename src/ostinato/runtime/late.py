"""What a bus has not taken alone: when each is tried again, and what must not pass it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass

FIRST, MOST = 1.0, 30.0
"""Seconds before something is tried again: once, and at most."""

FULL = 10_000
"""So many of one bus: then nothing new is tried before one of them is due."""


@dataclass(slots=True)
class Entry:
    due: float
    tries: int
    order: Hashable | None


class Late:
    """By numbers of the outbox. ``order``: what has one is sent in the order of its numbers."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._in_order: dict[Hashable, set[int]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= FULL

    def resting(self, time: float) -> list[int]:
        """Those that are not to be tried now."""
        return [number for number, entry in self._entries.items() if entry.due > time]

    def next_due(self) -> float | None:
        return min((entry.due for entry in self._entries.values()), default=None)

    def holds(self, order: Hashable, beside: Collection[int]) -> bool:
        """Whether one of this order is late that is not tried ``beside`` it."""
        return not self._in_order.get(order, set()).issubset(beside)

    def lose(self, number: int, order: Hashable | None, time: float, *, tried: bool) -> None:
        """The bus has not got it, or was not asked because one before it is late."""
        before = self._entries.get(number)
        tries = (0 if before is None else before.tries) + tried
        pause = min(MOST, FIRST * 2 ** max(0, tries - 1))
        self._entries[number] = Entry(time + pause, tries, order)
        if order is not None:
            self._in_order.setdefault(order, set()).add(number)

    def win(self, numbers: Iterable[int]) -> None:
        """They are late no more, whatever became of them."""
        for number in numbers:
            entry = self._entries.pop(number, None)
            if entry is not None and entry.order is not None:
                self._leave(entry.order, number)

    def _leave(self, order: Hashable, number: int) -> None:
        numbers = self._in_order[order]
        numbers.discard(number)
        if not numbers:
            del self._in_order[order]

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)
