"""A worker for a server elsewhere: this app's handlers, and its settings."""

from __future__ import annotations

import importlib
import os
import secrets
import socket
from collections.abc import Mapping

from ostinato.app.address import Look
from ostinato.app.desk import HttpDesk
from ostinato.app.orchestrator import App
from ostinato.errors import UsageError
from ostinato.runtime.worker import Manner, Worker


def worker_of(
    app: App,
    url: str,
    *,
    look: Look | None = None,
    topics: Mapping[str, int | None] | None = None,
    concurrency: int = 10,
    lease: int = 30_000,
    drain: float | None = None,
    name: str | None = None,
) -> Worker:
    """``look`` says where the server is when it is not at ``url`` any more.

    ``topics`` are names of handlers of the app (all of its own, when not given), each with how
    many of it may be at work at once. ``lease`` is in ms, ``drain`` in seconds.

    Raises ``UsageError`` for a topic that has no handler here.
    """
    settings = app.settings
    manner = Manner(
        name=name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}",
        topics=_topics(app, topics, concurrency),
        most=concurrency,
        lease=lease,
        drain=settings.drain.total_seconds() if drain is None else drain,
        result=settings.limits.result,
        version=importlib.import_module("ostinato").__version__,
        secrets=settings.secrets,
    )
    return Worker(HttpDesk(url, settings.key, look), app.handlers, manner)


def _topics(app: App, topics: Mapping[str, int | None] | None, concurrency: int) -> dict[str, int]:
    own = app.own_handlers
    if not own:
        raise UsageError("this app has no handlers: a worker would have nothing to do")
    wanted = dict.fromkeys(own) if topics is None else topics
    for topic in wanted:
        if topic not in own:
            raise UsageError(f"there is no handler {topic!r} here; here are {', '.join(own)}")
    return {topic: min(most or concurrency, concurrency) for topic, most in wanted.items()}
