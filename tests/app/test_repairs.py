"""People mend runs through the app, on every store: what they ask is kept, or refused with why."""

import pytest

from ostinato import Fail
from ostinato.app import RunEnded
from ostinato.errors import ConflictError, InvalidInput, NotFoundError
from tests.stage import Clock, File, Memory, Stage, one_job, reached

DOCUMENT = {
    "workflow": "w",
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "phases": [
        {"phase": "p", "jobs": [{"job": "first", "run": "count", "with": {"n": "${ input.n }"}}]},
        {"phase": "q", "jobs": [{"job": "shaky", "run": "shaky", "retry": 1}]},
        {"phase": "r", "jobs": [{"job": "last", "run": "echo", "with": {"a": 1}}]},
    ],
}


class Work:
    """``mended``: from then on it goes well."""

    def __init__(self):
        self.mended = False
        self.counted = []

    async def count(self, n=0):
        self.counted.append(n)
        return n

    async def shaky(self):
        if not self.mended:
            raise Fail("not yet")
        return "fine"

    def app(self, stage, document=DOCUMENT):
        app = stage.app(document)
        app.handler("count")(self.count)
        app.handler("shaky")(self.shaky)
        return app


async def failed(app, **more):
    run = await app.start("w", n=1, **more)
    with pytest.raises(RunEnded):
        await run.result(5)
    return run


async def test_a_failed_run_goes_on_from_what_failed(stage):
    work = Work()
    async with work.app(stage) as app:
        run = await failed(app)
        work.mended = True
        view = await app.retry(run.id, by="ada", why="mended")
        assert view.ended_at is None
        assert await run.result(5) == {"last": {"a": 1}}
        assert work.counted == [1]
        keys = [(job.key, job.status) for job in (await run.view()).jobs]
        assert keys == [("p/first", "succeeded"), ("q/shaky", "failed"),
                        ("q/shaky#2", "succeeded"), ("r/last", "succeeded")]  # fmt: skip
        told = [fact for fact in await app.history(run.id) if fact["type"] == "run.reopened"]
        assert [(fact["by"], fact["why"]) for fact in told] == [("ada", "mended")]
        head = await app.find_run(run.id)
        assert (head.status, head.ended_at is not None) == ("succeeded", True)


async def test_it_goes_on_after_a_restart_too(tmp_path):
    stage, work = Stage(File(tmp_path / "o.db")), Work()
    async with work.app(stage) as app:
        run = await failed(app)
    work.mended = True
    async with work.app(stage) as app:
        await app.retry(run.id)
        assert (await app.wait_ended(run.id, 5)).status == "succeeded"


async def test_two_who_retry_at_once_are_one(stage):
    import asyncio

    work = Work()
    async with work.app(stage) as app:
        run = await failed(app)
        work.mended = True
        done = await asyncio.gather(app.retry(run.id), app.retry(run.id), return_exceptions=True)
        assert sorted(isinstance(one, ConflictError) for one in done) == [False, True]
        assert (await app.wait_ended(run.id, 5)).status == "succeeded"


async def test_a_uid_that_is_taken_by_now_is_in_the_way(stage):
    work = Work()
    async with work.app(stage) as app:
        run = await failed(app, uid="u")
        await app.deploy(
            DOCUMENT | {"phases": [{"phase": "p", "jobs": [{"job": "a", "wait": "1h"}]}]}
        )
        other = await app.start("w", n=2, uid="u")
        with pytest.raises(ConflictError, match=f"run {other.id} is open under the uid 'u'"):
            await app.retry(run.id)


async def test_a_failed_run_goes_on_without_what_failed(stage):
    work = Work()
    async with work.app(stage) as app:
        run = await failed(app)
        await app.skip(run.id, "q/shaky", output="by hand", why="did it")
        assert (await app.wait_ended(run.id, 5)).status == "succeeded"


async def test_a_fork_is_given_what_was_done(stage):
    work = Work()
    async with work.app(stage) as app:
        run = await failed(app)
        work.mended = True
        other = await app.fork(run.id, by="ada", why="try")
        assert await other.result(5) == {"last": {"a": 1}}
        view = await other.view()
        assert (view.forked_from, work.counted) == (run.id, [1])
        again = await app.fork(run.id, "p/first", input={"n": 7})
        await again.result(5)
        assert work.counted == [1, 7]


async def test_a_fork_checks_its_input_and_its_step(stage):
    async with Work().app(stage) as app:
        run = await failed(app)
        with pytest.raises(InvalidInput):
            await app.fork(run.id, input={"n": "x"})
        with pytest.raises(NotFoundError, match="no step 'p/none'"):
            await app.fork(run.id, "p/none")


