"""A server in a process of its own: it says its port on a line, and ends when its input does.

So it ends with us, however that comes about, and nobody has to look for it.
"""

from __future__ import annotations

import atexit
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from select import select

from tests.servers.missing import Missing

HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds in which it must say its port."""


class Child:
    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - the process writes to it
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=env,
            start_new_session=True,
        )  # fmt: skip
        self.port = self._said_port()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def _said_port(self) -> int:
        said = self.process.stdout
        assert said is not None
        ready, _, _ = select([said], [], [], PATIENCE)
        line = said.readline() if ready else b""
        if not line.strip().isdigit():
            told = self._told()
            self.end()
            raise Missing(f"{self.process.args!s:.200} did not start: {told}")
        return int(line)

    def _told(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:].decode(errors="replace")

    def end(self) -> None:
        """Safe to repeat."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._log.close()


@contextmanager
def child(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Raises ``Missing``."""
    server = Child(command, env)
    atexit.register(server.end)
    try:
        yield server
    finally:
        server.end()
        atexit.unregister(server.end)
