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
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from ostinato import __version__
from ostinato.app import App
from ostinato.app.address import address_told, known_address, owner
from ostinato.cli import output
from ostinato.cli.documents import refuse_broken
from ostinato.cli.failure import FAILED, INTERRUPTED, Stop
from ostinato.cli.receiving import receiving
from ostinato.config import Settings, require_keys_beyond_loopback
from ostinato.errors import StoreError, StoreLocked
from ostinato.telemetry.logs import configure_logs

_BACKLOG = 2048
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_REQUESTS_END_WITHIN = 5  # seconds; streams never end by themselves


def serve_app(app: App) -> None:
    """Until a signal; what ``App.run`` does."""
    asyncio.run(serving(app))


async def serving(app: App, documents: Sequence[Path] = (), *, json: bool = False) -> None:
    settings = app.settings
    require_keys_beyond_loopback(settings)
    configure_logs(settings.log)
    refuse_broken(documents)
    with _stop_signals() as stopping, _bound(settings) as listener:
        url = _url(settings, listener)
        app.configure(replace(settings, public_url=settings.public_url or url))
        for path in documents:
            app.workflow_document(path)
        async with _opened(app, settings):
            with address_told(settings, url):
                await _serve(app, listener, stopping, lambda: _tell(app, url, json))
            if app.ended_by is not None:
                raise app.ended_by


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """The first signal asks for an orderly end; the second no longer waits for jobs at work.

    They are ours from before the store is opened until it is closed: a signal in between would
    end the process with the signal's code and without its drain.
    """
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    serving = asyncio.current_task()

    def stop() -> None:
        if stopping.is_set() and serving is not None:
            serving.cancel()
        stopping.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield stopping
    except asyncio.CancelledError:
        said = "stopped without waiting for jobs at work; the next start takes them up again"
        raise Stop(said, code=INTERRUPTED) from None
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


# -- the port


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """Listens at once, so that no other process can take the port while the store is opened.

    The protocol is named because asyncio sets TCP_NODELAY only where it is: without it the second
    part of an answer waits 40 ms for the other side's acknowledgement of the first.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
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
    if (pid := owner(settings)) and (known := known_address(settings)):
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
async def _opened(app: App, settings: Settings) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(app)
        except StoreLocked as error:
            raise _locked(settings, error) from error
        except StoreError as error:
            raise Stop(str(error), hint=_place_hint(settings, error)) from error
        yield


def _place_hint(settings: Settings, error: StoreError) -> str:
    if "moved" in error.details:
        return ""  # it says itself where its runs are
    if settings.store_is_server:
        return "docs/how-to/postgresql.md says what a database needs"
    return "take another place: --store sqlite:///DIRECTORY/ostinato.db"


def _locked(settings: Settings, error: StoreLocked) -> Stop:
    """Of a file: a database takes as many servers as come."""
    pid = owner(settings)
    hint = "one server per file: use that one, or take another file: --store sqlite:///other.db"
    named = f" (process {pid})" if pid and str(pid) not in str(error) else ""
    return Stop(f"{error}{named}", hint=hint)


# -- serving


class _Server(uvicorn.Server):
    """uvicorn would raise the signals again after its end, and the exit would not be 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


async def _serve(
    app: App, listener: socket.socket, stopping: asyncio.Event, ready: Callable[[], None]
) -> None:
    door = app.asgi()
    config = uvicorn.Config(
        door,
        http=receiving(app.settings.receive.total_seconds()),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_REQUESTS_END_WITHIN,
    )
    server = _Server(config, ready)
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_stopped(stopping, server, door))
        ended = group.create_task(_ended(app, stopping))
        await server.serve([listener])
        watch.cancel()
        ended.cancel()
    if not server.started:
        raise Stop("the server did not start; its log says why", code=FAILED)


async def _ended(app: App, stopping: asyncio.Event) -> None:
    """It may never work again; why is told at the end."""
    await app.ended.wait()
    stopping.set()


async def _stopped(stopping: asyncio.Event, server: uvicorn.Server, door: Any) -> None:
    """Those who wait and listen are let go, or their requests would hold up the end."""
    await stopping.wait()
    door.stop()
    server.should_exit = True


def _tell(app: App, url: str, json: bool) -> None:
    """The four facts. Whoever started this process waits for these lines."""
    settings = app.settings
    files = settings.store_files
    data = ", ".join(str(file.resolve()) for file in files) or _elsewhere(settings)
    if json:
        facts = {"address": url, "page": f"{url}/", "data": data, "pid": os.getpid()}
        facts |= {"standsBy": True} if settings.standby else {}
        print(_json(facts), flush=True)
        return
    removed = " ".join(f"{_shown(file)}*" for file in files)
    over = f"; to start over, stop it and: rm {removed}" if files else ""
    output.line(f"ostinato {__version__}", style="bold")
    output.line(f"address  {url}")
    output.line(f"page     {url}/")
    output.line(f"data     {data}")
    if settings.standby:
        output.line("role     stands by, until it is told: ostinato members promote")
    elif app.stands_by:
        output.line("role     joins others, who give it its share of the runs (ostinato members)")
    output.line(f"stop     Ctrl-C, or kill {os.getpid()}{over}")
    print(end="", flush=True)


def _elsewhere(settings: Settings) -> str:
    if settings.store_is_server:
        return settings.store_shown
    return "in memory, gone with this process"


def _shown(file: Path) -> str:
    import shlex

    return shlex.quote(str(file))


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
