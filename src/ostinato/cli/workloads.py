"""The workloads that ``bench`` measures, each through App on a SQLite file of its own.

A workload is a function of (app, scale) that gives figures by name, the one that counts first.
Nothing in the engine knows that it is being measured.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ostinato.app import App
from ostinato.config import Settings

Figures = dict[str, float]

STEPS = 10
PAUSE = 0.010
"""Seconds: the longest that a handler of W1b waits."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many runs one round takes: ``runs`` W1, ``waits`` W1b, ``calls`` W3, ``starts`` W4."""

    runs: int = 500
    waits: int = 1_200
    calls: int = 200
    starts: int = 10_000

    @property
    def quick(self) -> Scale:
        return Scale(self.runs // 10, self.waits // 2, self.calls // 10, self.starts // 10)


@dataclass(frozen=True, slots=True)
class Workload:
    """``unit`` is that of the first figure; ``less`` says that less of it is better."""

    template: str
    unit: str
    run: Callable[[App, Scale], Awaitable[Figures]]
    less: bool = False

    def about(self, scale: Scale) -> str:
        return self.template.format(**asdict(scale))


def measure(workload: Workload, scale: Scale, folder: Path) -> Figures:
    """One round, on a new file below ``folder``: the disk there is what is measured."""
    with tempfile.TemporaryDirectory(prefix=".ostinato-bench-", dir=folder) as place:
        gc.collect()
        return asyncio.run(_measure(workload, scale, Path(place) / "bench.db"))


async def _measure(workload: Workload, scale: Scale, file: Path) -> Figures:
    app = App(Settings(store=f"sqlite:///{file}"))
    chance = random.Random(0)

    @app.handler("pause")
    async def pause() -> None:
        await asyncio.sleep(chance.random() * PAUSE)

    async with app:
        await app.deploy(_document("ten-noops", "noop", STEPS))
        await app.deploy(_document("ten-pauses", "pause", STEPS))
        await app.deploy(_document("one-noop", "noop", 1))
        await _finish(app, "one-noop")  # nothing of the first use is measured
        return await workload.run(app, scale)


def _document(name: str, handler: str, jobs: int) -> dict[str, object]:
    return {
        "workflow": name,
        "phases": [
            {
                "phase": "work",
                "mode": "sequential",
                "jobs": [{"job": f"job{number}", "run": handler} for number in range(jobs)],
            }
        ],
    }


async def _finish(app: App, workflow: str) -> None:
    await (await app.start(workflow)).result()


class _Meter:
    """Time, CPU time of all threads, and commits since it was made."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._commits = app.health()["commits"]
        self._cpu = time.process_time()
        self._begun = time.perf_counter()

    def rates(self, name: str, count: int) -> Figures:
        seconds = time.perf_counter() - self._begun
        cpu = time.process_time() - self._cpu
        return {
            f"{name}s_per_second": count / seconds,
            f"cpu_us_per_{name}": cpu / count * 1e6,
            "commits": self._app.health()["commits"] - self._commits,
        }

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun


async def _side_by_side(app: App, workflow: str, at_once: int, runs: int) -> Figures:
    async def some() -> None:
        for _ in range(runs // at_once):
            await _finish(app, workflow)

    meter = _Meter(app)
    await asyncio.gather(*(some() for _ in range(at_once)))
    return meter.rates("step", runs // at_once * at_once * STEPS)


async def _sequential(app: App, scale: Scale) -> Figures:
    return await _side_by_side(app, "ten-noops", scale.runs, scale.runs)


async def _few_that_wait(app: App, scale: Scale) -> Figures:
    return await _side_by_side(app, "ten-pauses", 50, scale.waits)


async def _many_that_wait(app: App, scale: Scale) -> Figures:
    return await _side_by_side(app, "ten-pauses", 600, scale.waits)


async def _latency(app: App, scale: Scale) -> Figures:
    taken = []
    for _ in range(scale.calls):
        meter = _Meter(app)
        await _finish(app, "one-noop")
        taken.append(meter.seconds * 1000)
    taken.sort()
    return {f"p{part}_ms": taken[len(taken) * part // 100] for part in (50, 95, 99)}


async def _burst(app: App, scale: Scale) -> Figures:
    meter = _Meter(app)
    accepted = 0.0

    async def one() -> None:
        nonlocal accepted
        run = await app.start("one-noop")
        accepted = meter.seconds
        await run.result()

    await asyncio.gather(*(one() for _ in range(scale.starts)))
    rates = meter.rates("run", scale.starts)
    return rates | {"accepted_per_second": scale.starts / accepted}


WORKLOADS: dict[str, Workload] = {
    "W1": Workload("{runs:,} runs of 10 no-op steps, all at once", "steps/s", _sequential),
    "W1b-50": Workload(
        "{waits:,} runs, 50 at once, of 10 steps that wait 0–10 ms", "steps/s", _few_that_wait
    ),
    "W1b-600": Workload(
        "{waits:,} runs, 600 at once, of 10 steps that wait 0–10 ms", "steps/s", _many_that_wait
    ),
    "W3": Workload(
        "{calls:,} runs of one step, one after the other", "ms p50", _latency, less=True
    ),
    "W4": Workload("{starts:,} runs of one step, all at once", "runs/s completed", _burst),
}
