"""Timers fire once and never early, whatever the clock and the load do."""

import asyncio

import pytest

from ostinato.app import RunEnded
from ostinato.core import events as e
from ostinato.runtime.posts import Tell
from tests.stage import NOON, Gate, facts_of, one_job, reached, types_of

HOUR = one_job({"wait": "1h"})


async def settled(app):
    """Wait until the roles have nothing more to do at this time."""
    service = app.service
    while True:
        await asyncio.sleep(0)
        await service.engine.rest()
        now = app.now()
        if not len(service.engine) and not await service.storage.due_timers(now, 1):
            return


async def test_a_timer_fires_once_and_not_early(clocked):
    async with clocked.app(HOUR) as app:
        run = await app.start("w")
        clocked.jump(app, 3599.999)
        await settled(app)
        with pytest.raises(TimeoutError):
            await run.result(0)
        clocked.jump(app, 0.001)
        assert await run.result(5) == {"j": NOON + 3_600_000}
        (done,) = await facts_of(app, run.id, "job.succeeded")
        assert done["at"] == NOON + 3_600_000
        assert await app.storage.next_timer() is None


async def test_a_jump_forward_fires_all_that_is_due_in_one_turn(clocked):
    async with clocked.app(HOUR) as app:
        runs = [await app.start("w") for _ in range(700)]
        clocked.jump(app, 10**6)
        await asyncio.gather(*(run.result(20) for run in runs))


async def test_a_jump_back_delays_and_never_refires(clocked):
    document = HOUR | {
        "phases": [*HOUR["phases"], {"phase": "q", "jobs": [{"job": "k", "wait": "1h"}]}]
    }
    async with clocked.app(document) as app:
        run = await app.start("w")
        clocked.jump(app, 3600)
        await reached(app, run.id, "job.waiting", "q/k")
        clocked.jump(app, -7200)
        await settled(app)
        clocked.jump(app, 7200 + 3599)
        await settled(app)
        with pytest.raises(TimeoutError):
            await run.result(0)
        clocked.jump(app, 1)
        await run.result(5)
        assert (await types_of(app, run.id)).count("job.succeeded") == 2
        times = [fact["at"] for fact in await app.history(run.id)]
        assert times == sorted(times)  # now never goes back for a run


async def test_a_shorter_timer_is_not_missed_behind_a_longer_one(clocked):
    async with clocked.app(HOUR) as app:
        await app.deploy(one_job({"wait": "1m"}, "minute"))
        await app.start("w")
        run = await app.start("minute")
        clocked.jump(app, 60)
        await run.result(5)


async def test_a_retry_waits_for_its_time(clocked):
    job = {"run": "flaky", "with": {"times": 1}, "retry": {"delay": "10s", "jitter": 0}}
    async with clocked.app(one_job(job)) as app:
        run = await app.start("w")
        retried = await reached(app, run.id, "job.retried")
        assert retried["dueAt"] == NOON + 10_000
        clocked.jump(app, 9.999)
        await settled(app)
        assert (await types_of(app, run.id)).count("job.ready") == 1
        clocked.jump(app, 0.001)
        assert await run.result(5) == {"j": {"attempts": 2}}


async def test_a_wait_that_is_over_takes_its_timer_away(clocked):
    wait = {"wait": {"event": "PAID", "timeout": "1h"}}
    async with clocked.app(one_job(wait)) as app:
        run = await app.start("w")
        assert await app.storage.next_timer() == NOON + 3_600_000
        await app.emit("PAID")
        await run.result(5)
        assert await app.storage.next_timer() is None


async def test_a_cancelled_run_leaves_no_timer(clocked):
    async with clocked.app(HOUR) as app:
        run = await app.start("w")
        await app.cancel(run.id)
        with pytest.raises(RunEnded):
            await run.result(5)
        assert await app.storage.next_timer() is None


async def test_timers_fire_under_load(clocked):
    """Posts that come in at every turn do not keep what is due waiting."""
    async with clocked.app(HOUR) as app:
        run = await app.start("w")
        engine, going = app.service.engine, True
        commit = app.storage.commit

        async def slowly(batch):
            await commit(batch)
            if going:  # while this batch was written, more has come
                engine.post(Tell(run.id, e.Started("p/j", 1)))

        app.storage.commit = slowly
        load = asyncio.create_task(app.start("w"))
        await load
        clocked.jump(app, 3600)
        await run.result(5)
        going = False


async def test_a_timer_that_was_moved_while_it_was_due_is_kept(clocked):
    """A sign of life and the timer it moves come in one tick: the new time stands."""
    job = {"run": "noop", "callback": True, "heartbeat": "10s"} | {"retry": {"attempts": 1}}
    async with clocked.app(one_job(job)) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        clocked.clock.time += 9_000
        engine = app.service.engine
        engine.post(Tell(run.id, e.Heard("p/j", 1)))  # moves it to NOON + 19 s
        await settled(app)
        clocked.jump(app, 2)
        await settled(app)
        assert await app.storage.next_timer() == NOON + 19_000
        with pytest.raises(TimeoutError):
            await run.result(0)
        clocked.jump(app, 8)
        with pytest.raises(RunEnded, match="no sign of life"):
            await run.result(5)


async def test_the_time_out_of_a_run_is_wall_time(clocked):
    gate = Gate()
    async with clocked.app(one_job({"run": "gate"}, timeout="1m"), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        clocked.jump(app, 60)
        with pytest.raises(RunEnded) as ended:
            await run.result(5)
        assert ended.value.error == "Timeout"


async def test_the_alarm_goes_off_by_itself(stage):
    async with stage.app(one_job({"wait": "30ms"})) as app:
        run = await app.start("w")
        due_at = (await run.result(5))["j"]
        (waiting,) = await facts_of(app, run.id, "job.waiting")
        (done,) = await facts_of(app, run.id, "job.succeeded")
        assert waiting["dueAt"] == due_at <= done["at"]
