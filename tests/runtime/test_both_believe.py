"""Two processes that both believe they own everything: one of them writes, and nobody is hurt."""

import asyncio
import contextlib
from datetime import timedelta
from math import inf

import psycopg
import pytest

from ostinato.app import App
from ostinato.config import Settings
from ostinato.errors import Fenced
from ostinato.ports import EventQuery, RunQuery
from ostinato.testing.history_checker import Journal, check_store
from tests.runtime.test_membership import Time, has, kill, process, table, time
from tests.stage import Gate, one_job

__all__ = ["Time", "table", "time"]

DOCUMENT = one_job({"run": "gate"}, on=[{"event": "GO"}])
LATE = "UPDATE ostinato.lease SET expires_at = 0 WHERE member = %s"


class InMemory:
    def __init__(self, table, time):
        self.table, self.time = table, time

    def app(self, gate):
        return process(self.table, self.time, DOCUMENT, {"gate": gate})

    def end_lease(self, app):
        self.table.stays[app.storage.members.id].until = 0


class InPostgres:
    def __init__(self, url):
        self.url = url

    def app(self, gate):
        app = App(Settings(store=self.url, drain=timedelta(seconds=2)))
        app.handler("gate")(gate)
        app.workflow_document(DOCUMENT)
        return app

    def end_lease(self, app):
        with psycopg.connect(self.url) as db:
            db.execute(LATE, (app.storage.member,))


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.real)])
def place(request):
    if request.param == "memory":
        return InMemory(*map(request.getfixturevalue, ("table", "time")))
    return InPostgres(request.getfixturevalue("new_database")())


async def believes_for_ever(app):
    """It renews nothing, hears nothing, and its clock stands still."""
    membership = app._membership
    membership.members.listen(lambda words: None)
    membership._task.cancel()
    await asyncio.gather(membership._task, return_exceptions=True)
    membership.lease.prolong(inf)


@contextlib.asynccontextmanager
async def one_that_dies(app):
    """Whoever believes so does not leave in order."""
    await app.__aenter__()
    try:
        yield app
    finally:
        await kill(app)
        await app.storage.close()


async def test_what_the_wrong_one_writes_is_refused_as_a_whole(place):
    gates = Gate(), Gate()
    async with one_that_dies(place.app(gates[0])) as first:
        await believes_for_ever(first)
        run = await first.start("w")
        await gates[0].begun.wait()
        async with place.app(gates[1]) as second:
            place.end_lease(first)
            while has(second) < 64:
                second._membership.look()
                await asyncio.sleep(0)
            await gates[1].begun.wait()
            assert has(first) == 64
            assert first._membership.lease.runs
            asked = [first.start_run("w", {}), *[first.emit("GO", n) for n in range(5)]]
            for answer in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(answer, Fenced), answer
            for gate in gates:  # both end the same job
                gate.open.set()
            assert (await second.wait_ended(run.id, None)).status == "succeeded"
            assert await second.count_runs(RunQuery()) == 1
            assert await second.count_events(EventQuery()) == 0
            types = [fact["type"] for fact in await second.history(run.id)]
            assert types.count("job.succeeded") == 1
            graphs = second._catalog.graph
            assert not await check_store(second.storage, graphs, Journal(), second.now())
