"""The server that is measured: `ostinato serve`, a process of its own, with the settings as they
come, whatever is set for the user's own server."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ostinato.cli.bench.documents import Document
from ostinato.cli.bench.meter import peak_mib

_ENDS_WITHIN = 15  # seconds; it drains first


STORE = "OSTINATO_BENCH_STORE"
"""The variable that names an empty database; without it a round is on a file of its own."""


def store_at(folder: Path) -> str:
    return os.environ.get(STORE) or f"sqlite:///{folder / 'bench.db'}"


P = TypeVar("P", bound="Process")


class Process:
    """A command of ours that says a line of JSON when it is ready."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "ostinato", *arguments, "--json"]
        with (folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=log
            )
        try:
            self.said: dict[str, Any] = json.loads(self._first_line(folder))
        except BaseException:
            self.end()
            raise
        self.pid = self.process.pid

    def _first_line(self, folder: Path) -> bytes:
        assert self.process.stdout is not None  # noqa: S101 - as it was started
        if line := self.process.stdout.readline():
            return line
        said = (folder / "server.log").read_text().strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"the process did not start: {said[-1]}")

    def end(self) -> None:
        """In order; then it has written what it will write."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Server(Process):
    """``started_in``: seconds from the start of the process until it takes work.

    ``source`` is what it serves, ``store`` where, when not at the round's own place.
    """

    def __init__(self, folder: Path, source: str, store: str | None = None) -> None:
        begun = time.perf_counter()
        at = store or store_at(folder)
        super().__init__(folder, "serve", source, "--port", "0", "--store", at)
        self.started_in = time.perf_counter() - begun
        where = urlsplit(self.said["address"])
        self.host, self.port = str(where.hostname), int(where.port or 0)
        self.peak_mib = 0.0

    def ready(self) -> bool:
        """It takes work."""
        try:
            self.get("/readyz")
        except RuntimeError:
            return False
        return True

    def get(self, path: str) -> bytes:
        link = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            body = answer.read()
        finally:
            link.close()
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {body[:200]!r}")
        return body

    def count(self, status: str) -> int:
        """Of runs."""
        counted: dict[str, Any] = json.loads(self.get(f"/runs/count?status={status}"))
        return int(counted["count"])

    def commits(self) -> float:
        for line in self.get("/metrics").decode().splitlines():
            if line.startswith("ostinato_commits "):
                return float(line.split()[1])
        raise RuntimeError("/metrics has no ostinato_commits")

    def end(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(OSError, AttributeError):
                self.peak_mib = peak_mib(self.pid)
        super().end()


@contextlib.contextmanager
def serving(folder: Path, documents: Path, new: Sequence[Document]) -> Iterator[Server]:
    """``documents`` is a directory; ``new`` ones are written there first."""
    write(documents, new)
    with ended(Server(folder, str(documents))) as server:
        yield server


def write(documents: Path, new: Sequence[Document]) -> None:
    documents.mkdir(exist_ok=True)
    for each in new:
        (documents / f"{each['workflow']}.json").write_text(json.dumps(each))


@contextlib.contextmanager
def ended(process: P) -> Iterator[P]:
    """Whatever happens meanwhile."""
    try:
        yield process
    finally:
        process.end()


@contextlib.asynccontextmanager
async def aside(make: Callable[[], P]) -> AsyncIterator[P]:
    """Made and ended in a thread, for a loop that it needs to be there meanwhile."""
    process = await asyncio.to_thread(make)
    try:
        yield process
    finally:
        await asyncio.to_thread(process.end)


def _environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("OSTINATO_")}
