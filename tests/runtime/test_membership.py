"""Processes that share a store: each has its share of the partitions, by a lease."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from ostinato.app import App
from ostinato.config import Settings
from ostinato.errors import Fenced, NothingIsRunning, StoreError, StoreLocked, Unready
from ostinato.ports import RunQuery
from ostinato.storage.memory import SharedMemoryStorage, Table
from ostinato.web.errors import error_answer
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
    async with (
        process(table, time, document, handlers, **settings) as first,
        process(table, time, None, handlers, **settings) as second,
    ):
        await holds(first, 32)
        await holds(second, 32)
        yield first, second


async def still(turns=100):
    """Long enough for whatever would come by itself."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_the_first_process_has_all_and_gives_the_second_its_half(table, time):
    async with process(table, time) as first:
        assert has(first) == 64
        async with process(table, time) as second:
            await holds(second, 32)
            await holds(first, 32)
            assert not first.service.engine.territory.owned & second.service.engine.territory.owned


async def test_three_have_a_third_each_and_nobody_more_than_a_partition_above_it(table, time):
    async with two(table, time) as (first, second), process(table, time) as third:
        await until(lambda: sum(map(has, (first, second, third))) == 64 and has(third) > 0)
        for app in (first, second, third):
            app._membership.look()
        await until(lambda: sorted(map(has, (first, second, third))) == [21, 21, 22])


async def test_the_hub_stays_with_who_has_it(table, time):
    async with two(table, time) as (first, second):
        assert first.service.engine.territory.hub
        roll = await second.members()
        assert (roll.hub, second._membership.other().id) == (first.storage.members.id,) * 2


async def test_a_process_that_joins_is_not_ready_before_it_has_a_partition(table, time):
    gate = Gate()
    first = process(table, time, one_job({"run": "gate"}), {"gate": gate})
    async with first:
        run = await first.start("w")
        await gate.begun.wait()
        first.service.executor.at_work = lambda: set(range(64))  # it can give none
        async with process(table, time) as second:
            await still()
            assert second.stands_by
            assert second.health() == {"ready": False, "reason": "joining"}
            assert await second.count_runs(RunQuery()) == 1
            assert (await second.run_view(run.id)).status == "running"
            with pytest.raises(
                NothingIsRunning, match=f"no part of the runs yet; ask {first.address}"
            ):
                await second.start_run("w", {})
            del first.service.executor.at_work
            first._membership.look()
            await holds(second, 32)
            gate.open.set()
            assert (await second.wait_ended(run.id, 5)).status == "succeeded"
            assert second.health()["ready"]


async def test_what_a_process_had_that_stops_goes_on_at_once_in_the_other(table, time):
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as (first, second):
        runs = [await first.start_run("w", {}) for _ in range(4)]
        await first.close()
        await holds(second)
        await second.emit("GO")
        for run in runs:
            assert (await second.wait_ended(run.id, 5)).status == "succeeded"


async def test_a_process_that_dies_is_followed_when_its_lease_is_over(table, time):
    gate, again = Gate(), Gate()
    first = process(table, time, one_job({"run": "gate"}), {"gate": gate})
    await first.__aenter__()
    async with process(table, time, None, {"gate": again}) as second:
        await holds(second, 32)
        run = await first.start("w")
        await gate.begun.wait()
        await kill(first)
        pass_by(time, second, seconds=5)
        await still()
        assert has(second) == 32
        pass_by(time, second, seconds=2)
        await holds(second)
        await again.begun.wait()
        again.open.set()
        assert (await second.wait_ended(run.id, 5)).status == "succeeded"


async def test_a_process_that_slept_past_its_lease_records_nothing_when_it_wakes(table, time):
    gate, again = Gate(), Gate()
    first = process(table, time, one_job({"run": "gate"}), {"gate": gate})
    async with first, process(table, time, None, {"gate": again}) as second:
        await holds(second, 32)
        await holds(first, 32)
        run = await first.start("w")
        await gate.begun.wait()
        pass_by(time, second, seconds=7)
        await holds(second)
        await again.begun.wait()
        gate.open.set()  # it wakes, and its handler ends
        with pytest.raises((Fenced, StoreError, NothingIsRunning)):
            await first.start_run("w", {})
        assert (await second.run_view(run.id)).status == "running"
        again.open.set()
        assert (await second.wait_ended(run.id, 5)).status == "succeeded"
        assert await second.count_runs(RunQuery()) == 1


