"""Other engines, measured beside ours: each in an environment of its own, by a script of its own.

Scripts and pins are part of a checkout, not of the package: ``--peer`` works where they are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ostinato.cli.bench.binary import Binary
from ostinato.cli.bench.environment import Environment, Unobtainable, call, variables
from ostinato.cli.bench.meter import Figures
from ostinato.cli.bench.processes import round_of
from ostinato.cli.failure import USAGE, Stop

SCRIPTS = Path("benchmarks/peers")


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """``sizes`` says how much of each workload one round does: peers are slower, rates compare.
    For DBOS's W1b it is how many runs are at once, for pgbench seconds.

    ``shares``: it keeps its data where we keep ours, in a file or in a database of its own.
    ``pinned``: its packages are those of ``requirements``, else it runs in our environment.
    ``binary``: a program beside its packages, whose path it finds in the variable ``NAME_SERVER``.
    """

    name: str
    sizes: Mapping[str, int]
    shares: bool = True
    pinned: bool = True
    server_only: bool = False
    binary: Binary | None = None

    @property
    def script(self) -> Path:
        return SCRIPTS / f"{self.name}_workloads.py"

    @property
    def environment(self) -> Environment:
        pins = Path("requirements") / f"{self.name}.txt"
        return Environment(pins, Path(".cache") / "peers" / self.name)

    def column(self, store: str | None) -> str:
        """What its figures are called."""
        if not self.shares:
            return self.name
        return f"{self.name}_{'sqlite' if store is None else 'postgresql'}"

    def make(self, store: str | None) -> None:
        """Raises ``Unobtainable`` where it cannot be had."""
        pins = [self.environment.pins] if self.pinned else []
        if missing := [path for path in (self.script, *pins) if not path.is_file()]:
            hint = "run it in a checkout of Ostinato: make bench"
            raise Stop(f"--peer {self.name}: {missing[0]} is not here", hint=hint, code=USAGE)
        if self.server_only and store is None:
            raise Stop(f"--peer {self.name} measures a PostgreSQL: name one by --store", code=USAGE)
        if self.pinned:
            self.environment.make()
        if self.binary is not None:
            self.binary.make()
        if not self.version():
            raise Unobtainable(f"{self.script} --version says nothing")

    @property
    def python(self) -> str:
        return self.environment.python if self.pinned else sys.executable

    def measure(self, workload: str, folder: Path, more: Mapping[str, str]) -> Figures:
        """One round; ``more`` are variables that say where the database is."""
        command = [self.python, str(self.script), workload, str(self.sizes[workload])]
        return round_of(command, folder, self._variables() | dict(more))

    def version(self) -> str:
        said = call([self.python, str(self.script), "--version"], self._variables())
        return said.stdout.strip()

    def _variables(self) -> dict[str, str]:
        found = variables() if self.pinned else dict(os.environ)
        if self.binary is not None:
            found[f"{self.name.upper()}_SERVER"] = str(self.binary.program.resolve())
        return found


PEERS = {
    each.name: each
    for each in (
        Peer(
            "dbos",
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
        ),
        Peer(
            "restate",
            {
                "W1": 200,
                "W1b-50": 100,
                "W1b-600": 600,
                "W2": 10,
                "W3": 100,
                "W4": 1_000,
                "W5-light": 3,
                "W5-heavy": 2,
            },
            shares=False,
            binary=Binary(SCRIPTS / "restate-server.json", Path(".cache/peers/restate-server")),
        ),
        Peer("pgbench", {"W1": 2}, pinned=False, server_only=True),
    )
}
