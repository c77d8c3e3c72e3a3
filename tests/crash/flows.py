"""What is served, killed and served again: every kind of step that a crash could hurt.

The environment says two things: ``SKEW``, by how many seconds the clock of this machine is wrong;
``FAR``, whether the handler of that name is elsewhere, at a worker. Each attempt of a handler
writes one line to standard output before it does anything else, with its idempotency key: whoever
reads sees what was begun, also what was never recorded.
"""

import asyncio
import json
import os
import time

from ostinato import App, Later
from ostinato.runtime.handlers import Job

ORDER = {
    "workflow": "order",
    "on": [{"event": "ORDER", "uid": "event.data.id"}],
    "phases": [
        {
            "phase": "first",
            "mode": "sequential",
            "jobs": [
                {"job": "a", "run": "work"},
                {"job": "b", "run": "thread"},
                {"job": "c", "run": "far"},
            ],
        },
        {
            "phase": "spread",
            "each": {"in": "input.items", "as": "item", "at_once": 3},
            "jobs": [{"job": "part", "run": "work"}],
        },
        {
            "phase": "second",
            "jobs": [
                {"job": "shaky", "run": "shaky", "retry": {"attempts": 9, "delay": "5ms"}},
                {"job": "nap", "wait": "40ms"},
                {
                    "job": "paid",
                    "wait": {"event": "PAID", "match": {"data": {"id": ["${ input.id }"]}}},
                },
                {"job": "ask", "run": "ask"},
            ],
        },
        {
            "phase": "last",
            "jobs": [
                {"job": "tell", "emit": {"type": "ORDER_DONE", "data": {"id": "${ input.id }"}}}
            ],
        },
    ],
    "output": {"id": "input.id", "answer": "jobs.ask.output"},
}

AFTER = {
    "workflow": "after",
    "on": [{"event": "ORDER_DONE"}],
    "phases": [{"phase": "p", "jobs": [{"job": "file", "run": "work"}]}],
}

PLAIN = {
    "workflow": "plain",
    "phases": [
        {"phase": "p", "jobs": [{"job": "x", "run": "work"}, {"job": "y", "run": "thread"}]}
    ],
}

if SKEW := int(os.environ.get("SKEW", "0")):
    _right = time.time_ns
    time.time_ns = lambda: _right() + SKEW * 1_000_000_000
    time.time = lambda: time.time_ns() / 1e9

# On a slow machine the same job may be at work at three kills: here none is given up for that.
app = App(drain="5s", limits={"abandoned": 99})
for document in (ORDER, AFTER, PLAIN):
    app.workflow_document(document)


def note(job, **more):
    line = {"key": job.idempotency_key, "attempt": job.attempt} | more
    os.write(1, json.dumps(line).encode() + b"\n")


@app.handler("work")
async def work(job: Job):
    note(job)
    await asyncio.sleep(0.002)
    return job.key


@app.handler("thread")
def thread(job: Job):
    note(job)
    time.sleep(0.002)
    return job.key


async def far(job: Job):
    note(job)
    return job.key


if os.environ.get("FAR") != "elsewhere":
    app.handler("far")(far)


@app.handler("shaky")
async def shaky(job: Job):
    note(job)
    if job.attempt == 1:
        raise ConnectionError("the first attempt always fails")


@app.handler("ask")
async def ask(job: Job):
    note(job, token=job.token)
    return Later()
