"""Processes that share a store: one holds it, the others stand by."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from ostinato.app import App
from ostinato.config import Settings
from ostinato.errors import Fenced, NothingIsRunning, StoreError, StoreLocked
from ostinato.ports import RunQuery
from ostinato.storage.memory import SharedMemoryStorage, Table
from tests.stage import Gate, one_job, reached, until

LEASE = timedelta(seconds=6)


class Time:
    """Of the store and of the machines, in ms: it goes on by hand."""

    def __init__(self):
        self.now = 1_800_000_000_000
        self.skew = 0


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def table(time):
    return Table(lambda: time.now)


def process(table, time, document=None, handlers=None, **settings):
    """An app on a machine of its own, whose clock is its own as well."""
    more = {"drain": timedelta(seconds=2), "lease": LEASE} | settings
    app = App(Settings(**more), storage=SharedMemoryStorage(table))
    app._steady = lambda: time.now / 1000
    for name, function in (handlers or {}).items():
        app.handler(name)(function)
    if document is not None:
        app.workflow_document(document)
    return app


def pass_by(time, *apps, seconds):
    """Time passes, and these processes live through it."""
    time.now += round(seconds * 1000)
    for app in apps:
        app._membership.look()


async def kill(app):
    """Not one more turn, and nobody leaves in order."""
    membership, app._membership = app._membership, None
    membership._task.cancel()
    await asyncio.gather(membership._task, return_exceptions=True)
    service, app._service = app._service, None
    if service is not None:
        service._task.cancel()
        await asyncio.gather(service._task, return_exceptions=True)
        await service.executor.close()
        for part in (service.outbox, service.janitor):
            await part.close()
        service.timers.close()


async def holds(app, count=64):
    """It goes on with so many partitions."""
    await until(lambda: has(app) == count and app.service.ready)


def has(app):
    service = app._service
    return 0 if service is None else len(service.engine.territory.owned)


@contextlib.asynccontextmanager
async def two(table, time, document=None, handlers=None, **settings):
    """Both at work, each with a half."""
    async with process(table, time, document, handlers, **settings) as first:
        async with process(table, time, None, handlers, **settings) as second:
            await holds(first, 32)
            await holds(second, 32)
            yield first, second


async def test_the_first_process_holds_the_store_and_the_second_stands_by(table, time):
    first = process(table, time, one_job({"run": "noop"}))
    async with first, process(table, time) as second:
        assert (first.stands_by, second.stands_by) == (False, True)
        run = await first.start("w")
        await run.result(5)
        assert (await second.run_view(run.id)).status == "succeeded"
        assert await second.count_runs(RunQuery()) == 1
        assert second.health() == {"ready": False, "reason": "standing by"}
        with pytest.raises(NothingIsRunning, match=f"stands by: {first.address}"):
            await second.start_run("w", {})


async def test_who_stands_by_reads_what_was_deployed_since(table, time):
    async with process(table, time) as first, process(table, time) as second:
        await first.deploy(one_job({"run": "noop"}))
        run = await first.start("w")
        await run.result(5)
        assert (await second.run_view(run.id)).status == "succeeded"


async def test_who_stands_by_goes_on_at_once_when_the_other_stops(table, time):
    first = process(table, time, one_job({"wait": {"event": "GO"}}))
    async with process(table, time) as second:
        await second.close()
    await first.__aenter__()
    async with process(table, time) as second:
        run = await first.start("w")
        await first.close()
        await holds(second)
        await second.emit("GO")
        assert (await second.wait_ended(run.id, 5)).status == "succeeded"


async def test_a_process_that_dies_is_followed_when_its_lease_is_over(table, time):
    gate, again = Gate(), Gate()
    first = process(table, time, one_job({"run": "gate"}), {"gate": gate})
    await first.__aenter__()
    async with process(table, time, None, {"gate": again}) as second:
        run = await first.start("w")
        await gate.begun.wait()
        await kill(first)
        pass_by(time, second, seconds=5)
        for _ in range(100):
            await asyncio.sleep(0)
        assert second.stands_by
        pass_by(time, second, seconds=2)
        await holds(second)
        await again.begun.wait()
        again.open.set()
        assert (await second.wait_ended(run.id, 5)).status == "succeeded"


async def test_a_process_that_slept_past_its_lease_records_nothing_when_it_wakes(table, time):
    gate, again = Gate(), Gate()
    first = process(table, time, one_job({"run": "gate"}), {"gate": gate})
    async with first, process(table, time, None, {"gate": again}) as second:
        run = await first.start("w")
        await gate.begun.wait()
        pass_by(time, second, seconds=7)
        await holds(second)
        await again.begun.wait()
        gate.open.set()  # it wakes, and its handler ends
        with pytest.raises((Fenced, StoreError, NothingIsRunning)):
            await first.start_run("w", {})
        first._membership.look()
        await until(lambda: first.stands_by)
        assert (await second.run_view(run.id)).status == "running"
        again.open.set()
        assert (await second.wait_ended(run.id, 5)).status == "succeeded"
        assert (await first.run_view(run.id)).status == "succeeded"
        assert await second.count_runs(RunQuery()) == 1


async def test_no_job_begins_by_a_lease_that_is_over_in_the_eyes_of_its_holder(table, time):
    begun = []

    async def note(job_id: str = ""):
        begun.append(job_id)

    async with process(table, time, one_job({"run": "note"}), {"note": note}) as app:
        time.now += 5_000
        run = await app.start("w")
        await reached(app, run.id, "run.started")
        for _ in range(100):
            await asyncio.sleep(0)
        assert begun == []
        app._membership.look()
        await run.result(5)
        assert begun == [""]


async def test_the_clock_of_the_store_is_the_clock_of_its_runs(table, time):
    """Whatever the machine's own says."""
    time.now = 1_000_000_000_000
    async with process(table, time, one_job({"run": "noop"})) as app:
        assert app.now() == time.now
        time.now += 60_000
        assert app.now() == time.now
        table.now = lambda: time.now + 90_000  # somebody has set the clock of the server
        app._membership.look()
        await until(lambda: app.now() == time.now + 90_000)


