"""An environment of its own for packages that are not ours: made of pins, in ``.cache``."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class Unobtainable(Exception):
    """Its packages cannot be had here."""


@dataclass(frozen=True, slots=True)
class Environment:
    """``pins`` is a file of requirements with hashes; ``place`` a directory that is made."""

    pins: Path
    place: Path

    @property
    def python(self) -> str:
        return str(self.place / "bin" / "python")

    def make(self) -> None:
        """Made again only when its pins or our Python have changed."""
        made_of = hashlib.sha256(self.pins.read_bytes() + sys.version.encode()).hexdigest()
        stamp = self.place / "made-of"
        if stamp.is_file() and stamp.read_text() == made_of:
            return
        shutil.rmtree(self.place, ignore_errors=True)
        for command in self._commands():
            done = call(command)
            if done.returncode:
                why = (done.stderr or done.stdout).strip().splitlines() or [f"{command[0]} failed"]
                raise Unobtainable(why[-1])
        stamp.write_text(made_of)

    def _commands(self) -> list[list[str]]:
        pinned = ["--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(self.pins)]
        place = str(self.place)
        if uv := shutil.which("uv"):
            return [
                [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, place],
                [uv, "pip", "install", "--python", self.python, *pinned],
            ]
        return [
            [sys.executable, "-m", "venv", place],
            [self.python, "-m", "pip", "install", "--no-input", *pinned],
        ]


def variables() -> dict[str, str]:
    """For whatever runs there: nothing of ours is imported, nothing is cached elsewhere."""
    cache = Path(".cache").resolve()
    env = os.environ | {
        "PIP_CACHE_DIR": str(cache / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONNOUSERSITE": "1",
        "UV_CACHE_DIR": str(cache / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    env.pop("PYTHONPATH", None)
    return env


def call(
    command: Sequence[str], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environ = environ or variables()
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
