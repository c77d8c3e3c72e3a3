"""The demo's server: a process of its own, as ``ostinato serve`` starts it.

It has its own session, so that Ctrl-C ends the demo first, and the demo ends it. It does not see
the user's OSTINATO_* variables nor ``ostinato.toml``: the demo is the same everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import httpx2

from ostinato.cli.failure import Stop

FILE = "demo.db"
_READY_WITHIN = 20.0


class Server:
    """``folder`` holds the store and the log; the address stays the same over restarts."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._variables = variables
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Returns when it takes work."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments(), stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
                cwd=self.folder, env=self._environment(), start_new_session=True,
            )  # fmt: skip
        await self._until_ready()

    def _arguments(self) -> list[str]:
        example = Path(str(files("ostinato.cli.demo") / "tenants"))
        documents = [str(example / "workflow.yaml"), str(example / "app.py")]
        place = ["--port", str(self.port), "--store", f"sqlite:///{self.folder / FILE}"]
        return [sys.executable, "-m", "ostinato", "serve", *documents, *place]

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OSTINATO_")}
        return kept | {"PYTHONUNBUFFERED": "1"} | self._variables

    async def _until_ready(self) -> None:
        limit = time.monotonic() + _READY_WITHIN
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:
            while not await _ready(http):
                if not self.alive or time.monotonic() > limit:
                    raise Stop(f"the server did not start: {self._last_words()}")
                await asyncio.sleep(0.02)

    def _last_words(self) -> str:
        log = self.folder / "server.log"
        lines = log.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1] if lines else 'it said nothing'} ({log})"

    async def kill(self) -> None:
        """SIGKILL: no warning, no last write."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM: an orderly end. The exit code."""
        await self._end(signal.SIGTERM)
        return self._process.returncode or 0 if self._process else 0

    async def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            await self._process.wait()

    def end_now(self) -> None:
        """For every way out of the demo: whatever happened, no process stays behind."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


@contextlib.asynccontextmanager
async def server_in(folder: Path, variables: dict[str, str]) -> AsyncIterator[Server]:
    server = Server(folder, variables)
    try:
        yield server
    finally:
        server.end_now()


async def _ready(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz", timeout=2)).is_success
    except httpx2.HTTPError:
        return False


def _free_port() -> int:
    """Asked for once: callbacks that are on their way must find it again after a restart."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
