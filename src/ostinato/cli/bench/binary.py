"""A program that comes as a package of npm: fetched once, held against its pin, unpacked.

Nothing of the package is run at its installation, and nothing of it becomes part of ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostinato.cli.bench.environment import Unobtainable, call, variables


@dataclass(frozen=True, slots=True)
class Binary:
    """``pins`` is a file of JSON: for each system the package, its version, its digest, and the
    member that is the program. ``place`` is a directory that is made.
    """

    pins: Path
    place: Path

    @property
    def program(self) -> Path:
        return self.place / "program"

    def make(self) -> None:
        """Raises ``Unobtainable``, and says why."""
        pin = self._pin()
        stamp = self.place / "made-of"
        if stamp.is_file() and stamp.read_text() == pin["sha512"]:
            return
        self.place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.place) as folder:
            packed = _packed(pin, Path(folder))
            if (found := _digest(packed)) != pin["sha512"]:
                raise Unobtainable(f"{pin['package']} is another one than was pinned: {found}")
            self._unpack(packed, pin["program"])
        stamp.write_text(pin["sha512"])

    def _pin(self) -> dict[str, Any]:
        here = f"{sys.platform}-{platform.machine()}"
        pins: dict[str, dict[str, Any]] = json.loads(self.pins.read_text())
        if here not in pins:
            raise Unobtainable(f"no program is pinned for {here}")
        return pins[here]

    def _unpack(self, packed: Path, member: str) -> None:
        with tarfile.open(packed) as archive, self.program.open("wb") as program:
            found = archive.extractfile(member)
            if found is None:
                raise Unobtainable(f"{member} is not in {packed.name}")
            shutil.copyfileobj(found, program)
        self.program.chmod(0o755)


def _packed(pin: dict[str, Any], folder: Path) -> Path:
    """The package as npm fetches it, from wherever this machine's npm looks."""
    if (npm := shutil.which("npm")) is None:
        raise Unobtainable("npm is not on PATH")
    what = f"{pin['package']}@{pin['version']}"
    command = [npm, "pack", "--ignore-scripts", "--pack-destination", str(folder), what]
    cache = str(Path(".cache/npm").resolve())
    done = call(command, variables() | {"npm_config_cache": cache})
    found = list(folder.glob("*.tgz"))
    if done.returncode or not found:
        said = [line for line in done.stderr.splitlines() if "error" in line] or ["no package"]
        raise Unobtainable(f"npm pack {what}: {said[0]}")
    return found[0]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
