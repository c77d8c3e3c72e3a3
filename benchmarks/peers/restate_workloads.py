"""Workloads on Restate, as it comes: python restate_workloads.py WORKLOAD COUNT FOLDER.

Three processes: the server (the binary that RESTATE_SERVER names), the services of this file in
hypercorn, and this one, which sends over HTTP. The last line is the figures as JSON. Imports
nothing of Ostinato; `ostinato bench --peer restate` runs it in an environment made of
requirements/restate.txt.

A step is a `ctx.run`: it is in the server's log before the next one starts. Steps that wait for
nothing are coroutines, so that they need no threads; those that compute are plain functions.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import hypercorn
import restate
from figures import Meter, bare_loop, fibonacci, percentiles
from hypercorn.asyncio import serve

STEPS, FAN, LIGHT = 10, 100, 40
PAUSE = 0.010  # seconds
SENDERS = 64
"""Connections at once, where the number of runs at once is not what is measured."""
PATIENCE = 60.0

# -- what is measured

bench = restate.Service("bench")
chance = random.Random(0)


async def noop():
    pass


async def pause():
    await asyncio.sleep(chance.random() * PAUSE)


@bench.handler()
async def ten(ctx: restate.Context) -> None:
    for number in range(STEPS):
        await ctx.run_typed(f"step{number}", noop)


@bench.handler()
async def one(ctx: restate.Context) -> None:
    await ctx.run_typed("step", noop)


@bench.handler()
async def ten_pauses(ctx: restate.Context) -> None:
    for number in range(STEPS):
        await ctx.run_typed(f"step{number}", pause)


@bench.handler()
async def fan(ctx: restate.Context) -> None:
    await restate.gather(*(ctx.run_typed(f"step{number}", noop) for number in range(FAN)))


@bench.handler()
async def flow(ctx: restate.Context, given: dict) -> None:
    for number in range(given["count"]):
        await ctx.run_typed(f"step{number}", fibonacci, n=given["n"])


def serve_services(listener):
    config = hypercorn.Config()
    config.bind = [f"fd://{listener}"]
    config.loglevel = "ERROR"
    asyncio.run(serve(restate.app([bench]), config))


# -- a client: HTTP/1.1 on connections that stay open


class Connection:
    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def ask(self, method, path, body=None):
        """Status and body."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        text = b"" if body is None else json.dumps(body).encode()
        kind = "content-type: application/json\r\n" if body is not None else ""
        head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\n{kind}content-length: {len(text)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + text)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        members = dict(line.split(": ", 1) for line in lines[1:] if line)
        if "chunked" in members.get("transfer-encoding", ""):
            answer = await self._chunks()
        else:
            answer = await self.reader.readexactly(int(members.get("content-length", 0)))
        return int(lines[0].split()[1]), answer

    async def _chunks(self):
        parts = []
        while size := int(await self.reader.readline(), 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(parts)

    async def call(self, path, body=None, method="POST"):
        status, answer = await self.ask(method, path, body)
        if status not in (200, 201, 202):
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return answer

    def close(self):
        if self.writer is not None:
            self.writer.close()


class Restate:
    def __init__(self, ingress, others):
        self.ingress, self.others = ingress, others
        self.line = Connection(ingress)

    def meter(self):
        return Meter(self.others)

    async def each(self, count, width, what):
        """``what`` with a connection and a number, ``width`` at once; their answers in order."""
        numbers, answers = iter(range(count)), [None] * count

        async def some():
            connection = Connection(self.ingress)
            for number in numbers:
                answers[number] = await what(connection, number)
            connection.close()

        await asyncio.gather(*(some() for _ in range(min(width, count))))
        return answers


# -- workloads


async def at_once(there, workflow, count, name, steps):
    """All are sent, then all are waited for: more runs a second than by calls that wait."""
    meter = there.meter()

    async def send(connection, number):
        return json.loads(await connection.call(f"/bench/{workflow}/send"))["invocationId"]

    async def attach(connection, number):
        await connection.call(f"/restate/invocation/{ids[number]}/attach", method="GET")

    ids = await there.each(count, SENDERS, send)
    accepted = meter.seconds
    await there.each(count, SENDERS, attach)
    figures = meter.rates(name, count * steps, count)
    return figures if steps > 1 else {**figures, "accepted_per_second": count / accepted}


def waiting(width):
    async def measured(there, count):
        async def wait(connection, number):
            await connection.call("/bench/ten_pauses")

        meter = there.meter()
        await there.each(count, width, wait)
        return meter.rates("step", count * STEPS, count)

    return measured


async def times(there, count, path, body=None):
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        await there.line.call(path, body)
        taken.append(time.perf_counter() - begun)
    return taken


async def fans(there, count):
    await there.line.call("/bench/fan")
    meter = there.meter()
    taken = await times(there, count, "/bench/fan")
    rates = meter.rates("step", count * FAN, count)
    return {"p50_ms": median(taken) * 1000, "max_ms": max(taken) * 1000, **rates}


async def one_by_one(there, count):
    meter = there.meter()
    taken = await times(there, count, "/bench/one")
    return {**percentiles(taken), **meter.costs("run", count, count)}


async def light(there, count):
    body = {"count": LIGHT, "n": 10}
    await there.line.call("/bench/flow", body)
    meter = there.meter()
    taken = await times(there, count, "/bench/flow", body)
    costs = meter.costs("step", count * LIGHT, count)
    return {"makespan_ms": median(taken) * 1000, "max_ms": max(taken) * 1000, **costs}


async def heavy(there, count):
    bare, bare_cpu = bare_loop(count // 2)
    meter = there.meter()
    await there.line.call("/bench/flow", {"count": count, "n": 33})
    taken, cpu = meter.seconds, meter.cpu
    costs = meter.costs("step", count, 1)
    more, more_cpu = bare_loop(count - count // 2)
    bare, bare_cpu = bare + more, bare_cpu + more_cpu
    figures = {"times_bare_cpu": cpu / bare_cpu, "times_bare": taken / bare}
    return {**figures, "makespan_ms": taken * 1000, **costs}


WORKLOADS = {
    "W1": lambda there, count: at_once(there, "ten", count, "step", STEPS),
    "W1b-50": waiting(50),
    "W1b-600": waiting(600),
    "W2": fans,
    "W3": one_by_one,
    "W4": lambda there, count: at_once(there, "one", count, "run", 1),
    "W5-light": light,
    "W5-heavy": heavy,
}


# -- its processes


def free_ports(count):
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in found]


def start_server(folder, fabric, admin, ingress):
    """Settings as they come; it listens on this machine alone, and tells nobody that it ran."""
    settings = {
        "RESTATE_BASE_DIR": str(Path(folder).resolve() / "restate"),
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_IP": "127.0.0.1",
        "RESTATE_BIND_PORT": str(fabric),
        "RESTATE_ADMIN__BIND_PORT": str(admin),
        "RESTATE_INGRESS__BIND_PORT": str(ingress),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "error",
        "DO_NOT_TRACK": "1",
    }
    with (Path(folder) / "server.log").open("wb") as log:
        return subprocess.Popen(
            [os.environ["RESTATE_SERVER"], "--no-logo"],
            env=os.environ | settings, stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip


def start_services():
    listener = socket.create_server(("127.0.0.1", 0))
    os.set_inheritable(listener.fileno(), True)
    command = [sys.executable, __file__, "--serve", str(listener.fileno())]
    process = subprocess.Popen(command, pass_fds=[listener.fileno()])
    return process, listener.getsockname()[1]


async def until_ready(admin, ingress, services):
    """The service is known, and one run has been: nothing of the first use is measured."""
    line, until = Connection(admin), time.monotonic() + PATIENCE
    body = {"uri": f"http://127.0.0.1:{services}"}
    while True:
        try:
            await line.call("/deployments", body)
            await Connection(ingress).call("/bench/ten")
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            line.close()
            line = Connection(admin)
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
        else:
            line.close()
            return


async def measured(workload, count, folder):
    fabric, admin, ingress = free_ports(3)
    services, port = start_services()
    server = start_server(folder, fabric, admin, ingress)
    try:
        await until_ready(admin, ingress, port)
        return await WORKLOADS[workload](Restate(ingress, [server.pid, services.pid]), count)
    finally:
        for process in (server, services):
            process.send_signal(signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve_services(int(sys.argv[2]))
    elif sys.argv[1] == "--version":
        said = subprocess.run([os.environ["RESTATE_SERVER"], "--version"], capture_output=True)
        print(f"{said.stdout.decode().split()[-1]} with its SDK {version('restate-sdk')}")
    else:
        print(json.dumps(asyncio.run(measured(sys.argv[1], int(sys.argv[2]), sys.argv[3]))))
