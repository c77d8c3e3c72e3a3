"""Names that are ours to choose: run ids ordered by time, and seeds. Chance comes in here."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from ostinato.core.run_ids import PAIRS, SHIFTS


class Identity:
    """``random`` gives an integer of so many bits."""

    def __init__(self, random: Callable[[int], int] = secrets.randbits) -> None:
        self._random = random
        self._last = 0
        self._tail = 0

    def run_id(self, now: int) -> str:
        """26 characters: 48 bits of time in ms, 80 bits of chance, rising within one process.

        No two are alike but for the last two: those may be chosen (``in_partition``).
        """
        if now <= self._last:
            self._tail += len(PAIRS) + self._random(16)
        else:
            self._last, self._tail = now, self._random(79)
        number = self._last << 80 | self._tail
        return "".join([PAIRS[number >> shift & 1023] for shift in SHIFTS])

    def event_id(self, now: int) -> str:
        """32 hexadecimal digits: time in ms, then 80 bits of chance. What comes together has
        neighbouring ids, so that a store's index of them grows at one end."""
        return f"{now << 80 | self._random(80):032x}"

    def chance(self, bits: int) -> int:
        return self._random(bits)

    def token(self) -> str:
        """Who has it holds what was claimed with it."""
        return f"{self._random(128):032x}"

    def seed(self) -> str:
        return f"{self._random(128):032x}"
