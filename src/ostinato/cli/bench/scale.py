"""How much one round does."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Counts; ``idle`` and ``quiet`` are in seconds.

    ``runs`` W1 · ``waits`` W1b with 50 and 600 · ``crowd`` W1b with 2,000 · ``fans`` W2 ·
    ``calls`` W3 · ``starts`` W4 · ``flows`` W5-light · ``heavy`` W5-heavy · ``long`` length ·
    ``ended`` memory · ``items`` items · ``alarms`` timers · ``waiting`` waiting and found ·
    ``idle`` waiting · ``found`` found · ``patterns`` patterns · ``quiet`` idle · ``busy``
    fleet-busy · ``brisk`` fleet-noop · ``fleet`` how many servers those have.
    """

    runs: int = 500
    waits: int = 1_200
    crowd: int = 4_000
    fans: int = 20
    calls: int = 200
    starts: int = 10_000
    flows: int = 5
    heavy: int = 10
    long: int = 10
    ended: int = 100_000
    items: int = 10_000
    alarms: int = 50
    waiting: int = 100_000
    found: int = 500
    patterns: int = 10_000
    idle: float = 5
    busy: int = 200
    brisk: int = 2_000
    fleet: int = 2
    quiet: float = 25

    @property
    def quick(self) -> Scale:
        """A tenth; as many at once as their name says all the same."""
        less = {name: math.ceil(count / 10) for name, count in asdict(self).items()}
        return Scale(**less | {"waits": 600, "crowd": 2_000, "fleet": self.fleet})
