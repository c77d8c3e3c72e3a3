"""Limits at work: queues, rates, rejections, who gives way; none is lost in a crash."""

import asyncio

import pytest

from ostinato.errors import StoreError
from ostinato.ports import RunQuery
from tests.stage import Gate as Door
from tests.stage import one_job, reached, until, until_crash

AT_ONCE = {"run": "gate", "concurrency": {"key": "input.tenant", "limit": 2}}
JOBS = one_job(AT_ONCE)
RUNS = one_job({"run": "gate"}, concurrency={"key": "input.tenant", "limit": 1})


class Gate(Door):
    """``most`` is how many were in it at once."""

    def __init__(self):
        super().__init__()
        self.inside = self.most = 0

    async def __call__(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            return await super().__call__()
        finally:
            self.inside -= 1


async def places(app):
    return sorted((place.name, place.n) for place in await app.storage.places())


async def started(app, count, **input):
    return [await app.start("w", **input) for _ in range(count)]


async def test_so_many_jobs_are_at_work_and_the_others_wait_for_their_turn(stage):
    gate = Gate()
    async with stage.app(JOBS, handlers={"gate": gate}) as app:
        runs = await started(app, 5, tenant="a")
        other = await app.start("w", tenant="b")
        await until(lambda: gate.calls == 3)
        shown = [await app.run_view(run.id) for run in runs]
        assert [view.waiting_for for view in shown] == [None, None, "turn", "turn", "turn"]
        assert await places(app) == [
            ("concurrency:w/p/j:a", 0), ("concurrency:w/p/j:a", 1), ("concurrency:w/p/j:b", 0),
        ]  # fmt: skip
        gate.open.set()
        for run in [*runs, other]:
            await reached(app, run.id, "run.succeeded")
        assert gate.most <= 3
        assert await places(app) == []
        assert await app.storage.turns() == []


async def test_a_run_waits_for_its_turn_before_it_begins(stage):
    gate = Gate()
    async with stage.app(RUNS, handlers={"gate": gate}) as app:
        first, second = await started(app, 2, tenant="a")
        await gate.begun.wait()
        view = await app.run_view(second.id)
        assert (view.status, view.waiting_for, view.jobs) == ("pending", "turn", [])
        assert await app.count_runs(RunQuery(status=("pending",), waiting_for="turn")) == 1
        gate.open.set()
        await reached(app, second.id, "run.succeeded")
        ended = (await app.run_view(first.id)).ended_at
        assert (await app.run_view(second.id)).jobs[0].started_at >= ended
        assert await places(app) == []


async def test_a_run_that_waits_for_its_turn_can_be_cancelled(stage):
    gate = Gate()
    async with stage.app(RUNS, handlers={"gate": gate}) as app:
        first, second, third = await started(app, 3, tenant="a")
        await gate.begun.wait()
        assert (await app.cancel(second.id)).status == "cancelled"
        gate.open.set()
        await reached(app, third.id, "run.succeeded")
        assert await app.storage.turns() == []
        assert (await app.run_view(first.id)).status == "succeeded"


async def test_a_paused_run_holds_nobody_up_and_gets_its_turn_later(stage):
    gate = Gate()
    one = one_job(AT_ONCE | {"concurrency": {"limit": 1}})
    async with until_crash(stage.app(one, handlers={"gate": gate})) as app:
        _, second, third = await started(app, 3)
        await gate.begun.wait()
        await app.pause(second.id)
        assert [turn.run_id for turn in await app.storage.turns()] == [third.id]
        gate.open.set()
        await reached(app, third.id, "run.succeeded")
    async with stage.app(one, handlers={"gate": gate}) as app:
        assert (await app.run_view(second.id)).status == "paused"
        await app.resume(second.id)
        await reached(app, second.id, "run.succeeded")
        assert await places(app) == await app.storage.turns() == []


async def test_without_a_place_it_is_rejected(stage):
    gate = Gate()
    document = one_job({"run": "gate", "concurrency": {"limit": 1, "overflow": "reject"}})
    async with stage.app(document, handlers={"gate": gate}) as app:
        first, second = await started(app, 2)
        await reached(app, second.id, "run.failed")
        error = (await app.run_view(second.id)).error
        assert (error.name, error.job) == ("Rejected", "j")
        gate.open.set()
        await reached(app, first.id, "run.succeeded")


@pytest.mark.parametrize("level", ["job", "run"])
async def test_the_newest_takes_the_place_of_who_has_it(stage, level):
    gate = Gate()
    limit = {"concurrency": {"limit": 1, "overflow": "cancel-running"}}
    document = one_job({"run": "gate"} | (limit if level == "job" else {}))
    document |= limit if level == "run" else {}
    async with stage.app(document, handlers={"gate": gate}) as app:
        first = await app.start("w")
        await gate.begun.wait()
        second = await app.start("w")
        await reached(app, first.id, "run.failed" if level == "job" else "run.cancelled")
        if level == "job":
            assert (await app.run_view(first.id)).error.name == "Displaced"
        gate.open.set()
        await reached(app, second.id, "run.succeeded")
        assert await places(app) == []


async def test_a_rate_lets_a_burst_through_and_then_one_after_the_other(clocked):
    document = one_job({"run": "noop", "rate": {"limit": 3, "per": "30s"}})
    async with clocked.app(document) as app:
        runs = await started(app, 5)
        for run in runs[:3]:
            await reached(app, run.id, "run.succeeded")
        shown = [(await app.run_view(run.id)).waiting_for for run in runs[3:]]
        assert shown == ["turn", "turn"]
        clocked.jump(app, 10)
        await reached(app, runs[3].id, "run.succeeded")
        assert (await app.run_view(runs[4].id)).waiting_for == "turn"
        clocked.jump(app, 10)
        await reached(app, runs[4].id, "run.succeeded")


async def test_who_has_the_higher_priority_goes_first(stage):
    gate = Gate()
    limited = {"run": "gate", "concurrency": {"key": "'one'", "limit": 1}}
    async with stage.app(one_job(limited), handlers={"gate": gate}) as app:
        runs = await started(app, 3)
        await gate.begun.wait()
        turns = await app.storage.turns()
        assert [turn.run_id for turn in turns] == [run.id for run in runs[1:]]
        gate.open.set()
        for run in runs:
            await reached(app, run.id, "run.succeeded")


async def test_places_and_turns_outlive_a_crash(stage):
    gate = Gate()
    async with until_crash(stage.app(JOBS, handlers={"gate": gate})) as app:
        runs = await started(app, 4, tenant="a")
        await until(lambda: gate.calls == 2)
    gate = Gate()
    gate.open.set()
    async with stage.app(JOBS, handlers={"gate": gate}) as app:
        for run in runs:
            await reached(app, run.id, "run.succeeded")
        assert gate.most <= 2
        assert (await places(app), await app.storage.turns()) == ([], [])


async def test_a_key_that_is_null_fails_the_job(stage):
    async with stage.app(JOBS) as app:
        run = await app.start("w")
        await reached(app, run.id, "run.failed")
        error = (await app.run_view(run.id)).error
        assert error.name == "ExpressionError"
        assert "concurrency.key" in error.message


async def test_many_runs_of_many_keys_all_end(stage):
    document = one_job(
        {"run": "noop", "concurrency": {"key": "input.tenant", "limit": 2}},
        concurrency={"limit": 7},
    )
    async with stage.app(document) as app:
        runs = await asyncio.gather(*(app.start("w", tenant=n % 5) for n in range(200)))
        for run in runs:
            await reached(app, run.id, "run.succeeded")
        assert (await places(app), await app.storage.turns()) == ([], [])


@pytest.mark.parametrize("read", ["places", "buckets", "turns"])
async def test_who_has_a_place_is_known_though_the_store_failed_at_first(stage, read):
    """Something is asked before the app turns, and one of the reads that come first fails."""
    gate = Gate()
    async with until_crash(stage.app(RUNS, handlers={"gate": gate})) as app:
        first, second = await started(app, 2, tenant="a")
        await gate.begun.wait()
    app = stage.app(RUNS, handlers={"gate": gate})
    await app.open()
    try:
        working = getattr(app.storage, read)

        async def failing():
            setattr(app.storage, read, working)
            raise StoreError("a bad day")

        setattr(app.storage, read, failing)
        with pytest.raises(StoreError, match="a bad day"):
            await app.emit("HELLO")
        await app.begin()
        third = await app.start("w", tenant="a")
        gate.open.set()
        for run in (first, second, third):
            await reached(app, run.id, "run.succeeded")
        ends = [(await app.run_view(run.id)).ended_at for run in (first, second)]
        assert (await app.run_view(second.id)).jobs[0].started_at >= ends[0]
        assert (await app.run_view(third.id)).jobs[0].started_at >= ends[1]
    finally:
        await app.close()


async def test_a_rate_that_is_not_asked_for_any_more_is_forgotten(clocked):
    """Keys come and go: neither the store nor memory keeps one that is as if it had never been."""
    rate = one_job({"run": "noop", "rate": {"key": "input.n", "limit": 1, "per": "1s"}})
    async with clocked.app(rate) as app:
        for number in range(30):
            await (await app.start("w", n=str(number))).result(5)
            clocked.jump(app, 2_000)
        kept = await app.storage.buckets()
        assert len(kept) < 5
        assert app.service.limiter._full_at.keys() == kept.keys()


async def test_who_waits_under_a_rate_is_looked_at_when_it_is_time_and_nobody_else(clocked):
    rate = one_job({"run": "noop", "rate": {"key": "input.n", "limit": 1, "per": "1h"}})
    async with clocked.app(rate) as app:
        for number in range(50):
            await (await app.start("w", n=str(number))).result(5)
        waiting = await app.start("w", n="7")
        await reached(app, waiting.id, "job.queued")
        limiter, looked = app.service.limiter, []
        served = limiter._served
        limiter._served = lambda name, now: looked.append(name) or served(name, now)
        clocked.jump(app, 3_600_000)
        await waiting.result(5)
        assert len(looked) == 1
