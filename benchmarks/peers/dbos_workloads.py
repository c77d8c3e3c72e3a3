"""Workloads on DBOS, as it comes: python dbos_workloads.py WORKLOAD COUNT FOLDER.

On SQLite, in FOLDER; or on the empty PostgreSQL database that OSTINATO_BENCH_STORE names. The last
line is the figures as JSON. Imports nothing of Ostinato; `ostinato bench --peer dbos` runs it in an
environment made of requirements/dbos.txt.

Steps that only compute are synchronous functions in synchronous workflows, as its guides show
them; steps that wait, and steps side by side, are coroutines, so that they need no threads.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from statistics import median

from dbos import DBOS
from figures import Meter, bare_loop, fibonacci, percentiles
from sqlalchemy import event
from sqlalchemy.engine import Engine

STORE = "OSTINATO_BENCH_STORE"
STEPS, FAN, LIGHT = 10, 100, 40
PAUSE = 0.010  # seconds
WINDOW = 4.0  # seconds: how long W1b looks on; all 600 to their end would take minutes

chance = random.Random(0)
done = Counter()


# -- what is measured


@DBOS.step()
def noop():
    pass


@DBOS.step()
async def anoop():
    pass


@DBOS.step()
async def pause():
    await asyncio.sleep(chance.random() * PAUSE)
    done["steps"] += 1


@DBOS.step()
def fibonacci_step(n):
    return fibonacci(n)


@DBOS.workflow()
def ten():
    for _ in range(STEPS):
        noop()


@DBOS.workflow()
def one():
    noop()


@DBOS.workflow()
async def ten_pauses():
    for _ in range(STEPS):
        await pause()


@DBOS.workflow()
async def fan():
    await asyncio.gather(*(anoop() for _ in range(FAN)))


@DBOS.workflow()
def flow(count, n):
    for _ in range(count):
        fibonacci_step(n)


# -- counting commits that wrote something


class Commits:
    """Of all connections; SQLAlchemy tells of each statement and each commit."""

    def __init__(self):
        self.made = 0
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", self._commit)
        event.listen(Engine, "rollback", self._rollback)

    def _statement(self, connection, cursor, statement, *_):
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
            connection.info["wrote"] = True

    def _commit(self, connection):
        self.made += connection.info.pop("wrote", False)

    def _rollback(self, connection):
        connection.info.pop("wrote", None)


def counted():
    return Meter(commits=lambda: commits.made)


def times(call, count):
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return taken


# -- workloads


def at_once(workflow, count, name, each):
    meter = counted()
    handles = [DBOS.start_workflow(workflow) for _ in range(count)]
    accepted = meter.seconds
    for handle in handles:
        handle.get_result()
    figures = meter.rates(name, count * each, count)
    return figures if each > 1 else {**figures, "accepted_per_second": count / accepted}


def waiting(width):
    """Steps per second while ``width`` workflows are at work.

    What it takes to start them, and to end them, is left out: that flatters.
    """

    async def keep():
        while True:
            await (await DBOS.start_workflow_async(ten_pauses)).get_result()
            done["runs"] += 1

    async def measured():
        keepers = [asyncio.create_task(keep()) for _ in range(width)]
        while done["steps"] < width:
            await asyncio.sleep(0.01)
        before, meter = done["steps"], counted()
        await asyncio.sleep(WINDOW)
        steps = done["steps"] - before
        figures = meter.rates("step", steps, steps / STEPS)
        for keeper in keepers:
            keeper.cancel()
        return figures

    return asyncio.run(measured())


def fans(count):
    async def measured():
        taken, meter = [], counted()
        for _ in range(count):
            begun = time.perf_counter()
            await fan()
            taken.append(time.perf_counter() - begun)
        rates = meter.rates("step", count * FAN, count)
        return {"p50_ms": median(taken) * 1000, "max_ms": max(taken) * 1000, **rates}

    return asyncio.run(measured())


def one_by_one(count):
    meter = counted()
    taken = times(one, count)
    return {**percentiles(taken), **meter.costs("run", count, count)}


def light(count):
    flow(LIGHT, 10)
    meter = counted()
    taken = times(lambda: flow(LIGHT, 10), count)
    costs = meter.costs("step", count * LIGHT, count)
    return {"makespan_ms": median(taken) * 1000, "max_ms": max(taken) * 1000, **costs}


def heavy(count):
    bare, bare_cpu = bare_loop(count // 2)
    meter = counted()
    flow(count, 33)
    taken, cpu = meter.seconds, meter.cpu
    costs = meter.costs("step", count, 1)
    more, more_cpu = bare_loop(count - count // 2)
    bare, bare_cpu = bare + more, bare_cpu + more_cpu
    figures = {"times_bare_cpu": cpu / bare_cpu, "times_bare": taken / bare}
    return {**figures, "makespan_ms": taken * 1000, **costs}


WORKLOADS = {
    "W1": lambda count: at_once(ten, count, "step", STEPS),
    "W1b-50": waiting,
    "W1b-600": waiting,
    "W2": fans,
    "W3": one_by_one,
    "W4": lambda count: at_once(one, count, "run", 1),
    "W5-light": light,
    "W5-heavy": heavy,
}


def main(workload, count, folder):
    global commits
    commits = Commits()
    DBOS(
        config={
            "name": "bench",
            "system_database_url": os.environ.get(STORE) or f"sqlite:///{Path(folder) / 'dbos.db'}",
            "log_level": "CRITICAL",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    ten()  # nothing of the first use is measured
    print(json.dumps(WORKLOADS[workload](count)), flush=True)
    os._exit(0)  # without its orderly end, which would wait for what W1b has left at work


if __name__ == "__main__":
    if sys.argv[1] == "--version":
        print(version("dbos"))
    else:
        main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
