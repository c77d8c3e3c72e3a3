"""Workloads over HTTP: a client in this process, a server in another, as people deploy it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from ostinato.cli.bench.documents import sequence
from ostinato.cli.bench.inside import Run
from ostinato.cli.bench.load import Caller, burst, request
from ostinato.cli.bench.meter import Figures, Meter, cpu_of, percentiles
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.server import Server, serving

SENDERS = 64
"""Connections that send single events at once."""
BATCHERS = 4
"""Connections that send batches at once."""
_LOOK_AGAIN = 0.010
"""Seconds between two looks at whether all runs have ended."""


@contextlib.contextmanager
def _server(place: Path) -> Iterator[tuple[Server, Caller]]:
    """One run has been, so nothing of the first use is measured."""
    with serving(
        place, place / "documents", [sequence("one-noop", "noop", 1, on="START")]
    ) as server:
        caller = Caller(server)
        try:
            caller.call(request("/runs?wait=30s", b'{"workflow":"one-noop"}'), 201)
            yield server, caller
        finally:
            caller.close()


async def latency(place: Path, scale: Scale) -> Figures:
    start = request("/runs?wait=30s", b'{"workflow":"one-noop"}')
    with _server(place) as (server, caller):
        begun, taken = Meter(server.commits, [server.pid]), []
        for _ in range(scale.calls):
            sent = begun.seconds
            if b'"succeeded"' not in caller.call(start, 201):
                raise RuntimeError("a run has not succeeded")
            taken.append(begun.seconds - sent)
        return {**percentiles(taken), **begun.costs("run", scale.calls, scale.calls)}


def until_ended(server: Server, runs: int) -> None:
    """So many of all that there are."""
    while server.count("succeeded") < runs:
        time.sleep(_LOOK_AGAIN)


def acceptance(batch: int, at_once: int) -> Run:
    """Events that start a run each; accepted is what the server has answered 202 for."""

    async def run(place: Path, scale: Scale) -> Figures:
        events = [{"type": "START", "data": {"n": number}} for number in range(scale.starts)]
        with _server(place) as (server, _):
            begun, cpu = Meter(server.commits, [server.pid]), cpu_of(server.pid)
            taken = await burst(server, events, batch, at_once=at_once)
            accepted = begun.seconds
            until_ended(server, scale.starts + 1)
            rates = begun.rates("run", scale.starts, scale.starts)
            return {
                "accepted_per_second": scale.starts / accepted,
                **rates,
                "server_cpu_us_per_run": (cpu_of(server.pid) - cpu) / scale.starts * 1e6,
                **percentiles(taken),
            }

    return run
