"""Other engines, measured beside ours: each in an environment of its own, by a script of its own.

Scripts and pins are part of a checkout, not of the package: ``--peer`` works where they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ostinato.cli.bench.machine import sync_ms
from ostinato.cli.bench.meter import Figures
from ostinato.cli.bench.processes import round_of
from ostinato.cli.failure import USAGE, Stop


class Unobtainable(Exception):
    """Its packages cannot be had here."""


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
    def pins(self) -> Path:
        return Path("requirements") / f"{self.name}.txt"

    @property
    def place(self) -> Path:
        return Path(".cache") / "peers" / self.name

    @property
    def python(self) -> Path:
        return self.place / "bin" / "python"

    def make(self) -> None:
        """Its environment, made again only when its pins or our Python have changed."""
        if not self.pins.is_file() or not Path(self.script).is_file():
            hint = "run it in a checkout of Ostinato: make bench"
            raise Stop(f"--peer {self.name}: {self.script} is not here", hint=hint, code=USAGE)
        made_of = hashlib.sha256(self.pins.read_bytes() + sys.version.encode()).hexdigest()
        stamp = self.place / "made-of"
        if stamp.is_file() and stamp.read_text() == made_of:
            return
        shutil.rmtree(self.place, ignore_errors=True)
        for command in self._commands():
            done = _call(command)
            if done.returncode:
                why = (done.stderr or done.stdout).strip().splitlines() or [f"{command[0]} failed"]
                raise Unobtainable(why[-1])
        stamp.write_text(made_of)

    def _commands(self) -> list[list[str]]:
        place, python, pins = str(self.place), str(self.python), str(self.pins)
        pinned = ["--quiet", "--require-hashes", "--only-binary", ":all:", "-r", pins]
        if uv := shutil.which("uv"):
            return [
                [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, place],
                [uv, "pip", "install", "--python", python, *pinned],
            ]
        return [
            [sys.executable, "-m", "venv", place],
            [python, "-m", "pip", "install", "--no-input", *pinned],
        ]

    def measure(self, workload: str, folder: Path) -> Figures:
        """One round; ``sync_ms`` is what the disk took just before."""
        command = [str(self.python), self.script, workload, str(self.sizes[workload])]
        sync = sync_ms(folder)
        return round_of(command, folder, _environment()) | {"sync_ms": sync}

    def version(self) -> str:
        said = f"from importlib.metadata import version; print(version({self.name!r}))"
        return _call([str(self.python), "-c", said]).stdout.strip()


def _environment() -> dict[str, str]:
    cache = Path(".cache").resolve()
    env = os.environ | {
        "PIP_CACHE_DIR": str(cache / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONNOUSERSITE": "1",
        "UV_CACHE_DIR": str(cache / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    env.pop("PYTHONPATH", None)  # what is ours is not to be imported there
    return env


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)


PEERS = {
    "dbos": Peer(
        "dbos",
        "dbos_sqlite",
        "benchmarks/dbos_sqlite.py",
        {
            "W1": 60,
            "W1b-50": 50,
            "W1b-600": 600,
            "W2": 4,
            "W3": 60,
            "W4": 200,
            "W5-light": 3,
            "W5-heavy": 4,
        },
    )
}