async def test_who_hears_from_a_batch_that_it_was_buried_looks_at_once(table, time):
    lease = timedelta(minutes=9)
    document = one_job({"run": "noop"})
    async with (
        process(table, time, document, lease=lease) as first,
        process(table, time, lease=lease) as second,
    ):
        await holds(second, 32)
        first._membership.members.listen(lambda words: None)  # nobody can tell it
        pass_by(time, second, seconds=600)
        await holds(second, 64)
        before = first.service
        with pytest.raises(Fenced):
            await first.start_run("w", {})
        await until(lambda: first._service is not before)


async def test_who_was_buried_comes_again_as_if_it_were_new(table, time):
    async with two(table, time, one_job({"run": "noop"})) as (first, second):
        before = first.service
        pass_by(time, second, seconds=7)
        await holds(second)
        first._membership.look()
        await until(lambda: first._service is not before)
        await holds(first, 32)
        await holds(second, 32)
        assert (second.service.engine.territory.hub, first.service.engine.territory.hub) == (
            True,
            False,
        )
        assert await (await first.start_run("w", {})).result(5) == {"j": None}


async def test_what_was_asked_of_who_was_buried_is_to_be_sent_again_and_it_is_not_stopped(
    table, time
):
    async with two(table, time, one_job({"run": "noop"})) as (first, second):
        before = first.service
        before._task.cancel()  # it slept, and what was sent to it waits
        asked = asyncio.create_task(first.start_run("w", {}))
        await still()
        pass_by(time, second, seconds=7)
        await holds(second)
        first._membership.look()
        with pytest.raises(Unready, match=r"others went on .* send it again") as unstored:
            await asked
        assert "start it again" not in str(unstored.value)
        answer = error_answer(unstored.value, "/runs")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        await until(lambda: first._service not in (None, before))
        await holds(first, 32)
        assert await (await first.start_run("w", {})).result(5) == {"j": None}
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


async def test_a_store_on_which_another_process_works_is_not_opened_alone(table, time):
    async with process(table, time) as app:
        with pytest.raises(StoreLocked, match="works on the store; talk to that one") as found:
            await process(table, time).open()
        assert found.value.details == {"address": app.address}


async def test_on_standby_it_takes_nothing_until_it_is_told(table, time):
    async with process(table, time, standby=True) as app:
        app._membership.look()
        await still()
        assert app.health() == {"ready": False, "reason": "standing by"}
        with pytest.raises(NothingIsRunning, match="stands by; nobody does the work yet"):
            await app.start_run("w", {})
        app.promote()
        await holds(app)


async def test_nobody_gives_anything_to_who_is_on_standby(table, time):
    async with process(table, time) as first, process(table, time, standby=True) as second:
        for app in (first, second):
            app._membership.look()
        await still()
        assert (has(first), has(second)) == (64, 0)
        await first._membership._renew()
        assert [seat.waits for seat in (await first.members()).seats] == [False, True]
        second.promote()
        await holds(second, 32)
        await holds(first, 32)


async def test_who_cannot_take_up_leaves_it_to_who_can(table, time):
    async with two(table, time, one_job({"run": "noop"})) as (first, second):

        async def fail(taken):
            raise StoreError("cannot read")

        second._membership._work.take_up = fail
        await first.close()
        await until(lambda: second.stands_by)
        async with process(table, time) as third:
            await holds(third)
            assert await (await third.start("w")).result(5) == {"j": None}


async def test_a_store_that_does_not_answer_in_time_is_an_error_that_says_so(table, time):
    app = process(table, time, lease=timedelta(seconds=1))
    never = asyncio.Event()

    async def renew(lease, address, *, waits, stores):
        await never.wait()

    app.storage.members.renew = renew
    with pytest.raises(StoreError, match=r"does not answer within 0.5 s; .*lease"):
        await app.open()
