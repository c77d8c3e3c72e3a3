"""Other engines, measured beside ours: each in an environment of its own, by a script of its own.

Scripts and pins are part of a checkout, not of the package: ``--peer`` works where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ostinato.cli.bench.environment import Environment, call, variables
from ostinato.cli.bench.meter import Figures
from ostinato.cli.bench.processes import round_of
from ostinato.cli.failure import USAGE, Stop


@dataclass(frozen=True, slots=True)
class Peer:
    """``sizes`` says how much of each workload one round does: peers are slower, rates compare.

    For W1b it is how many runs are at once.
    """

    name: str
    column: str
    script: str
    sizes: Mapping[str, int]

    @property
    def environment(self) -> Environment:
        pins = Path("requirements") / f"{self.name}.txt"
        return Environment(pins, Path(".cache") / "peers" / self.name)

    def make(self) -> None:
        """Raises ``Unobtainable`` where its packages cannot be had."""
        if not self.environment.pins.is_file() or not Path(self.script).is_file():
            hint = "run it in a checkout of Ostinato: make bench"
            raise Stop(f"--peer {self.name}: {self.script} is not here", hint=hint, code=USAGE)
        self.environment.make()

    def measure(self, workload: str, folder: Path) -> Figures:
        """One round."""
        command = [self.environment.python, self.script, workload, str(self.sizes[workload])]
        return round_of(command, folder, variables())

    def version(self) -> str:
        said = f"from importlib.metadata import version; print(version({self.name!r}))"
        return call([self.environment.python, "-c", said]).stdout.strip()


PEERS = {
    "dbos": Peer(
        "dbos",
        "dbos_sqlite",
        "benchmarks/dbos_sqlite.py",
        {
            "W1": 40,
            "W1b-50": 50,
            "W1b-600": 600,
            "W2": 3,
            "W3": 50,
            "W4": 120,
            "W5-light": 2,
            "W5-heavy": 2,
        },
    )
}
