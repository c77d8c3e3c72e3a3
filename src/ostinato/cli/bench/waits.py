"""Workloads about being woken: by a timer that is due, and by the event that one run waits for."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from ostinato.app import App
from ostinato.cli.bench.documents import until, waiting
from ostinato.cli.bench.inside import finish, meter, opened
from ostinato.cli.bench.meter import Figures, percentiles
from ostinato.cli.bench.scale import Scale
from ostinato.ports import RunQuery

AHEAD = 100
"""Milliseconds from the start of a run to the instant it waits for."""
BATCH = 1_000


async def timers(place: Path, scale: Scale) -> Figures:
    """How late a job begins that stands behind a wait, in a process that does nothing else."""
    late: list[float] = []
    async with opened(place) as app:

        @app.handler("mark")
        async def mark(at: int) -> None:
            late.append(time.time() - at / 1000)

        await app.deploy(until("alarm", "mark"))
        begun = meter(app)
        for _ in range(scale.alarms):
            await finish(app, "alarm", at=int(time.time() * 1000) + AHEAD)
        costs = begun.costs("run", scale.alarms, scale.alarms)
    return {"max_ms": max(late) * 1000, **percentiles(late), **costs}


async def found(place: Path, scale: Scale) -> Figures:
    """From an event to the job behind the wait of the one run that it continues, among many."""
    heard: asyncio.Queue[int] = asyncio.Queue()
    async with opened(place) as app:

        @app.handler("heard")
        async def hear(n: int) -> None:
            heard.put_nowait(n)

        await app.deploy(waiting("waiting", "WAIT", then="heard"))
        await _crowd(app, scale.waiting)
        taken, begun = [], meter(app)
        for each in range(scale.found):
            number, start = each * scale.waiting // scale.found, begun.seconds
            await app.emit("GO", {"n": number})
            if await heard.get() != number:
                raise RuntimeError("another run was continued")
            taken.append(begun.seconds - start)
        costs = begun.costs("event", scale.found, scale.found)
    return {**percentiles(taken), "max_ms": max(taken) * 1000, **costs}


async def _crowd(app: App, count: int) -> None:
    """So many runs that wait; most of them are in the store alone."""
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        await asyncio.gather(*(app.start("waiting", n=n) for n in numbers))
    there = await app.count_runs(RunQuery(status=("waiting",)))
    if there != count:
        raise RuntimeError(f"{there} of {count} runs wait")
