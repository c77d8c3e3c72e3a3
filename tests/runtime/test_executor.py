"""Slots, deadlines and cancellation, whatever handlers do."""

import asyncio
import contextvars
import threading

import pytest

from ostinato import App
from ostinato.app import RunEnded
from ostinato.config import Settings
from ostinato.config.settings import LimitSettings, SlotSettings
from ostinato.core import events as e
from ostinato.errors import Busy
from ostinato.runtime import executor as executors
from ostinato.runtime.handlers import Job
from ostinato.runtime.posts import Tell
from tests.stage import Gate, facts_of, one_job, reached, types_of, until

ONCE = {"retry": {"attempts": 1}}
AGAIN = {"retry": {"attempts": 2, "delay": "1ms"}}
VARIABLE = contextvars.ContextVar("variable", default="clean")


def many(count, run="gate", name="w"):
    jobs = [{"job": f"j{number}", "run": run} for number in range(count)]
    return {"workflow": name, "phases": [{"phase": "p", "jobs": jobs}]}


@pytest.fixture
def soon_long(monkeypatch):
    monkeypatch.setattr(executors, "LONG", 0.02)


# slots


async def test_no_more_jobs_start_than_there_are_slots(here):
    gate = Gate()
    async with here.app(many(50), {"gate": gate.__call__}, slots=SlotSettings(handlers=5)) as app:
        run = await app.start("w")
        await until(lambda: gate.calls == 5)
        for _ in range(20):
            await asyncio.sleep(0)
        assert (gate.calls, app.service.executor.running, len(app.service.executor)) == (5, 5, 45)
        gate.open.set()
        await run.result(10)
        assert gate.calls == 50


async def test_ten_thousand_ready_jobs_do_not_start_at_once(here):
    gate = Gate()
    document = {
        "workflow": "w",
        "phases": [
            {
                "phase": "p",
                "each": {"in": "input.items", "as": "it", "at_once": 10_000},
                "jobs": [{"job": "j", "run": "gate"}],
            }
        ],
    }
    async with here.app(document, {"gate": gate.__call__}) as app:
        run = await app.start("w", items=list(range(10_000)))
        await until(lambda: gate.calls == 1_000)
        for _ in range(10):
            await asyncio.sleep(0)
        assert gate.calls == app.service.executor.running == 1_000
        gate.open.set()
        await run.result(30)


async def test_a_small_workflow_does_not_wait_behind_a_big_one(here):
    gate, order = Gate(), []

    async def note(job: Job):
        order.append(job.workflow)

    handlers = {"gate": gate.__call__, "note": note}
    async with here.app(many(1), handlers, slots=SlotSettings(handlers=1)) as app:
        await app.deploy(many(200, "note", "big"))
        await app.deploy(many(3, "note", "small"))
        first = await app.start("w")
        await gate.begun.wait()  # the only slot is taken: what follows stands in the heap
        big, small = await app.start("big"), await app.start("small")
        gate.open.set()
        await asyncio.gather(first.result(10), big.result(10), small.result(10))
    assert order[:6].count("small") == 3


async def test_quick_jobs_leave_turns_to_the_loop(here):
    """A thousand handlers that never wait take more than one turn."""
    turns, going = [], True

    async def busy():
        end = asyncio.get_running_loop().time() + 0.001
        while asyncio.get_running_loop().time() < end:
            pass

    async def count():
        while going:
            turns.append(1)
            await asyncio.sleep(0)

    async with here.app(many(300, "busy"), {"busy": busy}, slots=SlotSettings(handlers=1)) as app:
        run = await app.start("w")
        counter = asyncio.create_task(count())
        await run.result(20)
        going = False
        await counter
    assert len(turns) > 20


