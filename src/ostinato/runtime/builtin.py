"""Handlers that are always there, so that a document can be tried without code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ostinato.core.durations import parse_duration
from ostinato.runtime.handlers import Handlers, Job
from ostinato.runtime.outcomes import Fail
from ostinato.runtime.reports import clipped
from ostinato.telemetry.logger import logger

log = logger("ostinato.job")

LEVELS = ("debug", "info", "warning", "error")


async def noop(**arguments: Any) -> None:
    """Does nothing."""


async def echo(**arguments: Any) -> dict[str, Any]:
    """Gives its arguments back."""
    return arguments


async def sleep(**arguments: Any) -> None:
    """Takes as long as ``for`` says. To wait for days, use ``wait`` instead: it holds no slot."""
    span = arguments.get("for")
    if set(arguments) != {"for"} or not isinstance(span, str | int | float):
        raise Fail('sleep takes {for: DURATION}, as in {for: "2s"}', "WrongArguments")
    await asyncio.sleep(parse_duration(span) / 1000 if isinstance(span, str) else span)


async def write(job: Job, message: str, level: str = "info") -> None:
    """Writes ``message`` to the log of the process that runs it."""
    if level not in LEVELS:
        raise Fail(f"log has no level {level!r}; it has {', '.join(LEVELS)}", "WrongArguments")
    getattr(log, level)(clipped(message), run=job.run_id, job=job.key)


async def fail(message: str = "failed as asked", name: str = "Failed") -> None:
    """Fails for good."""
    raise Fail(message, name)


class Flaky(Exception):
    pass


async def flaky(job: Job, times: int, key: str = "") -> dict[str, int]:
    """Fails ``times`` times, then succeeds."""
    if job.attempt <= times:
        raise Flaky(f"failure {job.attempt} of {times}")
    return {"attempts": job.attempt}


def register(handlers: Handlers) -> None:
    for name, function in BUILTIN.items():
        handlers.add(name, function)


BUILTIN: dict[str, Callable[..., Any]] = {
    "noop": noop,
    "echo": echo,
    "sleep": sleep,
    "log": write,
    "fail": fail,
    "flaky": flaky,
}
