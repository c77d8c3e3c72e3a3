"""Workloads on an App in this process: a program that uses Ostinato as a library.

Nothing in the engine knows that it is being measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from statistics import median
from typing import Any

from ostinato.app import App
from ostinato.cli.bench.documents import FAN, LIGHT, STEPS, fan, sequence
from ostinato.cli.bench.meter import Figures, Meter, percentiles
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.server import store_at
from ostinato.config import Settings

Run = Callable[[Path, Scale], Coroutine[Any, Any, Figures]]

PAUSE = 0.010
"""Seconds: the longest that a handler of W1b waits."""
LIGHT_ONE, HEAVY_ONE = 10, 33
"""Whose Fibonacci number W5 computes."""


def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


@contextlib.asynccontextmanager
async def opened(place: Path) -> AsyncIterator[App]:
    """With the handlers; one run has been, so nothing of the first use is measured."""
    app = App(Settings(store=store_at(place)))
    chance = random.Random(0)

    @app.handler("pause")
    async def pause() -> None:
        await asyncio.sleep(chance.random() * PAUSE)

    app.handler("fibonacci")(fibonacci)
    async with app:
        await app.deploy(sequence("one-noop", "noop", 1))
        await finish(app, "one-noop")
        yield app


async def finish(app: App, workflow: str, **given: Any) -> None:
    await (await app.start(workflow, input=given)).result()


def meter(app: App) -> Meter:
    return Meter(lambda: app.health()["commits"])


def side_by_side(handler: str, count: Callable[[Scale], int], at_once: int | None = None) -> Run:
    """So many runs of ten steps, ``at_once`` at a time, or all of them."""

    async def run(place: Path, scale: Scale) -> Figures:
        runs = count(scale)
        width = min(at_once or runs, runs)
        async with opened(place) as app:
            await app.deploy(sequence("ten", handler, STEPS))
            begun = meter(app)
            await asyncio.gather(*(_some(app, "ten", runs // width) for _ in range(width)))
            done = runs // width * width
            return begun.rates("step", done * STEPS, done)

    return run


async def _some(app: App, workflow: str, runs: int) -> None:
    for _ in range(runs):
        await finish(app, workflow)


async def fans(place: Path, scale: Scale) -> Figures:
    async with opened(place) as app:
        await app.deploy(fan("fan", "noop"))
        items = list(range(FAN))
        await finish(app, "fan", items=items)
        taken, begun = [], meter(app)
        for _ in range(scale.fans):
            start = begun.seconds
            await finish(app, "fan", items=items)
            taken.append(begun.seconds - start)
        rates = begun.rates("step", scale.fans * FAN, scale.fans)
        return {"p50_ms": median(taken) * 1000, "max_ms": max(taken) * 1000, **rates}


async def latency(place: Path, scale: Scale) -> Figures:
    async with opened(place) as app:
        taken, begun = [], meter(app)
        for _ in range(scale.calls):
            start = begun.seconds
            await finish(app, "one-noop")
            taken.append(begun.seconds - start)
        return {**percentiles(taken), **begun.costs("run", scale.calls, scale.calls)}


async def burst(place: Path, scale: Scale) -> Figures:
    async with opened(place) as app:
        begun, accepted = meter(app), 0.0

        async def one() -> None:
            nonlocal accepted
            run = await app.start("one-noop")
            accepted = begun.seconds
            await run.result()

        await asyncio.gather(*(one() for _ in range(scale.starts)))
        rates = begun.rates("run", scale.starts, scale.starts)
        return {**rates, "accepted_per_second": scale.starts / accepted}


async def light(place: Path, scale: Scale) -> Figures:
    async with opened(place) as app:
        await app.deploy(sequence("light", "fibonacci", LIGHT, given={"n": LIGHT_ONE}))
        await finish(app, "light")
        taken, begun = [], meter(app)
        for _ in range(scale.flows):
            start = begun.seconds
            await finish(app, "light")
            taken.append(begun.seconds - start)
        costs = begun.costs("step", scale.flows * LIGHT, scale.flows)
        return {"makespan_ms": median(taken) * 1000, "max_ms": max(taken) * 1000, **costs}


async def heavy(place: Path, scale: Scale) -> Figures:
    """The bare loop stands half before and half behind, so that a drift of the machine cancels."""
    async with opened(place) as app:
        count = scale.heavy
        await app.deploy(sequence("heavy", "fibonacci", count, given={"n": HEAVY_ONE}))
        bare, bare_cpu = _bare(count // 2)
        begun = meter(app)
        await finish(app, "heavy")
        taken, cpu, costs = begun.seconds, begun.cpu, begun.costs("step", count, 1)
        more, more_cpu = _bare(count - count // 2)
        bare, bare_cpu = bare + more, bare_cpu + more_cpu
        times = {"times_bare_cpu": cpu / bare_cpu, "times_bare": taken / bare}
        return {**times, "makespan_ms": taken * 1000, **costs}


def _bare(count: int) -> tuple[float, float]:
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        fibonacci(HEAVY_ONE)
    return time.perf_counter() - begun, time.process_time() - cpu