async def test_what_was_timed_by_one_process_is_due_for_the_next(table, time):
    first = process(table, time, one_job({"wait": "1m"}))
    await first.__aenter__()
    async with process(table, time) as second:
        run = await first.start("w")
        await reached(first, run.id, "job.waiting")
        await first.close()
        await holds(second)
        pass_by(time, second, seconds=61)
        second.service.engine.wake.set()
        assert (await second.wait_ended(run.id, 5)).status == "succeeded"


async def test_an_opened_store_that_another_process_holds_is_locked(table, time):
    async with process(table, time):
        with pytest.raises(StoreLocked, match="holds the store"):
            await process(table, time).open()


async def test_on_standby_it_takes_nothing_until_it_is_told(table, time):
    async with process(table, time, standby=True) as app:
        app._membership.look()
        for _ in range(100):
            await asyncio.sleep(0)
        assert app.stands_by
        app.promote()
        await holds(app)


async def test_who_cannot_take_up_gives_the_store_to_who_can(table, time):
    async with process(table, time) as first, process(table, time) as second:

        async def fail():
            raise StoreError("cannot read")

        second._membership._take_up = fail
        await first.close()
        await until(lambda: second._membership.taking is not None)
        async with process(table, time, one_job({"run": "noop"})) as third:
            await holds(third)
            assert (await (await third.start("w")).result(5)) == {"j": None}


async def test_a_store_that_does_not_answer_in_time_is_an_error_that_says_so(table, time):
    app = process(table, time, lease=timedelta(seconds=1))
    never = asyncio.Event()

    async def renew(lease, address):
        await never.wait()

    app.storage.members.renew = renew
    with pytest.raises(StoreError, match=r"does not answer within 0.5 s; .*lease"):
        await app.open()
