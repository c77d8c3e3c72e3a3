"""Which runs are this process's: all of them where it has the store for itself, else those in the
partitions that it has."""

from __future__ import annotations

from collections.abc import Callable

from ostinato.core.run_ids import HUB, PARTITIONS, partition_of
from ostinato.ports import Partitions

EVERY: Partitions = frozenset(range(PARTITIONS))


class Territory:
    """``owned`` None: the store has no partitions, and everything is here."""

    def __init__(self, owned: Partitions | None = None) -> None:
        self.owned = owned
        self._choice: list[int] = []

    @property
    def whole(self) -> bool:
        return self.owned is None or len(self.owned) == PARTITIONS

    @property
    def hub(self) -> bool:
        """What concerns all runs is looked after here."""
        return self.owned is None or HUB in self.owned

    def has(self, partition: int) -> bool:
        return self.owned is None or partition in self.owned

    def has_run(self, run_id: str) -> bool:
        return self.owned is None or partition_of(run_id) in self.owned

    def choose(self, random: Callable[[int], int]) -> int | None:
        """A partition for a run that may be in any; None: let its id decide."""
        if self.whole:
            return None
        if not self._choice:
            self._choice = sorted(self.owned or EVERY)
        return self._choice[random(16) % len(self._choice)]

    def take(self, partitions: Partitions) -> None:
        self.owned = (self.owned or frozenset()) | partitions
        self._choice = []

    def give(self, partitions: Partitions) -> None:
        self.owned = (self.owned or frozenset()) - partitions
        self._choice = []
