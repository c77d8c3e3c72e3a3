"""The bad input that every engine meets, each by its name: it ends clearly, and alone.

What has a test of its own is elsewhere: handlers that ignore their cancellation in
``test_executor``, clocks that jump in ``test_timers`` and ``test_schedules``, loops in
``core/test_bounds``, sizes in ``test_limits``.
"""

import asyncio

import pytest

from ostinato.app import RunEnded
from ostinato.errors import DefinitionError
from ostinato.ports import EventQuery, RunQuery
from tests.stage import Clock, one_job, reached

EACH = one_job({"run": "noop", "each": {"in": "input.l", "as": "item"}})


async def test_a_result_of_5_mb_is_kept_whole(stage):
    large = "x" * ((5 << 20) - 2)
    async with stage.app(one_job({"run": "h"}), {"h": lambda: large}) as app:
        run = await app.start("w")
        assert await run.result(30) == {"j": large}
    async with stage.app() as app:
        assert len((await app.run_view(run.id)).output) == len('{"j":}') + (5 << 20)


async def test_a_result_beyond_5_mb_fails_its_job_and_is_not_tried_again(stage):
    calls = []

    def more():
        calls.append(1)
        return "x" * ((5 << 20) - 1)

    async with stage.app(one_job({"run": "h", "retry": 5}), {"h": more}) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded, match=r"5,242,881 bytes.*5,242,880 \(limits\.result\)"):
            await run.result(30)
        assert len(calls) == 1


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([0] * 1_000_000, "1,000,000 items are more than 100,000 steps"),
        ([0] * 200_000, "200,000 items are more than 100,000 steps"),
    ],
    ids=["a million", "more than the steps of a run"],
)
async def test_an_each_over_too_many_items_begins_none(stage, items, says):
    async with stage.app(EACH) as app:
        run = await app.start("w", l=items)
        with pytest.raises(RunEnded, match=says) as ended:
            await run.result(30)
        assert ended.value.error == "ExpressionError"
        assert [job.status for job in (await run.view()).jobs] == ["failed"]


async def test_a_poll_that_never_comes_to_hold_ends_by_its_limit(stage):
    job = {"run": "noop", "repeat": {"until": "output == 1", "every": "1ms", "limit": 20}}
    async with stage.app(one_job(job)) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded, match="did not hold after 20 times"):
            await run.result(30)


async def test_an_undo_that_fails_for_ever_waits_for_a_person_and_can_be_skipped(stage):
    stage.clock = Clock()
    document = {"workflow": "w", "phases": [{"phase": "p", "mode": "sequential", "jobs": [
        {"job": "a", "run": "noop", "undo": "broken"},
        {"job": "b", "run": "fail"},
    ]}], "finally": [{"job": "last", "run": "noop"}]}  # fmt: skip
    calls = []

    def broken():
        calls.append(1)
        raise OSError("the other side is gone")

    async with stage.app(document, {"broken": broken}) as app:
        run = await app.start("w")
        for count in (1, 2):
            await reached(app, run.id, "job.retried", count=count)
            stage.jump(app, 60)
        held = await reached(app, run.id, "job.held")
        assert held["key"] == "p/a:undo"
        view = await run.view()
        assert (view.status, view.waiting_for, len(calls)) == ("waiting", "repair", 3)
        stage.jump(app, 86_400)
        await app.skip(run.id, "p/a:undo", why="nothing is left to undo")
        await app.wait_ended(run.id, 10)
        jobs = {job.key: job.status for job in (await run.view()).jobs}
        assert (jobs["finally/last"], len(calls)) == ("succeeded", 3)


async def test_a_cron_that_never_matches_is_refused_with_its_reason(stage):
    async with stage.app() as app:
        with pytest.raises(DefinitionError, match=r"never|no such"):
            await app.deploy(one_job({"run": "noop"}, on=[{"schedule": "0 0 30 2 *"}]))


async def test_an_event_that_fits_many_runs_goes_to_each_of_them_once(stage):
    document = one_job({"wait": {"event": "PAID", "match": {"data": {"n": ["${ input.n }"]}}}})
    async with stage.app(document) as app:
        runs = [await app.start("w", n=number % 2) for number in range(40)]
        for run in runs:
            await reached(app, run.id, "job.waiting")
        await asyncio.gather(*(app.emit("PAID", {"n": 1}, id="e1") for _ in range(5)))
        for run in runs[1::2]:
            await run.result(10)
            succeeded = [f for f in await app.history(run.id) if f["type"] == "job.succeeded"]
            assert len(succeeded) == 1
        assert await app.count_runs(RunQuery(status=("waiting",))) == 20
        assert await app.count_events(EventQuery(type="PAID")) == 1
