"""What a dead process left goes on in the next one; a stop hands over what has not ended."""

import asyncio
import threading

import pytest

from ostinato.app import Run, RunEnded
from ostinato.errors import StoreError, StoreLocked
from ostinato.ports import Batch, RunQuery
from ostinato.runtime import executor
from ostinato.testing.history_checker import check_store
from tests.stage import Gate, crash, facts_of, one_job, reached, types_of, until_crash

TWO = {
    "workflow": "w",
    "phases": [
        {"phase": "p", "jobs": [{"job": "a", "run": "gate"}]},
        {"phase": "q", "jobs": [{"job": "b", "run": "noop"}]},
    ],
}


async def test_a_job_that_was_at_work_is_started_again_after_a_start_fact(stage):
    first, second = Gate(), Gate()
    second.open.set()
    async with until_crash(stage.app(TWO, {"gate": first.__call__})) as app:
        run = await app.start("w")
        await first.begun.wait()
    async with stage.app(TWO, {"gate": second.__call__}) as app:
        await Run(app, run.id).result(5)
        about_a = [f for f in await app.history(run.id) if f.get("key") == "p/a"]
        told = [(fact["type"], fact.get("attempt")) for fact in about_a]
        assert told == [
            ("job.ready", 1),
            ("job.abandoned", 1),
            ("job.started", 2),
            ("job.succeeded", 2),
        ]
        assert (first.calls, second.calls) == (1, 1)


async def test_the_start_fact_is_stored_before_the_job_starts_again(here):
    async with until_crash(here.app(TWO, {"gate": Gate().__call__})) as app:
        run = await app.start("w")
    gate, store = Gate(), here.place.store()
    commit, go = store.commit, asyncio.Event()

    async def held(batch: Batch):
        if any(b"job.abandoned" in record.data for record in batch.records):
            assert not gate.begun.is_set()
            await go.wait()
            assert not gate.begun.is_set()
        await commit(batch)

    store.commit = held
    async with here.app(TWO, {"gate": gate.__call__}, store=store) as app:
        go.set()
        gate.open.set()
        await Run(app, run.id).result(5)


async def test_a_job_that_kills_its_process_is_given_up_after_three_deaths(stage):
    run_id = ""
    for _ in range(4):
        gate = Gate()
        async with until_crash(stage.app(TWO, {"gate": gate.__call__})) as app:
            run_id = run_id or (await app.start("w")).id
            await gate.begun.wait()
    async with stage.app(TWO, {"gate": Gate().__call__}) as app:
        with pytest.raises(RunEnded) as ended:
            await Run(app, run_id).result(5)
        assert ended.value.error == "Abandoned"
        assert len(await facts_of(app, run_id, "job.started")) == 3


def many(count, run="long", name="w"):
    jobs = [{"job": f"j{number}", "run": run} for number in range(count)]
    return {"workflow": name, "phases": [{"phase": "p", "jobs": jobs}]}


async def test_quick_kills_end_no_innocent_job(stage):
    """Twenty long jobs are in hand at each of six kills; then all of them end."""
    run_id = ""
    for _ in range(6):
        gate = Gate()
        async with until_crash(stage.app(many(20), {"long": gate.__call__})) as app:
            run_id = run_id or (await app.start("w")).id
            await gate.begun.wait()
    gate = Gate()
    gate.open.set()
    async with stage.app(many(20), {"long": gate.__call__}) as app:
        await Run(app, run_id).result(10)
    storage = stage.place.store()
    await storage.open()
    assert await check_store(storage, app._catalog.graph) == []
    await storage.close()


