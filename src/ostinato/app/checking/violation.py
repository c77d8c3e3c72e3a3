"""What was found, and what clients were told."""

from __future__ import annotations

from dataclasses import dataclass, field

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Violation:
    """``seq`` is the fact that breaks ``rule``; -1 when it is about a run or store as a whole."""

    run_id: str
    seq: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.run_id or 'store'} #{self.seq} {self.rule}: {self.message}"


@dataclass(slots=True)
class Journal:
    """What clients were told: runs that were started; events, with the runs in their answer.

    ``removed`` runs and ``forgotten`` events were old enough to go; ``redriven`` are runs that a
    dead letter was made of.
    """

    starts: set[str] = field(default_factory=set)
    events: dict[Pair, tuple[str, ...]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    forgotten: set[Pair] = field(default_factory=set)
    redriven: set[str] = field(default_factory=set)
