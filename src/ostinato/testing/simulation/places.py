"""Who has a place under a limit, as it is stored; and the rule that they are not too many."""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.core.uids import is_line
from ostinato.ports import Batch, Owner
from ostinato.testing.history_checker import Violation


class Places:
    """A limit that is deployed anew counts as the highest that it was."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}
        self._held: dict[str, set[Owner]] = {}

    def kept(self, batch: Batch) -> Iterator[Violation]:
        self._learn(batch)
        for owner in batch.freed:
            for held in self._held.values():
                held.discard(owner)
        for place in batch.places:
            held = self._held.setdefault(place.name, set())
            held.add((place.run_id, place.key))
            most = 1 if is_line(place.name) else self._limits.get(place.name, len(held))
            if len(held) > most:
                text = f"{place.name} has {most}, and these have one: {sorted(held)}"
                yield Violation(place.run_id, -1, "limit.over", text)

    def _learn(self, batch: Batch) -> None:
        for turn in batch.turns.values():
            for want in turn.wants:
                self._limits[want.name] = max(want.limit, self._limits.get(want.name, 0))