async def test_beyond_the_bound_of_ready_jobs_a_start_is_refused_or_waits(here):
    gate = Gate()
    limits, slots = LimitSettings(ready=10), SlotSettings(handlers=1)
    async with here.app(many(1), {"gate": gate.__call__}, limits=limits, slots=slots) as app:
        runs = [await app.start("w") for _ in range(11)]
        await gate.begun.wait()
        assert len(app.service.executor) == 10
        with pytest.raises(Busy, match=r"limits\.ready") as refused:
            await app.start_run("w", {}, wait=False)
        assert refused.value.retry_after > 0
        assert app.health()["reason"] == "full"
        waiting = asyncio.create_task(app.start("w"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        gate.open.set()
        run = await asyncio.wait_for(waiting, 5)
        await asyncio.gather(run.result(5), *(run.result(5) for run in runs))


async def test_who_waits_for_room_is_woken_though_no_job_has_ended(here):
    """The job that gives its place up in the heap may itself take for ever."""
    first, second = Gate(), Gate()
    handlers = {"first": first.__call__, "second": second.__call__}
    limits, slots = LimitSettings(ready=1), SlotSettings(handlers=1)
    async with here.app(many(1, "first"), handlers, limits=limits, slots=slots) as app:
        await app.deploy(many(1, "second", "v"))
        run = await app.start("w")
        await first.begun.wait()
        await app.start("v")
        waiting = asyncio.create_task(app.start("v"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        first.open.set()
        await run.result(5)
        await asyncio.wait_for(waiting, 5)
        second.open.set()


async def test_who_waits_for_room_when_the_engine_stops_is_told(here):
    gate = Gate()
    limits, slots = LimitSettings(ready=1), SlotSettings(handlers=1)
    app = here.app(many(1), {"gate": gate.__call__}, limits=limits, slots=slots)
    async with app:
        await app.start("w")
        await gate.begun.wait()
        await app.start("w")
        waiting = asyncio.create_task(app.start("w"))
        await asyncio.sleep(0)
        await app.close(drain=0)
    with pytest.raises(Exception, match="stopp"):
        await waiting


# contexts


async def test_context_variables_do_not_leak_from_job_to_job(here):
    seen = []

    async def leave(job: Job):
        seen.append(VARIABLE.get())
        VARIABLE.set(job.key)

    async with here.app(many(20, "leave"), {"leave": leave}, slots=SlotSettings(handlers=1)) as app:
        await (await app.start("w")).result(5)
    assert seen == ["clean"] * 20


async def test_context_variables_do_not_leak_between_threads(here):
    seen = []

    def leave(job: Job):
        seen.append(VARIABLE.get())
        VARIABLE.set(job.key)

    async with here.app(many(20, "leave"), {"leave": leave}, slots=SlotSettings(threads=1)) as app:
        await (await app.start("w")).result(5)
    assert seen == ["clean"] * 20


# threads


async def test_sync_handlers_run_in_threads(here):
    def where():
        return threading.current_thread().name

    async with here.app(one_job({"run": "where"}), {"where": where}) as app:
        output = await (await app.start("w")).result(5)
    assert output["j"].startswith("ostinato-handler")


async def test_sync_handlers_do_not_take_the_slots_of_async_ones(here):
    go = threading.Event()
    slots = SlotSettings(handlers=2, threads=1)
    async with here.app(many(10, "block"), {"block": go.wait}, slots=slots) as app:
        await app.deploy(one_job({"run": "noop"}, "quick"))
        blocked = await app.start("w")
        await (await app.start("quick")).result(5)
        assert app.service.executor.running == 1
        go.set()
        await blocked.result(5)


async def test_the_time_out_of_a_sync_job_does_not_count_its_wait_for_a_thread(here):
    go = threading.Event()

    def first():
        go.wait()

    def second():
        return "done"

    document = {
        "workflow": "w",
        "phases": [
            {
                "phase": "p",
                "jobs": [
                    {"job": "a", "run": "first"},
                    {"job": "b", "run": "second", "timeout": "30ms"} | ONCE,
                ],
            }
        ],
    }
    handlers = {"first": first, "second": second}
    async with here.app(document, handlers, slots=SlotSettings(threads=1)) as app:
        run = await app.start("w")
        expired = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, expired.set)
        await expired.wait()
        go.set()
        assert (await run.result(5))["b"] == "done"


async def test_a_sync_handler_that_gives_an_awaitable_is_awaited(here):
    async def later():
        return 7

    async with here.app(one_job({"run": "h"}), {"h": lambda: later()}) as app:
        assert await (await app.start("w")).result(5) == {"j": 7}


async def test_stop_iteration_in_a_thread_is_a_failure(here):
    def bad():
        raise StopIteration

    async with here.app(one_job({"run": "bad"} | ONCE), {"bad": bad}) as app:
        with pytest.raises(RunEnded, match="StopIteration"):
            await (await app.start("w")).result(5)


# time-outs


@pytest.fixture
def hour_later(monkeypatch):
    """Called, it makes due what is due within the hour; what begins after that has all its time."""

    def jump():
        loop = asyncio.get_running_loop()
        time = loop.time
        monkeypatch.setattr(loop, "time", lambda: time() + 3600)

    return jump


async def test_an_async_attempt_that_takes_too_long_is_cancelled_and_tried_again(here):
    stopped = []

    async def slow(job: Job):
        if job.attempt == 1:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(job.cancelled)
        return job.attempt

    async with here.app(one_job({"run": "slow", "timeout": "20ms"} | AGAIN), {"slow": slow}) as app:
        run = await app.start("w")
        assert await run.result(5) == {"j": 2}
        (retried,) = await facts_of(app, run.id, "job.retried")
        assert retried["error"].name == "Timeout"
    assert stopped == [True]


async def test_a_thread_that_will_not_stop_keeps_its_slot_and_is_shown(here, hour_later):
    begun, go = threading.Event(), threading.Event()

    def stubborn(job: Job):
        if job.attempt == 1:
            begun.set()
            go.wait()
        return job.attempt

    document = one_job({"run": "stubborn", "timeout": "1h"} | AGAIN)
    async with here.app(document, {"stubborn": stubborn}, slots=SlotSettings(threads=2)) as app:
        run = await app.start("w")
        await asyncio.to_thread(begun.wait)
        hour_later()
        try:
            assert await run.result(30) == {"j": 2}  # though the first is still at it
            assert app.health()["overdueJobs"] == 1
            assert app.service.executor.running == 1
        finally:
            go.set()
        await until(lambda: not app.service.executor.running)
        assert app.health()["overdueJobs"] == 0
        assert (await types_of(app, run.id)).count("job.succeeded") == 1


async def test_a_handler_that_ignores_its_cancellation_does_not_hold_up_its_run(here):
    free = asyncio.Event()

    async def deaf(job: Job):
        while job.attempt == 1 and not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue
        return job.attempt

    document = one_job({"run": "deaf", "timeout": "20ms"} | AGAIN)
    async with here.app(document, {"deaf": deaf}) as app:
        run = await app.start("w")
        assert await run.result(5) == {"j": 2}
        assert app.service.executor.overdue == 1
        free.set()
        await until(lambda: not app.service.executor.running)


async def test_a_time_out_that_meets_a_normal_end_does_not_hit_the_next_job(here):
    """The cancellation comes when the handler's awaited thing is already there."""
    seen = []

    async def first():
        task = asyncio.current_task()
        ready = asyncio.get_running_loop().create_future()
        ready.set_result(None)
        loop = asyncio.get_running_loop()
        executor = app.service.executor
        (attempt,) = (one for one in executor._running.values() if one.task is task)
        loop.call_soon(executor._time_out, attempt)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return "ended all the same"

    async def next_one():
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        seen.append(task.cancelling())
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return "ok"

    document = {
        "workflow": "w",
        "phases": [
            {
                "phase": "p",
                "jobs": [
                    {"job": "a", "run": "first", "optional": True} | ONCE,
                    {"job": "b", "run": "next"},
                ],
            }
        ],
    }
    handlers = {"first": first, "next": next_one}
    app = here.app(document, handlers, slots=SlotSettings(handlers=1))
    async with app:
        run = await app.start("w")
        output = await run.result(5)
        assert output["b"] == "ok"
        assert (await facts_of(app, run.id, "job.failed"))[0]["error"].name == "Timeout"
    assert seen == [0]


async def test_an_earlier_deadline_is_not_missed_behind_a_later_one(here):
    document = {
        "workflow": "w",
        "phases": [
            {
                "phase": "p",
                "jobs": [
                    {"job": "a", "run": "gate", "timeout": "1h"},
                    {"job": "b", "run": "gate", "timeout": "20ms", "optional": True} | ONCE,
                ],
            }
        ],
    }
    gate = Gate()
    async with here.app(document, {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.failed", "p/b")
        gate.open.set()
        await run.result(5)


# cancellation


async def test_a_running_async_handler_is_cancelled_with_its_run(stage):
    gate, stopped = Gate(), []

    async def watched():
        try:
            await gate()
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    async with stage.app(one_job({"run": "h"}), {"h": watched}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        await app.cancel(run.id, why="enough")
        with pytest.raises(RunEnded) as ended:
            await run.result(5)
        assert ended.value.status == "cancelled"
        assert stopped == [True]
        assert "job.cancelled" in await types_of(app, run.id)


async def test_a_ready_job_is_cancelled_without_ever_starting_and_without_waiting_for_a_slot(here):
    gate = Gate()
    async with here.app(
        one_job({"run": "gate"}), {"gate": gate.__call__}, slots=SlotSettings(handlers=1)
    ) as app:
        first = await app.start("w")
        await gate.begun.wait()
        second = await app.start("w")
        await app.cancel(second.id)
        with pytest.raises(RunEnded):
            await second.result(5)
        gate.open.set()
        await first.result(5)
        assert gate.calls == 1


async def test_a_job_that_is_ready_and_cancelled_in_one_commit_never_starts(here):
    begun = []

    async def unlucky():
        begun.append(True)
        raise ConnectionError

    retry = {"attempts": 3, "delay": "1h"}
    async with here.app(one_job({"run": "h", "retry": retry}), {"h": unlucky}) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.retried")
        engine = app.service.engine
        due = engine.residents.get(run.id).state.steps["p/j"].due_at
        engine.post(Tell(run.id, e.TimerFired("p/j", "retry", due)))
        engine.post(Tell(run.id, e.CancelRequested()))
        with pytest.raises(RunEnded):
            await run.result(5)
        assert (await types_of(app, run.id)).count("job.ready") == 2
        assert begun == [True]


async def test_a_thread_is_asked_to_stop(here):
    begun = threading.Event()

    def polite(job: Job):
        begun.set()
        while not job.cancelled:
            threading.Event().wait(0.001)
        return "stopped in time"

    async with here.app(one_job({"run": "polite"}), {"polite": polite}) as app:
        run = await app.start("w")
        await asyncio.to_thread(begun.wait)
        await app.cancel(run.id)
        with pytest.raises(RunEnded):
            await run.result(5)


async def test_a_handler_that_ignores_the_cancel_of_its_run_is_given_its_grace(clocked):
    free, begun = asyncio.Event(), asyncio.Event()

    async def deaf():
        begun.set()
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    async with clocked.app(one_job({"run": "deaf"}), {"deaf": deaf}) as app:
        run = await app.start("w")
        await begun.wait()
        await app.cancel(run.id)
        with pytest.raises(TimeoutError):
            await run.result(0)
        clocked.jump(app, 11)
        with pytest.raises(RunEnded):
            await run.result(5)
        free.set()


async def test_an_outcome_that_comes_in_the_grace_counts(here):
    begun = asyncio.Event()

    async def finishing():
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cleaned up"

    async with here.app(one_job({"run": "h"}), {"h": finishing}) as app:
        run = await app.start("w")
        await begun.wait()
        await app.cancel(run.id)
        with pytest.raises(RunEnded):
            await run.result(5)
        (done,) = await facts_of(app, run.id, "job.succeeded")
        assert bytes(done["output"]) == b'"cleaned up"'


async def test_a_cancellation_that_nobody_asked_for_is_a_failure(here):
    async def confused():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with here.app(one_job({"run": "h"} | ONCE), {"h": confused}) as app:
        with pytest.raises(RunEnded, match="CancelledError"):
            await (await app.start("w")).result(5)


# jobs that take long


async def test_a_job_that_takes_long_gets_a_start_fact(stage, soon_long):
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.started")
        gate.open.set()
        await run.result(5)


async def test_a_quick_job_gets_none(stage):
    async with stage.app(one_job({"run": "noop"})) as app:
        run = await app.start("w")
        await run.result(5)
        assert await types_of(app, run.id) == [
            "run.started",
            "phase.opened",
            "job.ready",
            "job.succeeded",
            "phase.ended",
            "run.succeeded",
        ]
        assert len(await app.storage.history(run.id)) == 2  # n + 1 records for n steps


async def test_closing_does_not_wait_for_a_handler_that_ignores_it(monkeypatch):
    monkeypatch.setattr(executors, "LAST_WORDS", 0.05)
    free, begun = asyncio.Event(), asyncio.Event()

    async def deaf():
        begun.set()
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    app = App(Settings(store="memory:"))
    app.handler("deaf")(deaf)
    app.workflow_document(one_job({"run": "deaf"}))
    async with app:
        await app.start("w")
        await begun.wait()
        await asyncio.wait_for(app.close(drain=0), 5)
    free.set()
    await asyncio.sleep(0)


async def test_a_job_that_was_answered_before_a_slot_came_to_it_never_begins(here):
    gate, begun = Gate(), []

    async def late(job: Job):
        begun.append(job.key)

    document = many(2)
    document["phases"][0]["jobs"][1] |= {"run": "late", "callback": True}
    handlers = {"gate": gate.__call__, "late": late}
    async with here.app(document, handlers, slots=SlotSettings(handlers=1)) as app:
        run = await app.start("w")
        await gate.begun.wait()
        there = await app.service.engine.residents.load(run.id)
        await app.answer(there.state.token("p/j1"), output="by itself")
        gate.open.set()
        assert (await run.result(5))["j1"] == "by itself"
        assert begun == []
