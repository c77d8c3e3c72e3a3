"""Workloads about what must not grow: the cost of a step, memory, the weight of what waits."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from statistics import median

from ostinato.cli.bench.documents import LONG, mapped, sequence, waiting
from ostinato.cli.bench.inside import finish, meter, opened
from ostinato.cli.bench.load import burst
from ostinato.cli.bench.meter import Figures, cpu_of, memory_mib
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.server import Server, serving

EARLY, LATE, AROUND = 10, 1_000, 5
"""The steps whose cost is compared; each is the mean of those around it."""
CROWD = 1_000
"""Runs at once, where the number at once is not what is measured."""
BATCH = 100
AT_ONCE = 100
"""Items of a list at a time."""


async def length(place: Path, scale: Scale) -> Figures:
    marks: list[int] = []
    async with opened(place) as app:

        @app.handler("mark")
        async def mark() -> None:
            marks.append(time.process_time_ns())

        await app.deploy(sequence("long", "mark", LONG))
        early, late, begun = [], [], meter(app)
        for _ in range(scale.long):
            marks.clear()
            await finish(app, "long")
            early.append(_cost(marks, EARLY))
            late.append(_cost(marks, LATE))
        costs = begun.costs("step", scale.long * LONG, scale.long)
    step = {"cpu_us_step_10": median(early), "cpu_us_step_1000": median(late)}
    return {"times_step_10": median(late) / median(early), **step, **costs}


async def items(place: Path, scale: Scale) -> Figures:
    """What the last items of a long list cost beside the first, and the memory of its halves."""
    marks: list[int] = []
    sizes: list[float] = []
    half = scale.items // 2
    async with opened(place) as app:

        @app.handler("mark")
        async def mark() -> None:
            if len(marks) in (0, half, scale.items - 1):
                sizes.append(memory_mib())
            marks.append(time.process_time_ns())

        await app.deploy(mapped("items", "mark", AT_ONCE))
        begun = meter(app)
        await finish(app, "items", items=list(range(scale.items)))
        costs = begun.costs("item", scale.items, 1)
    few = max(1, scale.items // 10)
    early, late = (marks[few] - marks[0]) / few, (marks[-1] - marks[-1 - few]) / few
    first, second = ((sizes[at + 1] - sizes[at]) / half * 1024 for at in (0, 1))
    cpu = {"cpu_us_early": early / 1000, "cpu_us_late": late / 1000}
    return {"times_early": late / early, **cpu, "kib_first": first, "kib_second": second, **costs}


def _cost(marks: list[int], step: int) -> float:
    """µs of CPU."""
    return (marks[step + AROUND] - marks[step - AROUND]) / (2 * AROUND) / 1000


async def memory(place: Path, scale: Scale) -> Figures:
    """The first half fills what is kept on purpose: pages of the store, its buffers."""
    samples, tenth_of = [], scale.ended // 10
    crowd = min(CROWD, tenth_of)
    async with opened(place) as app:
        begun = meter(app)
        for _ in range(10):
            for _ in range(tenth_of // crowd):
                await asyncio.gather(*(finish(app, "one-noop") for _ in range(crowd)))
            samples.append(memory_mib())
        done = 10 * (tenth_of // crowd) * crowd
        rates = begun.rates("run", done, done)
    first, half, last = samples[0], samples[4], samples[-1]
    growth = {"times_half": last / half, "tenth_mib": first, "half_mib": half, "last_mib": last}
    return {**growth, **rates}


async def asleep(place: Path, scale: Scale) -> Figures:
    """A server with so many waiting runs is stopped, started again, and left alone."""
    documents = place / "documents"
    with serving(place, documents, [waiting("waiting", "WAIT")]) as empty:
        none = await _rest(empty, scale.idle)
        await burst(empty, _waiters(scale.waiting), BATCH, at_once=4)
    with serving(place, documents, []) as full:
        some = await _rest(full, scale.idle)
        there = full.count("waiting")
    if there != scale.waiting:
        raise RuntimeError(f"{there} of {scale.waiting} runs wait")
    return {
        "start_s": full.started_in,
        "start_empty_s": empty.started_in,
        "idle_cpu_ms_per_s": some * 1000,
        "idle_cpu_empty_ms_per_s": none * 1000,
        "peak_mib": full.peak_mib,
        "waiting_runs": there,
    }


def _waiters(count: int) -> list[dict[str, object]]:
    return [{"type": "WAIT", "data": {"n": number}} for number in range(count)]


async def _rest(server: Server, seconds: float) -> float:
    """CPU seconds per second of doing nothing."""
    await asyncio.sleep(1)  # what the start itself costs is over
    before = cpu_of(server.pid)
    await asyncio.sleep(seconds)
    return (cpu_of(server.pid) - before) / seconds
