"""A set of alternatives that is asked as a whole: which of them may this event fit?

A few are a plain list. When they become more, each is filed at the places of one of its ways, the
one that it shares with the fewest others; what is filed at one place is a node again.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from ostinato.core.patterns.entry import Entry, Path, Place, Way
from ostinato.core.patterns.keys import Key, Kind
from ostinato.core.patterns.trail import Trail

# To test so many one after the other costs about what it costs to look up who need not be tested.
FEW = 8
# Ways are not worth more than this, whatever patterns have been thought out.
MOST_LEVELS = 8


class Node:
    __slots__ = ("_counts", "_few", "_filed", "_plain", "_trail", "_used")

    def __init__(self, used: frozenset[Path] = frozenset(), few: int = FEW) -> None:
        self._used = used
        self._few = few
        self._plain: dict[Entry, None] = {}
        self._filed: dict[Entry, Way] = {}
        self._trail: Trail[Node] | None = None
        self._counts: Counter[Place] = Counter()

    def __len__(self) -> int:
        return len(self._plain) + len(self._filed)

    def add(self, entry: Entry) -> None:
        if self._trail is not None:
            self._count(entry)
            self._file(entry, self._trail)
            return
        self._plain[entry] = None
        if len(self._plain) > self._few and len(self._used) < MOST_LEVELS:
            self._split()

    def remove(self, entry: Entry) -> None:
        way = self._filed.pop(entry, None)
        if way is None:
            del self._plain[entry]
        else:
            self._unfile(entry, way)
        if self._trail is not None:
            self._uncount(entry)
            if len(self) <= self._few // 2:
                self._join()

    def candidates(self, event: dict[str, Any], into: list[Entry]) -> None:
        """Adds all that may fit, some perhaps more than once."""
        into += self._plain
        if self._trail is not None:
            for node in self._trail.found(event):
                if node._trail is None:  # as nearly all are: no call for them
                    into += node._plain
                else:
                    node.candidates(event, into)

    # filing

    def _split(self) -> None:
        self._trail = Trail()
        entries, self._plain = self._plain, {}
        for entry in entries:
            self._count(entry)
        for entry in entries:
            self._file(entry, self._trail)

    def _join(self) -> None:
        self._plain |= dict.fromkeys(self._filed)
        self._filed = {}
        self._trail = None
        self._counts = Counter()

    def _file(self, entry: Entry, trail: Trail[Node]) -> None:
        ways = self._open_ways(entry)
        if not ways:
            self._plain[entry] = None
            return
        way = min(ways, key=self._price)
        self._filed[entry] = way
        for path, key in way.places:
            node = trail.get(path, key)
            if node is None:
                node = Node(self._used | {way.path})
                trail.add(path, key, node)
            node.add(entry)

    def _unfile(self, entry: Entry, way: Way) -> None:
        assert self._trail is not None  # noqa: S101 - what is filed is filed in it
        for path, key in way.places:
            node = self._trail.get(path, key)
            if node is not None:
                node.remove(entry)
                if not len(node):
                    self._trail.remove(path, key)

    # choosing

    def _open_ways(self, entry: Entry) -> list[Way]:
        return [way for way in entry.ways if way.path not in self._used]

    def _count(self, entry: Entry) -> None:
        for way in self._open_ways(entry):
            self._counts.update(way.places)

    def _uncount(self, entry: Entry) -> None:
        for way in self._open_ways(entry):
            for place in way.places:
                self._counts[place] -= 1
                if not self._counts[place]:
                    del self._counts[place]

    def _price(self, way: Way) -> tuple[float, Kind, int]:
        """How many others one is led to, at worst; below a few, the plainest way is the best."""
        others = max(
            self._counts[path, key] + _overlap(key) * len(self) for path, key in way.places
        )
        return max(others, float(FEW)), way.kind, len(way.path)


def _overlap(key: Key) -> float:
    """The share of other keys of its kind that a value which has this one is guessed to have."""
    if key.kind is Kind.PRESENT:
        return 1.0
    if key.kind is Kind.RANGE:
        return 1 / 2 if math.inf in key.value or -math.inf in key.value else 1 / 16
    return float(16 ** -len(key.value)) if Kind.PREFIX <= key.kind <= Kind.LOWER_SUFFIX else 0.0
