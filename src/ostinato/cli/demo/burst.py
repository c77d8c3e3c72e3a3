"""As much as this machine takes in a second: events in, runs of ten steps each."""

from __future__ import annotations

import asyncio
import time

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
_SENDERS = 2
_BATCH = 50  # events in a request; a sender has at most two requests' runs under way
_ENDS_WITHIN = 10.0


async def burst(http: httpx2.AsyncClient, seconds: float) -> set[str]:
    """The ids of the events that were accepted; all their runs have ended."""
    (await http.post("/workflows", json=_DOCUMENT)).raise_for_status()
    until = time.monotonic() + seconds
    accepted: set[str] = set()
    async with asyncio.TaskGroup() as group:
        for sender in range(_SENDERS):
            group.create_task(_send(http, f"burst-{sender}", until, accepted))
    return accepted


async def _send(http: httpx2.AsyncClient, name: str, until: float, accepted: set[str]) -> None:
    last, sent = "", 0
    while time.monotonic() < until:
        ids = [f"{name}-{number}" for number in range(sent, sent + _BATCH)]
        runs = await _batch(http, ids)
        accepted.update(ids)
        await _ended(http, last)
        last, sent = runs[-1], sent + _BATCH
    await _ended(http, last)


async def _batch(http: httpx2.AsyncClient, ids: list[str]) -> list[str]:
    events = [{"type": "BURST", "source": "demo", "id": id} for id in ids]
    answer = await http.post("/events", json=events)
    answer.raise_for_status()
    return [run for accepted in answer.json() for run in accepted["runs"]]


async def _ended(http: httpx2.AsyncClient, run: str) -> None:
    """Runs end about in order: when the last of a batch has, the others have or soon will."""
    limit = time.monotonic() + _ENDS_WITHIN
    while run and (await http.get(f"/runs/{run}")).json()["status"] != "succeeded":
        if time.monotonic() > limit:
            raise Stop(f"run {run} of the burst does not end")
        await asyncio.sleep(0.005)
