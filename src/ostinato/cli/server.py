"""The server process: one socket, one App, uvicorn between them, and an orderly end.

Order at the start: documents are read, the port is taken, the store is opened, and only then is
the address told. So what can be wrong is told before anything has begun. At the end: the port
closes, requests at work end, then the App drains and hands over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from ostinato import __version__
from ostinato.app import App
from ostinato.cli import output
from ostinato.cli.connect import address_file, known_address, owner
from ostinato.cli.documents import read_documents
from ostinato.cli.failure import FAILED, Stop
from ostinato.cli.sources import Sources, load_application
from ostinato.config import Settings
from ostinato.errors import StoreError, StoreLocked
from ostinato.telemetry.logs import configure_logs

_BACKLOG = 2048
_REQUESTS_END_WITHIN = 5  # seconds; streams never end by themselves


async def serve_app(settings: Settings, sources: Sources, *, json: bool) -> None:
    configure_logs(settings.log)
    read_documents(sources.documents)
    app = _application(settings, sources)
    with _bound(settings) as listener:
        url = _url(settings, listener)
        async with _opened(app, settings, url):
            await app.deploy(list(sources.documents))
            with _address_told(settings, url):
                await _serve(app, listener, lambda: _tell(settings, url, json))


def _application(settings: Settings, sources: Sources) -> App:
    apps = [load_application(each) for each in sources.applications]
    if len(apps) > 1:
        raise Stop("one application can be served at a time", code=2)
    return apps[0] if apps else App(settings)


# -- the port


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """Listens at once, so that no other process can take the port while the store is opened."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host.strip("[]"), settings.port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _port_refused(settings, error) from error
        listener.setblocking(False)
        yield listener


def _port_refused(settings: Settings, error: OSError) -> Stop:
    where = f"{settings.host}:{settings.port}"
    if (known := known_address(settings)) and (pid := owner(settings)):
        said = f"a server for {settings.store_file} runs already: {known}, process {pid}"
        return Stop(said, hint=f"use that one, or stop it: kill {pid}")
    hint = "take another one: --port 8086, or --port 0 for any free one"
    return Stop(f"{where} cannot be listened on: {error.strerror}", hint=hint)


def _url(settings: Settings, listener: socket.socket) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    host = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{host}:{listener.getsockname()[1]}"


# -- the store


@contextlib.asynccontextmanager
async def _opened(app: App, settings: Settings, url: str) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(app)
        except StoreLocked as error:
            raise _locked(settings, error) from error
        except StoreError as error:
            hint = "take another place: --store sqlite:///DIRECTORY/ostinato.db"
            raise Stop(str(error), hint=hint) from error
        yield


def _locked(settings: Settings, error: StoreLocked) -> Stop:
    pid = owner(settings)
    hint = "one server per file: use that one, or take another file: --store sqlite:///other.db"
    named = f" (process {pid})" if pid and str(pid) not in str(error) else ""
    return Stop(f"{error}{named}", hint=hint)


@contextlib.contextmanager
def _address_told(settings: Settings, url: str) -> Iterator[None]:
    """Other commands read it there. It is written whole or not at all."""
    path = address_file(settings)
    if path is None:
        yield
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(f"{url}\n")
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


# -- serving


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would raise them again after its end, and the exit would not be 0."""

    def __init__(self, config: uvicorn.Config, ready: Any) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        """The second signal no longer waits for requests."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


async def _serve(app: App, listener: socket.socket, ready: Any) -> None:
    config = uvicorn.Config(
        app.asgi(),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_REQUESTS_END_WITHIN,
    )
    server = _Server(config, ready)
    await server.serve([listener])
    if not server.started:
        raise Stop("the server did not start; its log says why", code=FAILED)


def _tell(settings: Settings, url: str, json: bool) -> None:
    """The four facts. Whoever started this process waits for these lines."""
    file = settings.store_file
    data = str(file.resolve()) if file else "in memory, gone with this process"
    if json:
        facts = {"address": url, "page": f"{url}/", "data": data, "pid": os.getpid()}
        print(_json(facts), flush=True)
        return
    over = f"; to start over, stop it and: rm {_shown(file)}*" if file else ""
    output.line(f"ostinato {__version__}", style="bold")
    output.line(f"address  {url}")
    output.line(f"page     {url}/")
    output.line(f"data     {data}")
    output.line(f"stop     Ctrl-C, or kill {os.getpid()}{over}")
    print(end="", flush=True)


def _shown(file: Path) -> str:
    import shlex

    return shlex.quote(str(file))


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
