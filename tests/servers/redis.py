"""A real Redis of our own: a temporary folder, a free port of this machine, ended by its id.

    with redis() as server:
        Redis.from_url(server.url)

``TEST_REDIS_URL`` names a server that is there already; else it is ``redis-server`` on PATH, or
that of the Debian package, unpacked into ``.cache``. By itself: ``python -m tests.servers.redis``
shows a URL and serves until Ctrl-C.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers.debian import unpacked
from tests.servers.missing import Missing

HOST = "127.0.0.1"
PATIENCE = 30.0
"""Seconds in which a server must answer."""

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""What was answered is on the disk: for tests that kill it."""

FAST = ("--appendonly", "no")


class Server:
    """One folder and, between ``start`` and ``stop``, one process that serves it."""

    def __init__(self, *options: str, durable: bool = False) -> None:
        self.binary, self.env = _binary()
        self.folder = Path(tempfile.mkdtemp(prefix="ostinato-redis-"))
        self.port = _free_port()
        self.url = f"redis://{HOST}:{self.port}"
        self.options = [*(DURABLE if durable else FAST), *options]
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The same folder and port again. Returns once it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.binary, "--bind", HOST, "--port", str(self.port), "--save", "",
                    "--dir", str(self.folder), *self.options,
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | self.env,
                start_new_session=True,
            )  # fmt: skip
        self._guard = subprocess.Popen(  # reads until we are gone, however that comes about
            ["/bin/sh", "-c", 'read -r _; kill -KILL "$0"', str(self.process.pid)],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > until or self.process.poll() is not None:
                raise Missing(f"Redis did not start: {self.said()}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        """Also a server that asks for a password answers."""
        with suppress(OSError), socket.create_connection((HOST, self.port), 1) as found:
            found.settimeout(5)
            found.sendall(b"PING\r\n")
            answer = found.recv(100)
            return answer.startswith((b"+PONG", b"-NOAUTH"))
        return False

    def stop(self) -> None:
        """In order: what it has is on the disk, if it is durable."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Without a word: what is on the disk is what a start finds."""
        self._signal(signal.SIGKILL)

    def end(self) -> None:
        """Killed, and its folder removed; safe to repeat."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")[-1000:]
        return ""

    def _signal(self, number: int) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            self.process.wait(PATIENCE)
            self.process = None


class Given:
    """The server of ``TEST_REDIS_URL``; it is used, and neither stopped nor started."""

    def __init__(self, url: str) -> None:
        self.url = url

    def end(self) -> None:
        pass


@contextmanager
def redis(*options: str, durable: bool = False, own: bool = False) -> Iterator[Server]:
    """``own``: one that may be killed, whatever the environment names; ``options`` are of a server
    that is begun here. Raises ``Missing``."""
    if not own and (url := os.environ.get("TEST_REDIS_URL")):
        yield Given(url)  # type: ignore[misc]
        return
    server = Server(*options, durable=durable)
    atexit.register(server.end)
    try:
        server.start()
        yield server
    finally:
        server.end()
        atexit.unregister(server.end)


def _binary() -> tuple[Path, dict[str, str]]:
    """Where it is, and what its environment needs."""
    if found := shutil.which("redis-server"):
        return Path(found), {}
    return unpacked("redis-server", "usr/bin/redis-server")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt), redis(durable=True) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        signal.pause()
    sys.exit(0)
