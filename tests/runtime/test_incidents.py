"""A stored run that cannot be loaded is an incident: it is seen, and it is in nobody's way."""

import asyncio
import logging

import pytest
from msgspec.structs import replace

from ostinato.app import Run
from ostinato.core import events as e
from ostinato.errors import Unloadable
from ostinato.ports import Page, RunQuery
from ostinato.runtime.posts import Tell
from tests.stage import Gate, one_job, reached, until_crash

HOUR = one_job({"wait": "1h"})
GATE = one_job({"run": "gate"})


def spoilt(store, run_ids):
    """What these runs have written is of a version that nobody here reads."""
    history = store.history

    async def newer(run_id, *more):
        records = await history(run_id, *more)
        if run_id in run_ids:
            records = [replace(record, version=999) for record in records]
        return records

    store.history = newer
    return store


async def incident(app, run_id):
    while (head := await app.storage.head(run_id)).waiting_for != "repair":
        await asyncio.sleep(0)
    assert (head.status, head.busy, head.error_name) == ("waiting", False, "Incident")
    assert "999" in head.error_message
    assert "its history is kept" in head.error_message
    return head


async def test_one_among_others_is_an_incident_and_goes_on_once_it_is_readable(clocked, caplog):
    bad = set()
    async with until_crash(clocked.app(GATE, {"gate": Gate().__call__})) as app:
        runs = [(await app.start("w")).id for _ in range(3)]
    bad.add(runs[1])
    gate = Gate()
    gate.open.set()
    store = spoilt(clocked.place.store(), bad)
    caplog.set_level(logging.ERROR)
    async with clocked.app(GATE, {"gate": gate.__call__}, store=store) as app:
        await incident(app, runs[1])
        for run_id in (runs[0], runs[2]):
            await Run(app, run_id).result(5)
        for _ in range(3):
            with pytest.raises(Unloadable, match="cannot be loaded"):
                await app.cancel(runs[1])
        (head,) = await app.runs(RunQuery(waiting_for="repair"), Page())
        assert head.run_id == runs[1]
    assert sum("run.unreadable" in record.getMessage() for record in caplog.records) <= 1
    async with clocked.app(GATE, {"gate": gate.__call__}) as app:
        await Run(app, runs[1]).result(5)
        head = await app.storage.head(runs[1])
        assert (head.status, head.error_name) == ("succeeded", None)


async def test_it_goes_on_without_a_restart_once_something_is_posted_to_it(clocked):
    async with until_crash(clocked.app(GATE, {"gate": Gate().__call__})) as app:
        run_id = (await app.start("w")).id
    bad, gate = {run_id}, Gate()
    gate.open.set()
    store = spoilt(clocked.place.store(), bad)
    async with clocked.app(GATE, {"gate": gate.__call__}, store=store) as app:
        await incident(app, run_id)
        bad.clear()
        app.service.engine.post(Tell(run_id, e.Heard("p/j", 1)))
        await Run(app, run_id).result(5)
        assert gate.calls == 1
        assert (await app.storage.head(run_id)).waiting_for is None


async def test_timers_of_unreadable_runs_hold_nobody_up(clocked):
    bad = set()
    async with until_crash(clocked.app(HOUR)) as app:
        bad.update([(await app.start("w")).id for _ in range(600)])
        clocked.clock.time += 1000
        good = (await app.start("w")).id
    store = spoilt(clocked.place.store(), bad)
    async with clocked.app(HOUR, store=store) as app:
        clocked.jump(app, 3600)
        await Run(app, good).result(10)
        while await app.storage.next_timer() is not None:
            await asyncio.sleep(0)
        await incident(app, min(bad))
    async with clocked.app(HOUR) as app:  # their timers are armed again
        for run_id in sorted(bad)[:5]:
            await Run(app, run_id).result(10)


async def test_a_missing_version_is_an_incident(clocked):
    async with until_crash(clocked.app(HOUR)) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
    store = clocked.place.store()
    versions = store.versions

    async def none():
        return [one for one in await versions() if one.workflow != "w"]

    store.versions = none
    async with clocked.app(store=store) as app:
        clocked.jump(app, 3601)
        while (head := await app.storage.head(run.id)).waiting_for != "repair":
            await asyncio.sleep(0)
        assert "no workflow is called 'w'" in head.error_message
    async with clocked.app() as app:
        await Run(app, run.id).result(5)
