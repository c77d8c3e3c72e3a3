"""Where each microsecond of a workload goes: python -m benchmarks.profile W1 [ROUNDS].

samples  Every few milliseconds of CPU time the place where Python stands is noted, so what is
         measured is not slowed down by being measured. What C code takes is counted for the
         Python function that called it, the store's writer thread for whatever the loop was at.
opcodes  Every instruction of Python's is counted, in two small rounds of which one has more of
         the work; the difference is what the work costs. This does not depend on the machine or
         on what else it does: compare these before and after a change.

W4-http and W4-http-100 are sampled in a server in this process, sent to by another one.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any

import uvicorn

from ostinato.app import App
from ostinato.cli.bench.documents import sequence
from ostinato.cli.bench.load import burst
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.workloads import WORKLOADS
from ostinato.config import Settings

SOURCE = str(Path(__file__).parents[1] / "src" / "ostinato") + "/"
INTERVAL = 0.001
SHOWN = 40

SERVED = {"W4-http": (1, 64), "W4-http-100": (100, 4)}
"""Events a request, and connections."""
SENT = 5_000

Counts = Counter[CodeType]


@contextmanager
def sampling() -> Iterator[Counts]:
    """Counts the innermost Python function at every tick of CPU time."""
    counts: Counts = Counter()

    def note(number: int, frame: FrameType | None) -> None:
        if frame is not None:
            counts[frame.f_code] += 1

    signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        yield counts
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def counting() -> Iterator[tuple[Counts, Counts]]:
    """Counts instructions and calls of every Python function in this thread."""
    opcodes: Counts = Counter()
    calls: Counts = Counter()

    def within(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "opcode":
            opcodes[frame.f_code] += 1
        return within

    def enter(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        calls[frame.f_code] += 1
        return within

    sys.settrace(enter)
    try:
        yield opcodes, calls
    finally:
        sys.settrace(None)


def profile(name: str, rounds: int) -> None:
    workload = WORKLOADS[name]
    print(f"{name}: {workload.about(replace(Scale(), starts=SENT))}")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs")
    unit = "step" if "step" in workload.unit or name in ("W2", "W5-light") else "run"
    if name in SERVED:
        samples, cost = _sampled_server(rounds, *SERVED[name])
    else:
        samples, cost = _sampled(name, rounds, unit)
    print(f"\nSamples: {samples.total():,} of them; {cost:.1f} µs CPU per {unit}\n")
    _table(samples, cost / samples.total(), "µs")
    if name not in SERVED:
        _print_opcodes(name, unit)


# -- samples -----------------------------------------------------------------------------------


def _sampled(name: str, rounds: int, unit: str) -> tuple[Counts, float]:
    with sampling() as samples:
        costs = [_measured(name, Scale())[f"cpu_us_per_{unit}"] for _ in range(rounds)]
    return samples, sorted(costs)[len(costs) // 2]


def _measured(name: str, scale: Scale) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=".", prefix=".ostinato-profile-") as folder:
        return dict(asyncio.run(WORKLOADS[name].run(Path(folder), scale)))


def _sampled_server(rounds: int, batch: int, at_once: int) -> tuple[Counts, float]:
    with tempfile.TemporaryDirectory(dir=".", prefix=".ostinato-profile-") as folder:
        return asyncio.run(_served(Path(folder), rounds, batch, at_once))


async def _served(folder: Path, rounds: int, batch: int, at_once: int) -> tuple[Counts, float]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = App(Settings(store=f"sqlite:///{folder / 'profile.db'}"))
    config = uvicorn.Config(
        app.asgi(), log_config=None, access_log=False, lifespan="off", proxy_headers=False
    )
    server = uvicorn.Server(config)
    async with app:
        await app.deploy(sequence("one-noop", "noop", 1, on="START"))
        serving = asyncio.create_task(server.serve([listener]))
        port = listener.getsockname()[1]
        await _send(port, batch, at_once, 500)
        begun = time.process_time()
        with sampling() as samples:
            for _ in range(rounds):
                await _send(port, batch, at_once, SENT)
                await app.service.engine.drained.wait()
        cost = (time.process_time() - begun) / rounds / SENT * 1e6
        server.should_exit = True
        await serving
    return samples, cost


async def _send(port: int, batch: int, at_once: int, count: int) -> None:
    arguments = [str(number) for number in (port, batch, at_once, count)]
    sender = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.profile", "--send", *arguments
    )
    if await sender.wait():
        raise RuntimeError("the sender has failed")


def send(port: int, batch: int, at_once: int, count: int) -> None:
    where: Any = SimpleNamespace(host="127.0.0.1", port=port)
    events = [{"type": "START", "data": {"n": number}} for number in range(count)]
    asyncio.run(burst(where, events, batch, at_once=at_once))


# -- opcodes -----------------------------------------------------------------------------------

SMALL = Scale(runs=10, waits=50, crowd=2_000, fans=2, calls=20, starts=100, flows=2)
LARGE = Scale(runs=40, waits=200, crowd=4_000, fans=6, calls=60, starts=400, flows=6)
UNITS = {
    "W1": lambda scale: 10 * scale.runs,
    "W1b-50": lambda scale: 10 * scale.waits,
    "W1b-600": lambda scale: 10 * scale.waits,
    "W2": lambda scale: 100 * scale.fans,
    "W3": lambda scale: scale.calls,
    "W4": lambda scale: scale.starts,
}


def _print_opcodes(name: str, unit: str) -> None:
    if name not in UNITS:
        return
    few, many = _counted(name, SMALL), _counted(name, LARGE)
    count = UNITS[name](LARGE) - UNITS[name](SMALL)
    opcodes, calls = (more - less for more, less in zip(many, few, strict=True))
    print(
        f"\nOpcodes: {opcodes.total() / count:,.0f} and {calls.total() / count:,.1f} calls "
        f"per {unit}\n"
    )
    _table(opcodes, 1 / count, "opcodes", calls)


def _counted(name: str, scale: Scale) -> tuple[Counts, Counts]:
    with redirect_stderr(StringIO()), counting() as counts:
        _measured(name, scale)
    return counts


# -- tables ------------------------------------------------------------------------------------


def _table(counts: Counts, share: float, unit: str, calls: Counts | None = None) -> None:
    floors: Counter[str] = Counter()
    for code, count in counts.items():
        floors[_floor(code)] += count
    for floor, count in floors.most_common():
        print(f"{count * share:9,.2f} {unit} {count / counts.total():6.1%}  {floor}")
    print()
    for code, count in counts.most_common(SHOWN):
        often = "" if calls is None else f"{calls[code] * share:7.2f} calls"
        print(f"{count * share:9.2f} {unit} {often}  {_place(code)}")


def _floor(code: CodeType) -> str:
    file = code.co_filename
    if file.startswith(SOURCE):
        file = file.removeprefix(SOURCE)
        deep = next((one for one in ("core/decide", "core/fold") if file.startswith(one)), None)
        return deep or file.split("/")[0]
    package = next((one for one in ("asyncio", "uvicorn", "starlette") if one in file), None)
    return package or "other Python"


def _place(code: CodeType) -> str:
    file = code.co_filename
    short = (
        file.removeprefix(SOURCE) if file.startswith(SOURCE) else "/".join(Path(file).parts[-2:])
    )
    return f"{short} {code.co_qualname}"


if __name__ == "__main__":
    if sys.argv[1] == "--send":
        send(*map(int, sys.argv[2:]))
    else:
        profile(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10)
