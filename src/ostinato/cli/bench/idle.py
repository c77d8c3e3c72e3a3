"""What a server asks of its database while there is nothing to do."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from ostinato.cli.bench.crew import worker
from ostinato.cli.bench.documents import sequence
from ostinato.cli.bench.meter import Figures, Meter
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.server import Server, aside, store_at, write
from ostinato.cli.bench.tap import Tap

WORKERS = (1, 4)
"""With one, somebody waits for jobs, and the slow look for them begins; more add nothing."""

SLOW = "FROM mail"
"""Words of the slow look at the store: each window begins behind one, so that all hold as many."""

PERIOD = 15.0
"""Seconds between two of them."""

LEASE = ("lease",)
"""Words of the statements that keep a process known to the others."""


async def queries(place: Path, scale: Scale) -> Figures:
    """Of a server alone, and of one that one worker, then more, have come to over HTTP."""
    documents = place / "documents"
    write(documents, [sequence("light", "fibonacci", 1)])
    async with (
        Tap(store_at(place)) as tap,
        aside(lambda: Server(place, str(documents), tap.url)) as server,
    ):
        alone = await _watched(tap, server, scale.quiet)
        crowded = []
        async with contextlib.AsyncExitStack() as crew:
            for count, more in zip(WORKERS, (WORKERS[0], WORKERS[1] - WORKERS[0]), strict=True):
                for _ in range(more):
                    await crew.enter_async_context(aside(lambda: worker(place, server, 10)))
                watched = await _watched(tap, server, scale.quiet)
                crowded.append((count, watched["queries_per_second"]))
    (few, first), (many, last) = crowded
    return {
        **alone,
        "queries_per_second_with_workers": last,
        "queries_per_second_a_worker": round((last - first) / (many - few), 3),
        "peak_mib": server.peak_mib,
    }


async def _watched(tap: Tap, server: Server, seconds: float) -> Figures:
    await asyncio.sleep(min(3.0, seconds))  # what a start costs is over
    if seconds > PERIOD:
        await tap.heard(SLOW, 1)
    said, lease, begun = tap.said.total(), tap.about(*LEASE), Meter(lambda: 0, [server.pid])
    await asyncio.sleep(seconds)
    said, lease, taken = tap.said.total() - said, tap.about(*LEASE) - lease, begun.seconds
    return {
        "queries_per_second": (said - lease) / taken,
        "lease_queries_per_second": lease / taken,
        "cpu_ms_per_s": begun.cpu / taken * 1000,
    }
