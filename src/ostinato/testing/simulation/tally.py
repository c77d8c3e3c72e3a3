"""What many simulations add up to, and the table that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ostinato.testing.simulation.outcome import Outcome
from ostinato.testing.simulation.points import Point, crash_points, line_of


@dataclass(slots=True)
class Tally:
    """``red``: the seeds that broke a rule, with the rules. ``cpu`` is in seconds."""

    seeds: int = 0
    cpu: float = 0.0
    red: dict[int, list[str]] = field(default_factory=dict)
    covered: Counter[Point] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        if outcome.broken:
            self.red[outcome.plan.seed] = sorted(outcome.rules)
        self.covered.update(outcome.covered)
        for name, counter in outcome.counts.items():
            self.counts.setdefault(name, Counter()).update(counter)

    def join(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.cpu += other.cpu
        self.red |= other.red
        self.covered.update(other.covered)
        for name, counter in other.counts.items():
            self.counts.setdefault(name, Counter()).update(counter)

    @property
    def missed(self) -> list[Point]:
        return [point for point in crash_points() if point not in self.covered]

    @property
    def coverage(self) -> float:
        """The share of crash points at which a task was suspended when its process died."""
        return 1 - len(self.missed) / len(crash_points())

    def table(self) -> Iterator[str]:
        for name, counter in self.counts.items():
            shown = ", ".join(f"{key} {count:,}" for key, count in sorted(counter.items()))
            yield f"{name:10} {shown}"
        total = len(crash_points())
        hit = total - len(self.missed)
        yield f"{'points':10} {hit} of {total} crash points covered, {self.coverage:.1%}"
        for point in self.missed:
            yield f"{'':10} missed {point[0]}:{point[1]}  {line_of(point)}"
