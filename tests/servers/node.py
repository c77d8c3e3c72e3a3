"""Programs in Node that speak BullMQ, with the library that its makers publish.

``tests/buses/node`` says which versions, each with its hash; they are installed into
``.cache/node-bullmq``, and no script of any package runs. ``installed`` does so for others, too.

    with Program("worker.mjs", url, "queue") as worker:
        worker.says("ready")
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import queue
import shutil
import subprocess
import threading
from functools import cache
from pathlib import Path
from typing import Any

from tests.servers.missing import Missing

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests/buses/node"
CACHE = ROOT / ".cache/node-bullmq"
PATIENCE = 30.0


@cache
def modules() -> Path:
    """The folder from which programs run. Raises ``Missing``."""
    if shutil.which("node") is None:
        raise Missing("BullMQ of Node: there is no node here")
    return installed(SOURCES, CACHE)


def installed(sources: Path, cache: Path) -> Path:
    """The folder that has the packages which ``sources`` wants. Raises ``Missing``."""
    if shutil.which("npm") is None:
        raise Missing(f"{cache.name}: there is no npm here")
    wanted = (sources / "package-lock.json").read_bytes()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        done = cache / "installed.json"
        if not done.exists() or done.read_bytes() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(sources / name, cache / name)
            _install(cache)
            done.write_bytes(wanted)
    return cache


def _install(cache: Path) -> None:
    """Not ``ci``: that wants to know what optional parts there would be on other machines."""
    options = ("--ignore-scripts", "--no-save", "--omit=optional", "--no-audit", "--no-fund")
    command = ["npm", "install", *options]
    done = subprocess.run(command, cwd=cache, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise Missing(f"npm install failed: {done.stderr[-500:]}")


class Program:
    """One of ours, running: it prints a line of JSON for each thing that it has to say."""

    def __init__(self, name: str, *args: Any) -> None:
        folder = modules()
        shutil.copy(SOURCES / name, folder / name)  # where its imports are found
        told = [arg if isinstance(arg, str) else json.dumps(arg) for arg in args]
        self.process = subprocess.Popen(
            ["node", name, *told], cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def next(self) -> dict[str, Any]:
        """What it says next. Whatever else it prints is its end."""
        line = self._lines.get(timeout=PATIENCE)
        if not line.startswith("{"):
            raise AssertionError(f"it said {line!r}")
        said: dict[str, Any] = json.loads(line)
        return said

    def says(self, what: str) -> dict[str, Any]:
        """The next that is ``{what: …}``; what it says before is left out."""
        while what not in (said := self.next()):
            pass
        return said

    async def heard(self, what: str) -> dict[str, Any]:
        """The same, while the loop goes on."""
        return await asyncio.to_thread(self.says, what)

    def kill(self) -> None:
        self.process.kill()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exc: object) -> None:
        """Its input ends, and so does it; if it does not, it is ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
