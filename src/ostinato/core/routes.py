"""Where emitted events go: back to this engine's own triggers, and out on buses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

OWN = ""
"""The engine's own triggers, in the place of a bus's name."""


def is_wild(type: str) -> bool:
    """Whether this stands for several types: ``*`` is any number of letters."""
    return "*" in type


def types_like(types: Sequence[str]) -> re.Pattern[str]:
    """What fits any of these, whole."""
    each = (re.escape(type).replace(r"\*", ".*") for type in types)
    return re.compile("|".join(each), re.DOTALL)


class Routes:
    """``sends`` has the types of events that go out on each bus; ``buses`` are all that can be
    named. None: nobody knows here, and any name will do."""

    def __init__(
        self,
        sends: Mapping[str, Sequence[str]] | None = None,
        buses: Sequence[str] | None = None,
    ) -> None:
        self.buses = buses
        self._out = [(bus, types_like(types)) for bus, types in (sends or {}).items() if types]

    def of(self, type: str) -> tuple[str, ...]:
        """Where an event of this type goes that names no bus."""
        if not self._out:
            return _OWN_ONLY
        return (OWN, *(bus for bus, types in self._out if types.fullmatch(type)))

    def problem(self, bus: str) -> str:
        """Why an event cannot go out on this bus alone; empty when it can."""
        if self.buses is None or bus in self.buses:
            return ""
        known = ", ".join(sorted(self.buses)) or "none"
        return (
            f"names {bus!r}, and nothing goes out on such: [bus.{bus}] makes one; there is {known}"
        )


_OWN_ONLY = (OWN,)
