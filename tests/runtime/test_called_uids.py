"""Calls that meet a run which has their uid, or is what they count as."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from ostinato.app import Once, Run, RunEnded
from ostinato.config.settings import RetentionSettings
from ostinato.ports import RunQuery
from ostinato.runtime import janitor
from tests.runtime.test_calls import spoilt, tell
from tests.stage import Clock, Gate, one_job, reached, until, until_crash

DAY = 86_400
UNDER = {"call": {"workflow": "child", "uid": "u"}}


def both(stage, child, call=None, handlers=None, **settings):
    app = stage.app(one_job(call or {"call": "child"}), handlers, **settings)
    app.workflow_document(child)
    return app


async def failure(run):
    with pytest.raises(RunEnded):
        await run.result(5)
    return (await run.view()).error


async def told(app):
    while await app.storage.mail():
        await asyncio.sleep(0)


DEDUP = {"dedup": {"key": "'same'", "window": "30d"}}
RESUME = {"uid": {"key": "'u'", "again": "resume"}}


@pytest.mark.parametrize("rule", [DEDUP, RESUME], ids=["dedup", "resume"])
async def test_a_run_that_has_succeeded_answers_at_once(stage, rule):
    async with both(stage, one_job({"set": {"n": 7}}, "child") | rule) as app:
        runs = [await app.start("w") for _ in range(2)]
        assert [await run.result(5) for run in runs] == [{"j": {"j": {"n": 7}}}] * 2
        first, second = [(await run.view()).children[0] for run in runs]
        assert (second.run, first.joined, second.joined) == (first.run, False, True)
        await told(app)


async def test_a_run_that_has_failed_answers_at_once(stage):
    child = one_job({"run": "fail", "with": {"message": "no"}}, "child") | DEDUP
    async with both(stage, child) as app:
        first, second = [await failure(await app.start("w")) for _ in range(2)]
        assert (first, second.name) == (second, "Failed")
        await told(app)


async def test_a_run_that_was_cancelled_answers_with_that(stage):
    async with both(stage, one_job({"wait": "1h"}, "child") | DEDUP) as app:
        there = await app.start("child")
        await app.cancel(there.id)
        await app.wait_ended(there.id, 5)
        assert (await failure(await app.start("w"))).name == "Cancelled"


@pytest.fixture
def keeping(stage, monkeypatch):
    """Ended runs are kept for a day, by a clock that is turned by hand."""
    monkeypatch.setattr(janitor, "PAUSE", 0)
    monkeypatch.setattr(janitor, "FIRST", 10**14)
    stage.clock = Clock()
    return stage


KEPT = RetentionSettings(runs=timedelta(days=1))


async def test_a_call_that_counts_as_a_run_which_was_removed_says_so(keeping):
    async with both(keeping, one_job({"run": "noop"}, "child") | DEDUP, retention=KEPT) as app:
        await (await app.start("w")).result(5)
        keeping.jump(app, 2 * DAY)
        assert (await app.clean()).runs == 2
        error = await failure(await app.start("w"))
        assert error.name == "ConflictError"
        assert "which was removed since; it starts anew when the window is over" in error.message


async def test_who_waited_for_the_caller_once_and_was_removed_does_not_matter(keeping):
    """The run in the middle was joined by one that is gone, and then calls under a uid itself."""
    jobs = [{"job": "go", "wait": {"event": "GO"}}, {"job": "j", "needs": ["go"]} | UNDER]
    middle = {"workflow": "middle", "phases": [{"phase": "p", "jobs": jobs}]}
    join = {"call": {"workflow": "middle", "uid": "m"}}
    async with both(keeping, one_job({"run": "noop"}, "child"), join, retention=KEPT) as app:
        await app.deploy(middle)
        there = await app.start("middle", uid="m")
        above = await app.start("w")
        await reached(app, above.id, "job.joined")
        await app.cancel(above.id)
        await app.wait_ended(above.id, 5)
        keeping.jump(app, 2 * DAY)
        assert (await app.clean()).runs == 1
        await app.emit("GO")
        assert "j" in await there.result(5)


LINE = {
    "concurrency": {"limit": 1},
    "on": [{"event": "ORDER", "uid": {"key": "'u'", "open": "queue"}}],
}


async def in_line(app, gate):
    """A run that is first under its uid, and waits for a place that another has."""
    other = await app.start("child")
    await gate.begun.wait()
    holder, first = [(await app.emit("ORDER")).runs[0] for _ in range(2)]
    await app.cancel(holder)
    await app.wait_ended(holder, 5)
    return other, first


@contextlib.asynccontextmanager
async def after_crash(stage):
    """The next process: who is first in line is known, and nobody has loaded it."""
    child, gate = one_job({"run": "gate"}, "child") | LINE, Gate()
    async with until_crash(both(stage, child, UNDER, {"gate": gate})) as app:
        _, first = await in_line(app, gate)
    gate = Gate()
    async with both(stage, child, UNDER, {"gate": gate}) as app:
        assert app.service.engine.residents.get(first) is None
        yield app, gate, first


async def test_a_call_joins_who_is_first_in_line_also_when_nobody_has_loaded_that(stage):
    """By its own rule (`open: same`) a call does not stand behind it."""
    async with after_crash(stage) as (app, gate, first):
        run = await app.start("w")
        await until(lambda: len(app.service.room) == 0)
        [below] = (await run.view()).children
        assert (below.run, below.joined) == (first, True)
        gate.open.set()
        assert await run.result(5) == {"j": {"j": 2}}


@pytest.mark.parametrize("rule", ["queue", "signal", "same"])
async def test_a_run_waits_neither_for_nor_behind_one_that_waits_for_it(stage, rule):
    down = one_job({"call": {"workflow": "w", "uid": "u"}}, "down")
    up = one_job({"call": "down", "when": "input.again == null"}) | {"uid": {"open": rule}}
    async with stage.app(up) as app:
        await app.deploy(down)
        run = await app.start("w", uid="u")
        error = await failure(run)
        assert (error.name, "waits for this one" in error.message) == ("CallsItself", True)
        types = [fact["type"] for fact in await app.history(run.id)]
        assert "run.signalled" not in types
        assert await app.count_runs(RunQuery()) == 2


async def test_a_start_with_an_idempotency_key_shows_who_is_first_in_line(stage):
    async with after_crash(stage) as (app, gate, first):
        once = Once("runs", "k", b"body", lambda view: view.id.encode())
        again = [await app.start_run("child", {}, uid="u", once=once) for _ in range(2)]
        assert [one.id for one in again] == [first] * 2
        assert again[1].answer == first.encode()
        gate.open.set()


async def test_a_run_that_nobody_can_load_has_its_call_made_all_the_same(stage):
    child = one_job({"set": {"n": 7}}, "child")
    async with until_crash(both(stage, child, UNDER)) as app:
        app.service.engine.outlets.on_said = lambda run_id, said: None
        run_id = (await app.start("w")).id
    bad = {run_id}
    async with both(stage, child, UNDER, store=spoilt(stage.place.store(), bad)) as app:
        while "answer" not in [mail.kind for mail in await app.storage.mail()]:
            await asyncio.sleep(0)
        bad.clear()
        app.service.engine.post(tell(run_id))
        assert await Run(app, run_id).result(5) == {"j": {"j": {"n": 7}}}