@pytest.mark.parametrize("sync", [False, True])
async def test_a_poison_job_is_given_up_and_its_neighbours_succeed(stage, sync):
    """It kills its process each time that it begins, while its neighbours are at work."""
    jobs = [{"job": "bad", "run": "poison", "optional": True}]
    jobs += [{"job": f"j{number}", "run": "long"} for number in range(8)]
    document = {"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}
    run_id, kills = "", 0
    while True:
        loop, killed, held = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        async def poison(killed=killed):
            killed.set()
            await asyncio.Event().wait()

        def poison_thread(killed=killed, held=held, loop=loop):
            loop.call_soon_threadsafe(killed.set)
            held.wait(20)

        async def long(seconds=0.02 if kills > 1 else 5):
            await asyncio.sleep(seconds)

        bad = poison_thread if sync else poison
        app = stage.app(document, {"poison": bad, "long": long})
        await app.__aenter__()
        run_id = run_id or (await app.start("w")).id
        ended = asyncio.ensure_future(Run(app, run_id).result(20))
        died = asyncio.ensure_future(killed.wait())
        await asyncio.wait({ended, died}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            break
        kills += 1
        await crash(app)
        held.set()
        ended.cancel()
    view = {job.key: job.status for job in (await Run(app, run_id).view()).jobs}
    assert view == {"p/bad": "failed"} | {f"p/j{number}": "succeeded" for number in range(8)}
    (failed,) = await facts_of(app, run_id, "job.failed")
    assert failed["error"].name == "Abandoned"
    assert kills == 4
    died.cancel()
    await app.close()


async def test_a_suspect_begins_after_its_start_fact_and_can_be_cancelled(here):
    for _ in range(2):
        gate = Gate()
        async with until_crash(here.app(many(3), {"long": gate.__call__})) as app:
            if not await app.count_runs(RunQuery()):
                run = await app.start("w")
            await gate.begun.wait()
    gate = Gate()
    async with here.app(many(3), {"long": gate.__call__}) as app:
        await gate.begun.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        assert (gate.calls, len(app.service.executor)) == (1, 2)
        started = await facts_of(app, run.id, "job.started")
        assert sorted(fact["attempt"] for fact in started) == [2, 2, 2, 3]
        await app.cancel(run.id)
        with pytest.raises(RunEnded):
            await Run(app, run.id).result(5)


async def test_a_suspect_that_lives_on_lets_the_next_one_begin(here, monkeypatch):
    monkeypatch.setattr(executor, "PROBATION", 0.01)
    for _ in range(2):
        gate = Gate()
        async with until_crash(here.app(many(3), {"long": gate.__call__})) as app:
            if not await app.count_runs(RunQuery()):
                run = await app.start("w")
            await gate.begun.wait()
    gate = Gate()
    async with here.app(many(3), {"long": gate.__call__}) as app:
        while gate.calls < 3:
            await asyncio.sleep(0.001)
        gate.open.set()
        await Run(app, run.id).result(5)


async def test_a_suspect_that_waits_at_a_stop_is_no_death(stage):
    run_id = ""
    for number in range(6):
        gate = Gate()
        app = stage.app(many(3), {"long": gate.__call__})
        await app.__aenter__()
        run_id = run_id or (await app.start("w")).id
        await gate.begun.wait()
        await (crash(app) if number < 2 else app.close(drain=0))
    gate.open.set()
    async with stage.app(many(3), {"long": gate.__call__}) as app:
        await Run(app, run_id).result(5)
    storage = stage.place.store()
    await storage.open()
    assert await check_store(storage, app._catalog.graph) == []
    await storage.close()


async def test_what_only_waited_is_left_alone(stage):
    async with until_crash(stage.app(one_job({"wait": "1h"}))) as app:
        run = await app.start("w")
        before = await app.history(run.id)
    async with stage.app(one_job({"wait": "1h"})) as app:
        assert await app.history(run.id) == before


async def test_a_timer_that_was_due_while_nobody_ran_fires_at_once(clocked):
    async with until_crash(clocked.app(one_job({"wait": "1h"}))) as app:
        run = await app.start("w")
    clocked.clock.time += 2 * 3_600_000
    async with clocked.app(one_job({"wait": "1h"})) as app:
        await Run(app, run.id).result(5)


async def test_a_wait_for_an_answer_survives(stage):
    document = one_job({"run": "noop", "callback": True})
    async with until_crash(stage.app(document)) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        (wait,) = (await run.view()).waits
    async with stage.app(document) as app:
        await app.answer(wait.token, output=1)
        assert await Run(app, run.id).result(5) == {"j": 1}


async def test_what_is_being_cancelled_ends_cancelled(stage):
    async def deaf():
        begun.set()
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    begun, free = asyncio.Event(), asyncio.Event()
    app = stage.app(one_job({"run": "h"}), {"h": deaf})
    await app.__aenter__()
    run = await app.start("w")
    await begun.wait()
    await app.cancel(run.id)
    free.set()
    await crash(app)
    async with stage.app(one_job({"run": "h"}), {"h": deaf}) as app:
        with pytest.raises(RunEnded) as ended:
            await Run(app, run.id).result(5)
        assert ended.value.status == "cancelled"


async def test_a_running_run_keeps_the_version_it_started_with(stage):
    gate = Gate()
    async with until_crash(stage.app(TWO, {"gate": gate.__call__})) as app:
        run = await app.start("w")
        await gate.begun.wait()
    newer = one_job({"run": "noop"})
    again = Gate()
    again.open.set()
    async with stage.app(newer, {"gate": again.__call__}) as app:
        assert await Run(app, run.id).result(5) == {"b": None}
        assert (await Run(app, run.id).view()).version == 1


async def test_many_crashes_in_a_row_lose_nothing(stage):
    jobs = [
        {"job": "x", "run": "noop"},
        {
            "job": "f",
            "run": "flaky",
            "with": {"times": 1},
            "retry": {"attempts": 9, "delay": "1ms"},
        },
        {"job": "t", "wait": "1ms"},
        {"job": "e", "emit": {"type": "DONE"}},
    ]
    document = {"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}
    runs = []
    for number in range(6):
        async with until_crash(stage.app(document)) as app:
            runs += [(await app.start("w")).id for _ in range(10)]
            for _ in range(number):
                await asyncio.sleep(0)
    async with stage.app(document) as app:
        for run_id in runs:
            await Run(app, run_id).result(10)
            assert (await types_of(app, run_id)).count("job.succeeded") == 4
    storage = stage.place.store()
    await storage.open()
    found = await check_store(storage, app._catalog.graph)
    assert [one for one in found if one.rule != "outbox.left"] == []
    await storage.close()


# a stop


async def test_a_stop_lets_running_jobs_end_and_stores_what_they_say(stage):
    gate = Gate()
    app = stage.app(TWO, {"gate": gate.__call__})
    async with app:
        run = await app.start("w")
        await gate.begun.wait()
        closing = asyncio.create_task(app.close(drain=5))
        await asyncio.sleep(0)
        gate.open.set()
        await closing
    async with stage.app(TWO, {"gate": gate.__call__}) as app:
        await Run(app, run.id).result(5)
        assert gate.calls == 1
        (done, _) = await facts_of(app, run.id, "job.succeeded")
        assert (done["key"], done["attempt"]) == ("p/a", 1)


async def test_a_stop_starts_nothing_more_and_hands_the_rest_over(stage):
    gate = Gate()
    async with stage.app(TWO, {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        await app.close(drain=0)
    again = Gate()
    again.open.set()
    async with stage.app(TWO, {"gate": again.__call__}) as app:
        await Run(app, run.id).result(5)
    assert (gate.calls, again.calls) == (1, 1)


async def test_a_stop_is_no_death(stage):
    """However often: a job that outlives each drain is handed over, and ends at last."""
    run_id = ""
    for _ in range(5):
        gate = Gate()
        async with stage.app(TWO, {"gate": gate.__call__}) as app:
            run_id = run_id or (await app.start("w")).id
            await gate.begun.wait()
            await app.close(drain=0)
    gate.open.set()
    async with stage.app(TWO, {"gate": gate.__call__}) as app:
        await Run(app, run_id).result(5)
        assert len(await facts_of(app, run_id, "job.returned")) == 5
    storage = stage.place.store()
    await storage.open()
    assert await check_store(storage, app._catalog.graph) == []
    await storage.close()


async def test_a_thread_that_outlives_a_stop_is_handed_over(here):
    free, begun = threading.Event(), threading.Event()

    def stays():
        begun.set()
        free.wait(20)

    async with here.app(one_job({"run": "h"}), {"h": stays}) as app:
        run = await app.start("w")
        await asyncio.to_thread(begun.wait)
        await app.close(drain=0)
    storage = here.place.store()
    await storage.open()
    records = await storage.history(run.id)
    assert b"job.returned" in records[-1].data
    await storage.close()
    free.set()


async def test_a_stop_takes_no_new_starts(here):
    gate = Gate()
    async with here.app(TWO, {"gate": gate.__call__}) as app:
        await app.start("w")
        await gate.begun.wait()
        service = app.service
        stopping = asyncio.create_task(service.stop(5))
        await asyncio.sleep(0)
        assert not app.health()["ready"]
        with pytest.raises(Exception, match="has stopped before this was stored"):
            await app.start("w")
        gate.open.set()
        await stopping


async def test_a_second_owner_is_refused(stage):
    async with stage.app(TWO, {"gate": Gate().__call__}):
        with pytest.raises(StoreLocked):
            async with stage.app(TWO, {"gate": Gate().__call__}):
                pass


async def test_a_takeover_that_fails_leaves_the_store_free(stage):
    store = stage.place.store()
    busy_runs = store.busy_runs

    async def failing(partitions=None):
        raise StoreError("the disk is gone")

    store.busy_runs = failing
    app = stage.app(TWO, {"gate": Gate().__call__}, store=store)
    with pytest.raises(StoreError):
        await app.__aenter__()
    store.busy_runs = busy_runs
    async with stage.app(TWO, {"gate": Gate().__call__}) as app:
        assert app.health()["ready"]