async def test_a_run_is_paused_and_resumed(stage):
    document = {"workflow": "w", "phases": [
        {"phase": "p", "jobs": [{"job": "a", "wait": {"event": "GO"}}]},
        {"phase": "q", "jobs": [{"job": "b", "run": "echo"}]},
    ]}  # fmt: skip
    async with Work().app(stage, document) as app:
        run = await app.start("w")
        assert (await app.pause(run.id, by="ada")).status == "paused"
        with pytest.raises(ConflictError, match="is paused already"):
            await app.pause(run.id)
        await app.signal(run.id, "GO", {"n": 1})
        view = await run.view()
        assert [(job.key, job.status) for job in view.jobs] == [("p/a", "succeeded")]
        await app.resume(run.id)
        assert (await app.wait_ended(run.id, 5)).status == "succeeded"
        with pytest.raises(ConflictError, match="has succeeded"):
            await app.resume(run.id)


async def test_a_signal_that_no_wait_fits_is_refused(stage):
    document = {"workflow": "w", "phases": [
        {"phase": "p", "jobs": [{"job": "a", "wait": {"event": "GO"}}]},
    ]}  # fmt: skip
    async with Work().app(stage, document) as app:
        run = await app.start("w")
        with pytest.raises(ConflictError, match="open are p/a for GO"):
            await app.signal(run.id, "STOP")


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda app, run: app.retry(run), "has succeeded; only a run that has failed"),
        (lambda app, run: app.pause(run), "has succeeded"),
        (lambda app, run: app.signal(run, "GO"), "has succeeded"),
        (lambda app, run: app.skip(run, "p/a"), "only a run that has failed"),
        (lambda app, run: app.fork(run), "no step of run"),
    ],
    ids=["retry", "pause", "signal", "skip", "fork"],
)
async def test_what_cannot_be_done_says_why(ask, why):
    document = {"workflow": "w", "phases": [{"phase": "p", "jobs": [{"job": "a", "run": "echo"}]}]}
    async with Work().app(Stage(Memory()), document) as app:
        run = await app.start("w")
        await run.result(5)
        with pytest.raises(ConflictError, match=why):
            await ask(app, run.id)


async def test_a_run_that_was_taken_back_is_refused():
    document = {"workflow": "w", "phases": [
        {"phase": "p", "jobs": [{"job": "a", "run": "echo", "undo": "noop"},
                                {"job": "b", "run": "shaky", "needs": "a"}]},
    ]}  # fmt: skip
    async with Work().app(Stage(Memory()), document) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded):
            await run.result(5)
        with pytest.raises(ConflictError, match="has been taken back"):
            await app.retry(run.id)


async def test_a_cancel_that_changes_nothing_is_refused_with_what_would_help(stage):
    jobs = [
        {"job": "first", "run": "count", "undo": {"run": "shaky", "retry": 1}},
        {"job": "asked", "wait": {"event": "GO"}, "needs": ["first"]},
    ]
    work = Work()
    async with work.app(stage, one_phase(jobs)) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        assert (await app.cancel(run.id, why="no longer wanted")).ended_at is None
        await reached(app, run.id, "job.held")
        with pytest.raises(ConflictError, match=r"being cancelled already: .* skip p/first:undo"):
            await app.cancel(run.id)
        work.mended = True
        await app.retry(run.id, "p/first:undo")
        with pytest.raises(RunEnded, match="cancelled"):
            await run.result(5)
        with pytest.raises(ConflictError, match="is over already: cancelled"):
            await app.cancel(run.id)


async def test_a_failed_run_that_waits_for_an_undo_can_still_be_cancelled(stage):
    jobs = [
        {"job": "first", "run": "count", "undo": {"run": "shaky", "retry": 1}},
        {"job": "bad", "run": "fail", "with": {"message": "no"}, "needs": ["first"]},
    ]
    async with Work().app(stage, one_phase(jobs)) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.held")
        view = await app.cancel(run.id)
        assert (view.status, view.waiting_for, view.reason) == ("waiting", "repair", None)
        with pytest.raises(ConflictError, match="being cancelled already"):
            await app.cancel(run.id)


def one_phase(jobs):
    return {"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}


async def test_a_run_that_fails_again_at_once_is_shown_with_its_new_end(stage):
    """Opened and ended in one commit: its status is the same before and after."""
    document = one_job({"set": {"a": "${ 1 / input.n }"}})
    clock = stage.clock = Clock()
    async with stage.app(document) as app:
        run = await app.start("w", n=0)
        assert (await app.wait_ended(run.id, 5)).status == "failed"
        first = await app.find_run(run.id)
        clock.time += 1_000
        await app.retry(run.id)
        second = await app.find_run(run.id)
        assert (first.status, second.status) == ("failed", "failed")
        assert second.ended_at == first.ended_at + 1_000
