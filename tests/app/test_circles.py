"""Runs that wait for a place which the runs above them keep."""

from tests.app.test_calls import until as waiting_for
from tests.stage import reached


def again(limit, calls, name="deep"):
    """Calls itself, and holds a place meanwhile."""
    below = {"job": "c", "call": name, "when": "input.n > 0", "with": {"n": "${ input.n - 1 }"}}
    jobs = [below | {"job": f"c{at}"} for at in range(calls)]
    return {
        "workflow": name, "concurrency": {"key": "'all'", "limit": limit},
        "phases": [{"phase": "p", "jobs": jobs}],
    }  # fmt: skip


async def test_a_turn_that_its_own_caller_keeps_from_it_is_named(stage):
    async with stage.app(again(1, 1)) as app:
        run = await app.start("deep", n=1)
        [child] = (await waiting_for(app, run.id, "call")).children
        await waiting_for(app, child.run, "turn")
        found = await app.stuck()
        for what in ("call", "turn"):
            [group] = [one for one in found.waiting if one.waiting_for == what]
            [doubt] = group.runs[0].doubts
            assert "nobody gets a place under concurrency:deep:all any more" in doubt
            assert f"run {run.id} has one, and waits for run {child.run}" in doubt
            assert f"`ostinato cancel {run.id}` frees it" in doubt
        await app.cancel(run.id)
        await reached(app, child.run, "run.cancelled")


async def test_a_turn_may_come_while_one_holder_does_not_wait_for_it(stage):
    waits = {"job": "w", "wait": {"event": "GO"}}
    free = {
        "workflow": "free", "concurrency": {"key": "'all'", "limit": 1},
        "phases": [{"phase": "p", "jobs": [waits]}],
    }  # fmt: skip
    async with stage.app(free) as app:
        first = await app.start("free")
        await waiting_for(app, first.id, "event")
        await waiting_for(app, (await app.start("free")).id, "turn")
        [group] = [one for one in (await app.stuck()).waiting if one.waiting_for == "turn"]
        assert group.runs[0].doubts == []


async def test_callers_that_have_taken_every_place_are_a_circle(stage):
    async with stage.app(again(2, 1)) as app:
        runs = [await app.start("deep", n=1) for _ in range(2)]
        for run in runs:
            [child] = (await waiting_for(app, run.id, "call")).children
            await waiting_for(app, child.run, "turn")
        [group] = [one for one in (await app.stuck()).waiting if one.waiting_for == "turn"]
        assert all("and so do the others" in run.doubts[0] for run in group.runs)
