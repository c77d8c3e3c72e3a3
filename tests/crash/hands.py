"""Handlers of a worker that is killed: they say what they begin, as lines on stdout."""

import asyncio
import json
import os

from ostinato import App, Job

app = App()


def say(job: Job) -> None:
    told = {"begun": job.key, "attempt": job.attempt, "same": job.idempotency_key}
    os.write(1, f"{json.dumps(told)}\n".encode())


@app.handler("far.step")
async def step(n: int, job: Job) -> int:
    say(job)
    return n + 1


@app.handler("far.stay")
async def stay(job: Job) -> str:
    """Only a worker that is told to do so gets past this."""
    say(job)
    if "STAY" in os.environ:
        await asyncio.Event().wait()
    return f"done by {os.getpid()}"
