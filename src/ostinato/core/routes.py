"""Where emitted events go: back to this engine's own triggers, and out on buses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

OWN = ""
"""The engine's own triggers, in the place of a bus's name."""


OWN_NAME = "memory"
"""What they are called where a bus is named."""


def is_wild(type: str) -> bool:
    """Whether this stands for several types: ``*`` is any number of letters."""
    return "*" in type


def wildcard_of(type: str) -> str:
    """As the pattern language writes it: there stars stand alone, and a backslash is one of two."""
    return re.sub(r"\*+", "*", type.replace("\\", r"\\"))


class Likes:
    """What fits any of these, whole; in time that grows with the text alone, whatever the stars."""

    def __init__(self, types: Sequence[str]) -> None:
        self._plain = frozenset(type for type in types if not is_wild(type))
        self._wild = [re.split(r"\*+", type) for type in types if is_wild(type)]

    def fit(self, text: str) -> bool:
        return text in self._plain or any(_fits(parts, text) for parts in self._wild)


def _fits(parts: Sequence[str], text: str) -> bool:
    first, *middle, last = parts
    if not text.startswith(first) or len(text) < len(first) + len(last) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


class Routes:
    """``sends`` has the types of events that go out on each bus; ``buses`` are all that can be
    named. None: nobody knows here, and any name will do."""

    def __init__(
        self,
        sends: Mapping[str, Sequence[str]] | None = None,
        buses: Sequence[str] | None = None,
    ) -> None:
        self.buses = buses
        self._out = [(bus, Likes(types)) for bus, types in (sends or {}).items() if types]

    def of(self, type: str) -> tuple[str, ...]:
        """Where an event of this type goes that names no bus."""
        if not self._out:
            return _OWN_ONLY
        return (OWN, *(bus for bus, types in self._out if types.fit(type)))

    def problem(self, bus: str) -> str:
        """Why an event cannot go out on this bus alone; empty when it can. Whoever tells it says
        before it what names the bus: "emit.bus", or "bus"."""
        if self.buses is None or bus in self.buses or bus in (OWN, OWN_NAME):
            return ""
        known = ", ".join(sorted(self.buses)) or "none"
        return f"{bus!r} has no place where events go out: [bus.{bus}] makes one; there is {known}"


_OWN_ONLY = (OWN,)
