"""How late the engine's loop turns while handlers compute: alone, in processes, in threads.

    python benchmarks/loop_lag.py [SECONDS] [ROUNDS]

While as many handlers as there are cores compute fibonacci(30) again and again, runs of ten no-op
steps go on, one after the other, every step on the disk. A probe asks the loop for a turn every
5 ms and notes how long after that it comes. Each mode is measured in turn in every round, in an
app and a file of its own; the last line is JSON. Files are in the working directory.
"""

import asyncio
import json
import os
import sys
import tempfile
import time

from ostinato import App
from ostinato.config import Settings
from ostinato.config.settings import SlotSettings

CORES = len(os.sched_getaffinity(0))
EVERY = 0.005
WARM = 2.0
"""Seconds before the probe begins: processes are made meanwhile."""

MODES = ("alone", "process", "thread")


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def computed(n: int) -> int:
    return fibonacci(n)


def document(name, *jobs):
    phase = {"phase": "p", "mode": "sequential", "jobs": list(jobs)}
    return {"workflow": name, "phases": [phase]}


NOOPS = document("noops", *({"job": f"j{n}", "run": "noop"} for n in range(10)))
HEAVY = document("heavy", {"job": "j", "run": "fibonacci", "with": {"n": 30}})


async def again_and_again(app, name, until, counts):
    while time.monotonic() < until:
        await (await app.start(name)).result(60)
        counts[name] = counts.get(name, 0) + 1


async def probe(until, late):
    loop = asyncio.get_running_loop()
    await asyncio.sleep(WARM)
    while time.monotonic() < until:
        due = loop.time() + EVERY
        await asyncio.sleep(EVERY)
        late.append(max(0.0, loop.time() - due))


async def measured(mode, seconds, folder):
    store = f"sqlite:///{folder}/{mode}-{time.monotonic_ns()}.db"
    app = App(Settings(store=store, slots=SlotSettings(threads=CORES, processes=CORES)))
    app.handler("fibonacci", process=mode == "process")(computed)
    async with app:
        await app.deploy(NOOPS)
        await app.deploy(HEAVY)
        until, late, counts = time.monotonic() + WARM + seconds, [], {}
        heavy = 0 if mode == "alone" else CORES
        await asyncio.gather(
            probe(until, late),
            again_and_again(app, "noops", until, counts),
            *(again_and_again(app, "heavy", until, counts) for _ in range(heavy)),
        )
        health = app.health()
    late.sort()
    return {
        "p50": round(late[len(late) // 2] * 1000, 2),
        "p99": round(late[len(late) * 99 // 100] * 1000, 2),
        "max": round(late[-1] * 1000, 2),
        "looks": len(late),
        "steps_s": round(counts["noops"] * 10 / (WARM + seconds)),
        "fibonacci_s": round(counts.get("heavy", 0) / (WARM + seconds), 1),
        "metric_p99": health.get("loopLagP99Ms"),
    }


async def main(seconds, rounds):
    found = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for _ in range(rounds):
            for mode in MODES:
                figures = await measured(mode, seconds, folder)
                found[mode].append(figures)
                print(f"{mode:8}", figures, flush=True)
    print(json.dumps({"cores": CORES, "load": os.getloadavg(), "ms": found}))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    asyncio.run(main(*(given + [10, 3][len(given) :])))
