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

WORKERS = 3
LEASE = ("lease",)
"""Words of the statements that keep a process known to the others."""


async def queries(place: Path, scale: Scale) -> Figures:
    """Of a server alone, and of one that workers have come to over HTTP."""
    documents = place / "documents"
    write(documents, [sequence("light", "fibonacci", 1)])
    async with (
        Tap(store_at(place)) as tap,
        aside(lambda: Server(place, str(documents), tap.url)) as server,
    ):
        alone = await _watched(tap, server, scale.quiet)
        async with contextlib.AsyncExitStack() as crew:
            for _ in range(WORKERS):
                await crew.enter_async_context(aside(lambda: worker(place, server, 10)))
            crowded = await _watched(tap, server, scale.quiet)
    return {
        **alone,
        "queries_per_second_with_workers": crowded["queries_per_second"],
        "peak_mib": server.peak_mib,
    }


async def _watched(tap: Tap, server: Server, seconds: float) -> Figures:
    await asyncio.sleep(min(3.0, seconds))  # what a start costs is over
    said, lease, begun = tap.said.total(), tap.about(*LEASE), Meter(lambda: 0, [server.pid])
    await asyncio.sleep(seconds)
    said, lease, taken = tap.said.total() - said, tap.about(*LEASE) - lease, begun.seconds
    return {
        "queries_per_second": (said - lease) / taken,
        "lease_queries_per_second": lease / taken,
        "cpu_ms_per_s": begun.cpu / taken * 1000,
    }
