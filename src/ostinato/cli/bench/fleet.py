"""Several servers on one database against one of them: what another process brings."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ostinato.cli.bench.documents import STEPS, sequence
from ostinato.cli.bench.inside import Run
from ostinato.cli.bench.load import burst
from ostinato.cli.bench.meter import Figures, Meter
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.served import until_ended
from ostinato.cli.bench.server import Server, ended

BATCH = 50
SENDERS = 2
"""Connections to each server."""
READY = 20.0
"""Seconds in which a server that has just come must take work."""
SETTLED = 3.0
"""Seconds in which servers that have just met share out what there is."""
_LOOK_AGAIN = 0.050

APP = """\
import time

from ostinato import App

app = App()


@app.handler()
def burn() -> None:
    until = time.thread_time() + 0.001
    while time.thread_time() < until:
        pass
"""


def compared(handler: str, count: Callable[[Scale], int]) -> Run:
    """One server, several, several, one: so a drift of the machine cancels."""

    async def run(place: Path, scale: Scale) -> Figures:
        runs = count(scale)
        (place / "fleet.py").write_text(_app(handler))
        found: dict[int, list[Figures]] = {1: [], scale.fleet: []}
        for servers in (1, scale.fleet, scale.fleet, 1):
            found[servers].append(await _measured(place, servers, runs, scale))
        one, many = _mean(found[1]), _mean(found[scale.fleet])
        return {
            "times_one": many["steps_per_second"] / one["steps_per_second"],
            **{f"{name}_of_one": value for name, value in one.items() if name != "peak_mib"},
            **many,
        }

    return run


def _app(handler: str) -> str:
    document = sequence("ten", handler, STEPS, on="START")
    return f"{APP}\napp.workflow_document({document!r})\n"


async def _measured(place: Path, count: int, runs: int, scale: Scale) -> Figures:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ended(Server(place, "fleet:app"))) for _ in range(count)]
        until_ready(servers, READY)
        await asyncio.sleep(min(SETTLED, scale.idle))
        await _done(servers, count * BATCH)
        meter = Meter(lambda: sum(each.commits() for each in servers), [s.pid for s in servers])
        await _done(servers, runs)
        return meter.rates("step", runs * STEPS, runs)


def until_ready(servers: Sequence[Server], seconds: float) -> None:
    """All of them take work. Raises ``RuntimeError`` when some still stand by."""
    until = time.monotonic() + seconds
    while idle := [each for each in servers if not each.ready()]:
        if time.monotonic() > until:
            told = f"{len(idle)} of {len(servers)} servers stand by: they take no work"
            raise RuntimeError(told)
        time.sleep(_LOOK_AGAIN)


async def _done(servers: Sequence[Server], runs: int) -> None:
    """All to their end; each server is sent as many."""
    before = servers[0].count("succeeded")
    events: list[Any] = [{"type": "START", "data": {"n": number}} for number in range(runs)]
    each = len(events) // len(servers)
    await asyncio.gather(
        *(
            burst(server, events[at * each : (at + 1) * each], BATCH, at_once=SENDERS)
            for at, server in enumerate(servers)
        )
    )
    until_ended(servers[0], before + each * len(servers))


def _mean(halves: Sequence[Figures]) -> Figures:
    return {name: sum(half[name] for half in halves) / len(halves) for name in halves[0]}
