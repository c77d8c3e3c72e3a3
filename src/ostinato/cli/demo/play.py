"""The whole evening: builder, server and stage are made, the story is played, the store is read.

Whatever happens, Ctrl-C and SIGTERM included, no process stays behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ostinato.cli import output
from ostinato.cli.demo.clock import Clock
from ostinato.cli.demo.folder import commands, fresh, settings_for
from ostinato.cli.demo.orders import HELD, ORDERS
from ostinato.cli.demo.picture import Picture
from ostinato.cli.demo.record import Line, read_record, reckoning
from ostinato.cli.demo.server import server_in
from ostinato.cli.demo.stage import Lines, Stage
from ostinato.cli.demo.story import Story, Witness
from ostinato.cli.demo.tenants.builder import Builder
from ostinato.cli.failure import INTERRUPTED, Stop


def perform(folder: Path, pace: float) -> bool:
    """Whether all that was expected is in the store."""
    folder = fresh(folder)
    try:
        return asyncio.run(_perform(folder, pace))
    except ExceptionGroup as group:  # of the tasks that played together
        raise _first(group) from group


def _first(error: Exception) -> Exception:
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


async def _perform(folder: Path, pace: float) -> bool:
    with _ended_by_signals():
        witness = await _played(folder, pace)
    lines = reckoning(await read_record(settings_for(folder)), witness)
    _tell(lines, folder)
    return all(line.holds for line in lines)


async def _played(folder: Path, pace: float) -> Witness:
    pictures = [Picture(order) for order in ORDERS]
    with _building(pace) as builder, _stage(pictures) as stage:
        async with server_in(folder, {"BUILDER_URL": builder.url}) as server:
            witness = await Story(server, stage, pictures, pace, builder.go.set).play()
            if code := await server.stop():
                raise Stop(f"the server ended with exit code {code}; see {folder}/server.log")
            return witness


def _stage(pictures: list[Picture]) -> Stage:
    if not output.on_terminal():
        return Lines(Clock())
    from ostinato.cli.demo.screen import Screen

    return Screen(pictures, Clock())


class _StageBuilder(Builder):
    """Ends the large builds when the story says so: the kill is to find deployments at work."""

    def __init__(self, pace: float) -> None:
        super().__init__(port=0, pace=pace)
        self.go = threading.Event()

    def built(self, order: dict[str, Any]) -> dict[str, str]:
        if order["parameters"]["tenant"] in HELD:
            self.go.wait()
        return super().built(order)


@contextlib.contextmanager
def _building(pace: float) -> Iterator[_StageBuilder]:
    """The builder lives in a thread of its own and speaks HTTP only, as if it were far away."""
    builder = _StageBuilder(pace)
    thread = threading.Thread(target=builder.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield builder
    finally:
        builder.go.set()
        builder.shutdown()
        builder.server_close()
        thread.join()


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does: by its own doors."""
    loop, playing = asyncio.get_running_loop(), asyncio.current_task()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, playing.cancel if playing else loop.stop)
    try:
        yield
    except asyncio.CancelledError:
        raise Stop("interrupted; the server was ended too", code=INTERRUPTED) from None
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _tell(lines: list[Line], folder: Path) -> None:
    output.line()
    output.table(
        ("what the store holds", "found", "must be", ""),
        [(line.what, line.found, "" if line.wanted is None else line.wanted,
          "" if line.wanted is None else "✓" if line.holds else "✗ NOT SO") for line in lines],
    )  # fmt: skip
    output.line()
    kept = all(line.holds for line in lines)
    told = "All of it holds." if kept else "Not all of it holds: that is a fault of ours."
    output.line(f"{told} The data stays in {folder}. Now you can:", "bold green" if kept else "red")
    for command, shows in commands(folder):
        output.line(f" # {shows}", "dim")
        print(f" {command}")
