"""As much as this machine takes in a second: events in, runs of ten steps each."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2

from ostinato.cli.failure import Stop

WORKFLOW = "burst"
STEPS = 10
_DOCUMENT = {
    "workflow": WORKFLOW,
    "on": [{"event": "BURST"}],
    "phases": [
        {
            "phase": "ten",
            "mode": "sequential",
            "jobs": [{"job": f"step{number}", "run": "noop"} for number in range(STEPS)],
        }
    ],
}
_SENDERS = 3  # each sends when its last batch is done, so that nothing piles up
_BATCH = 60
_ENDS_WITHIN = 10.0


async def burst(http: httpx2.AsyncClient, seconds: float) -> set[str]:
    """The ids of the events that were accepted; all their runs have ended."""
    (await http.post("/workflows", json=_DOCUMENT)).raise_for_status()
    until = time.monotonic() + seconds
    accepted: set[str] = set()
    async with asyncio.TaskGroup() as group:
        for sender in range(_SENDERS):
            group.create_task(_send(http, sender, until, accepted))
    return accepted


async def _send(http: httpx2.AsyncClient, sender: int, until: float, accepted: set[str]) -> None:
    sent = 0
    while time.monotonic() < until:
        ids = [f"burst-{sender}-{number}" for number in range(sent, sent + _BATCH)]
        events = [{"type": "BURST", "source": "demo", "id": id} for id in ids]
        answer = await http.post("/events", json=events)
        answer.raise_for_status()
        accepted.update(ids)
        sent += _BATCH
        await _ended(http, answer.json())


async def _ended(http: httpx2.AsyncClient, answers: list[dict[str, Any]]) -> None:
    limit = time.monotonic() + _ENDS_WITHIN
    for answer in reversed(answers):  # the last one first: then the others have mostly ended too
        run = answer["runs"][0]
        while (await http.get(f"/runs/{run}")).json()["status"] != "succeeded":
            if time.monotonic() > limit:
                raise Stop(f"run {run} of the burst does not end")
            await asyncio.sleep(0.005)
