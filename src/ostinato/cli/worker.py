"""``ostinato worker``: the handlers of a Python application, at work for a server elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json as json_text
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.cli import output
from ostinato.cli.failure import UNREACHABLE, USAGE, Stop
from ostinato.cli.options import Json, Store, Url
from ostinato.cli.sources import is_application, load_application
from ostinato.config import Settings, override_settings
from ostinato.core.durations import parse_duration
from ostinato.errors import DefinitionError

if TYPE_CHECKING:
    from ostinato.runtime.worker import Manner, Worker

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def worker(
    source: Annotated[str, typer.Argument(metavar="module:app", help="The application.")],
    topics: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Handlers to run, as a,b=4; all when not given."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Jobs at the same time, at most.")
    ] = 10,
    lease: Annotated[
        str, typer.Option(metavar="DURATION", help="Unheard of for so long, its jobs are lost.")
    ] = "30s",
    drain: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long a stop waits for jobs at work.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name; else host-pid.")
    ] = None,
    json: Json = False,
    store: Store = None,
    url: Url = None,
) -> None:
    """Do jobs for a server: those that no handler there does. SIGTERM or Ctrl-C lets jobs at work
    finish, then it ends with exit 0; what it had not begun is given back.

    Without --url the server is found by the store, also when another one takes over later."""
    if not is_application(source):
        raise Stop(f"{source!r} is no module:app", code=USAGE)
    from ostinato.app.address import looking
    from ostinato.app.working import worker_of
    from ostinato.telemetry.logs import configure_logs

    app = load_application(source)
    app.configure(override_settings(app.settings, {"store": store, "url": url}, by="--{name}"))
    settings = app.settings
    configure_logs(settings.log)
    server = _server(settings)
    made = worker_of(
        app,
        server,
        look=looking(settings),
        topics=None if topics is None else topics_in(topics),
        concurrency=concurrency,
        lease=_ms(lease, "--lease"),
        drain=None if drain is None else _ms(drain, "--drain") / 1000,
        name=name,
    )
    _tell(made.manner, server, json)
    asyncio.run(_work(made))


def _server(settings: Settings) -> str:
    from ostinato.app.address import known_address

    url = settings.url or known_address(settings)
    if url is None:
        said = f"a worker needs a running server, and none is known for {settings.store_shown}"
        hint = "start `ostinato serve`, and name it with --url or OSTINATO_URL; a worker does not "
        raise Stop(said, hint=f"{hint}open a store by itself", code=UNREACHABLE)
    return url


def topics_in(text: str) -> dict[str, int | None]:
    """``a,b=4``"""
    found: dict[str, int | None] = {}
    for part in text.split(","):
        topic, sign, most = part.strip().partition("=")
        if not topic or (sign and not (most.isdecimal() and int(most) > 0)):
            raise Stop(f"--topics: {part!r} is neither NAME nor NAME=NUMBER", code=USAGE)
        found[topic] = int(most) if sign else None
    return found


def _ms(text: str, option: str) -> int:
    try:
        return parse_duration(text)
    except DefinitionError as error:
        raise Stop(f"{option}: {error}", code=USAGE) from None


def _tell(manner: Manner, server: str, json: bool) -> None:
    name, wanted = manner.name, dict(manner.topics)
    if json:
        print(json_text.dumps({"worker": name, "server": server, "topics": wanted}), flush=True)
        return
    output.line(f"worker   {name}")
    output.line(f"server   {server}")
    output.line("topics   " + ", ".join(f"{topic}={most}" for topic, most in wanted.items()))
    print(end="", flush=True)


async def _work(made: Worker) -> None:
    with _stopped_by_signals(made.stop):
        await made.run()


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first asks for an orderly end, the second ends it at once: its jobs are lost then, and
    offered again when their leases are over."""
    loop, task, asked = asyncio.get_running_loop(), asyncio.current_task(), list[int]()

    def on_signal() -> None:
        if asked and task is not None:
            task.cancel()
        asked.append(1)
        stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
