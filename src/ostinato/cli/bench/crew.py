"""Workloads of a server and a worker: each job goes there and comes back over HTTP."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from statistics import median

from ostinato.cli.bench.documents import LIGHT, sequence
from ostinato.cli.bench.inside import LIGHT_ONE, Run
from ostinato.cli.bench.load import Caller, request
from ostinato.cli.bench.meter import Figures, Meter
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.server import Process, Server, ended, serving

APP = """\
from ostinato import App

app = App()


@app.handler()
def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
"""


def worker(place: Path, server: Server, concurrency: int) -> Process:
    (place / "crew.py").write_text(APP)
    url = f"http://{server.host}:{server.port}"
    return Process(place, "worker", "crew:app", "--url", url, "--concurrency", str(concurrency))


def light(concurrency: int) -> Run:
    """The server has no such handler; the worker has, and is a process of its own."""

    async def run(place: Path, scale: Scale) -> Figures:
        document = sequence("light", "fibonacci", LIGHT, given={"n": LIGHT_ONE})
        with (
            serving(place, place / "documents", [document]) as server,
            ended(worker(place, server, concurrency)) as other,
            contextlib.closing(Caller(server)) as caller,
        ):
            start = request("/runs?wait=60s", b'{"workflow":"light"}')
            _finish(caller, start)
            begun, taken = Meter(server.commits, [server.pid, other.pid]), []
            for _ in range(scale.flows):
                sent = time.perf_counter()
                _finish(caller, start)
                taken.append(time.perf_counter() - sent)
            costs = begun.costs("step", scale.flows * LIGHT, scale.flows)
            return {"makespan_ms": median(taken) * 1000, "max_ms": max(taken) * 1000, **costs}

    return run


def _finish(caller: Caller, start: bytes) -> None:
    if b'"succeeded"' not in caller.call(start, 201):
        raise RuntimeError("a run has not succeeded")
