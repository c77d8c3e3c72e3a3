"""The loop that turns the roles: it goes on whatever one of them does, and sleeps when idle."""

import asyncio
import contextlib

import pytest

from ostinato import Later, Retry
from ostinato.app import RunEnded
from ostinato.config.settings import LimitSettings
from ostinato.errors import ConflictError, Gone, NotFoundError, StoreError, Unready
from ostinato.runtime import service as services
from ostinato.runtime.handlers import Job
from tests.stage import NOON, facts_of, one_job, reached, types_of

NOOP = one_job({"run": "noop"})


@pytest.fixture(autouse=True)
def soon_again(monkeypatch):
    monkeypatch.setattr(services, "PAUSE", 0.01)


@pytest.mark.parametrize("error", [StoreError, ZeroDivisionError], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("role", ["timers", "meeting", "outbox"])
async def test_a_role_that_fails_does_not_stop_the_others(here, role, error):
    async with here.app(NOOP) as app:
        failing = getattr(app.service, role)
        run_once, failures = failing.run_once, [1, 2]

        async def broken(now):
            if failures:
                failures.pop()
                raise error("a bad day")
            return await run_once(now)

        failing.run_once = broken
        assert await (await app.start("w")).result(5) == {"j": None}
        assert await (await app.start("w")).result(5) == {"j": None}


async def test_what_is_asked_while_it_begins_is_stored_in_one_tick_after_the_other(here):
    app = here.app(NOOP)
    await app.open()
    try:
        engine, most = app.service.engine, [0]
        run_once, commit, inside = engine.run_once, app.storage.commit, [0]

        async def counted(now=None):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            try:
                return await run_once(now)
            finally:
                inside[0] -= 1

        async def slow(batch):
            for _ in range(50):
                await asyncio.sleep(0)
            await commit(batch)

        engine.run_once, app.storage.commit = counted, slow
        asked = [asyncio.create_task(app.emit("HELLO")) for _ in range(3)]
        await asyncio.gather(app.begin(), *asked)
        assert await (await app.start("w")).result(5) == {"j": None}
        assert most == [1]
    finally:
        await app.close()


async def test_a_stop_tells_everybody_who_still_waits_for_the_store(here, monkeypatch):
    """Both the one whose commit is under way and the one behind it."""
    monkeypatch.setattr(services, "SETTLE", 0.01)
    app = here.app(NOOP)
    async with app:
        away = asyncio.Event()

        async def never(batch):
            away.set()
            await asyncio.Event().wait()

        app.storage.commit = never
        first = asyncio.create_task(app.start("w"))
        await away.wait()
        second = asyncio.create_task(app.start("w"))
        await asyncio.sleep(0)
    for start in (first, second):
        with pytest.raises(Unready, match="stopped before this was stored"):
            await asyncio.wait_for(start, 5)


async def test_who_waits_is_told_when_a_stop_comes_between_a_lost_share_and_its_last_handler(
    here, monkeypatch
):
    monkeypatch.setattr(services, "SETTLE", 0.01)
    app = here.app(one_job({"run": "stubborn"}))
    goes, may_end = asyncio.Event(), asyncio.Event()

    @app.handler()
    async def stubborn():
        goes.set()
        with contextlib.suppress(asyncio.CancelledError):
            await may_end.wait()
        await may_end.wait()

    async with app:
        await app.start("w")
        await goes.wait()
        app.storage.commit = lambda batch: asyncio.Event().wait()
        waiting = asyncio.create_task(app.start("w"))
        lost = asyncio.create_task(app.service.abandon())
        for _ in range(5):
            await asyncio.sleep(0)
        lost.cancel()
        with pytest.raises(Unready, match="others went on with the runs"):
            await asyncio.wait_for(waiting, 5)
        may_end.set()


async def test_an_idle_service_does_not_turn(here):
    async with here.app(NOOP) as app:
        await (await app.start("w")).result(5)
        turns, run_once = [], app.service.engine.run_once

        async def counted(now=None):
            turns.append(1)
            return await run_once(now)

        for _ in range(20):
            await asyncio.sleep(0)
        app.service.engine.run_once = counted
        for _ in range(200):
            await asyncio.sleep(0)
        assert not turns


async def test_the_loop_can_be_turned_by_hand(clocked):
    """Lambda and cron do this: every role once, until nothing is done."""
    app = clocked.app(one_job({"wait": "1h"}))
    await app.open()
    service = app.service
    run = await app.start("w")
    await service.timers.refresh()
    while await service.run_once():
        pass
    clocked.clock.time += 3_600_000
    while await service.run_once():
        pass
    assert await run.result(0) == {"j": NOON + 3_600_000}
    await app.close()


# what a handler says besides a value


async def test_a_handler_may_ask_for_another_attempt(clocked):
    async def h(job: Job):
        return Retry(after="10s") if job.attempt == 1 else "done"

    async with clocked.app(one_job({"run": "h"}), {"h": h}) as app:
        run = await app.start("w")
        retried = await reached(app, run.id, "job.retried")
        assert retried["dueAt"] == NOON + 10_000
        clocked.jump(app, 10)
        assert await run.result(5) == {"j": "done"}


async def test_a_job_that_is_done_later_ends_by_its_token(stage):
    tokens = []

    async def h(job: Job):
        tokens.append(job.token)
        return Later()

    async with stage.app(one_job({"run": "h"}), {"h": h}) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        await app.answer(tokens[0], output={"a": 1})
        assert await run.result(5) == {"j": {"a": 1}}
        with pytest.raises(ConflictError, match="already succeeded"):
            await app.answer(tokens[0], output=2)
        with pytest.raises(NotFoundError):
            await app.answer(f"{run.id}.nonsense")
        with pytest.raises(NotFoundError):
            await app.answer("nonsense")


async def test_an_answer_may_be_an_error(stage):
    async with stage.app(one_job({"run": "noop", "callback": True})) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        (wait,) = (await run.view()).waits
        await app.answer(wait.token, error={"name": "Declined", "message": "no"})
        with pytest.raises(RunEnded, match="Declined: no"):
            await run.result(5)


async def test_two_answers_at_once_count_once(stage):
    async with stage.app(one_job({"run": "noop", "callback": True})) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        (wait,) = (await run.view()).waits
        answers = await asyncio.gather(
            *(app.answer(wait.token, output=number) for number in range(5)), return_exceptions=True
        )
        assert [isinstance(one, ConflictError) for one in answers].count(False) == 1
        await run.result(5)
        assert (await types_of(app, run.id)).count("job.succeeded") == 1


async def test_an_answer_after_its_time_is_gone(clocked):
    document = one_job({"run": "noop", "callback": True, "timeout": "1m"})
    async with clocked.app(document) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        (wait,) = (await run.view()).waits
        clocked.jump(app, 60)
        with pytest.raises(RunEnded):
            await run.result(5)
        with pytest.raises(Gone):
            await app.answer(wait.token)


async def test_signs_of_life_keep_a_job_waiting(clocked):
    document = one_job(
        {"run": "noop", "callback": True, "heartbeat": "1m", "retry": {"attempts": 1}}
    )
    async with clocked.app(document) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        (wait,) = (await run.view()).waits
        for _ in range(3):
            clocked.jump(app, 50)
            await app.heartbeat(wait.token)
        assert len(await facts_of(app, run.id, "job.heard")) == 3
        clocked.jump(app, 61)
        with pytest.raises(RunEnded) as ended:
            await run.result(5)
        assert ended.value.error == "HeartbeatTimeout"


async def test_a_heartbeat_from_a_thread_is_heard(here):
    beaten = asyncio.Event()
    loop = asyncio.get_running_loop()

    def h(job: Job):
        job.heartbeat()
        loop.call_soon_threadsafe(beaten.set)

    async with here.app(one_job({"run": "h"}), {"h": h}) as app:
        await (await app.start("w")).result(5)
        assert beaten.is_set()


# bad results


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, BaseException, GeneratorExit])
@pytest.mark.parametrize("sync", [False, True], ids=["async", "thread"])
async def test_whatever_a_handler_raises_is_the_failure_of_its_job(here, kind, sync):
    def in_thread():
        raise kind("out")

    async def on_the_loop():
        raise kind("out")

    document = one_job({"run": "h", "retry": {"attempts": 1}})
    async with here.app(document, {"h": in_thread if sync else on_the_loop}) as app:
        with pytest.raises(RunEnded) as ended:
            await (await app.start("w")).result(5)
        assert ended.value.error == kind.__name__
        assert await (await _start_noop(app)).result(5) == {"j": None}


async def _start_noop(app):
    await app.deploy(one_job({"run": "noop"}, "other"))
    return await app.start("other")


async def test_a_result_that_cannot_be_stored_fails_its_job_alone(stage):
    async def h():
        return {"open": object()}

    async with stage.app(one_job({"run": "h"}), {"h": h}) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded) as ended:
            await run.result(5)
        assert ended.value.error == "NotStorable"
        assert not await facts_of(app, run.id, "job.retried")


async def test_a_result_over_the_limit_fails_its_job_alone(stage):
    async def h():
        return "x" * 2_000

    async with stage.app(
        one_job({"run": "h"}), {"h": h}, limits=LimitSettings(result=1_000)
    ) as app:
        with pytest.raises(RunEnded) as ended:
            await (await app.start("w")).result(5)
        assert ended.value.error == "TooLarge"


async def test_two_that_start_it_turn_it_once(here):
    """Whoever opened the app, and the store that came to a process which stood by."""
    app = here.app(one_job({"run": "noop"}))
    await app.open()
    await asyncio.gather(app.service.start(), app.begin())
    turning = [task for task in asyncio.all_tasks() if task.get_name() == "ostinato-service"]
    await app.close()
    assert len(turning) == 1
