"""Runs that call runs, through the app, on every store."""

import asyncio
import contextlib

import pytest
from msgspec import json

from ostinato import Fail
from ostinato.app import RunEnded
from ostinato.errors import ConflictError, DefinitionError, NotFoundError

CHILD = {
    "workflow": "child",
    "input_schema": {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "by": {"default": 1}},
        "required": ["n"],
    },
    "phases": [{"phase": "p", "jobs": [{"job": "work", "run": "work", "with": "${ input }"}]}],
    "output": {"n": "jobs.work.output"},
}
SLOW = {
    "workflow": "slow",
    "phases": [
        {"phase": "p", "jobs": [{"job": "made", "run": "make", "undo": "unmake"}]},
        {"phase": "q", "jobs": [{"job": "asked", "wait": {"event": "GO"}}]},
    ],
}


def parent(*jobs, name="parent", **more):
    return {"workflow": name, "phases": [{"phase": "p", "jobs": list(jobs)}]} | more


def call(workflow="child", **more):
    return {"job": "c", "call": workflow} | more


ONE = call(**{"with": {"n": "${ input.n }"}})


class Work:
    def __init__(self):
        self.done = []

    async def work(self, n, by):
        if n < 0:
            raise Fail("below nothing", name="Negative")
        self.done.append(n)
        return n + by

    async def make(self):
        self.done.append("make")

    async def unmake(self):
        self.done.append("unmake")

    def app(self, stage, *documents, **more):
        app = stage.app(**more)
        for document in documents:
            app.workflow_document(document)
        for name in ("work", "make", "unmake"):
            app.handler(name)(getattr(self, name))
        return app


async def failure(run):
    with pytest.raises(RunEnded):
        await run.result(5)
    return (await run.view()).error


async def view_of(app, run):
    return await app.run_view(run.id if hasattr(run, "id") else run)


async def until(app, run_id, waiting_for):
    """What the run looks like once it is there, and waits for this."""
    found = None
    for _ in range(2_000):
        with contextlib.suppress(NotFoundError):
            found = await app.run_view(run_id)
            if found.waiting_for == waiting_for:
                return found
        await asyncio.sleep(0.001)
    raise AssertionError(found)


async def at_rest(app):
    """Whatever was said has been heard."""
    for _ in range(2_000):
        if not await app.storage.mail():
            break
        await asyncio.sleep(0.001)
    await app.service.engine.rest()
    assert await app.storage.mail() == []
    assert len(app.service.room) == 0


async def test_a_run_calls_another_and_goes_on_with_its_output(stage):
    async with Work().app(stage, CHILD, parent(ONE, output="jobs.c.output.n")) as app:
        run = await app.start("parent", n=4)
        assert await run.result(5) == 5
        view = await view_of(app, run)
        [child] = view.children
        assert (child.step, child.attempt, child.workflow) == ("p/c", 1, "child")
        below = await view_of(app, child.run)
        assert (below.parent.run, below.parent.step) == (run.id, "p/c")
        assert json.decode(below.input) == {"n": 4, "by": 1}
        assert below.status == "succeeded"
        await at_rest(app)


async def test_what_happened_says_who_called_whom(stage):
    async with Work().app(stage, CHILD, parent(ONE)) as app:
        run = await app.start("parent", n=4)
        await run.result(5)
        [child] = (await view_of(app, run)).children
        above = {fact["type"]: fact for fact in await app.history(run.id)}
        below = {fact["type"]: fact for fact in await app.history(child.run)}
        assert above["job.called"]["run"] == child.run
        assert below["run.called"]["caller"] == {"run": run.id, "step": "p/c", "attempt": 1}


async def test_a_failure_goes_up_with_the_run_it_comes_from(stage):
    async with Work().app(stage, CHILD, parent(ONE)) as app:
        run = await app.start("parent", n=-1)
        error = await failure(run)
        [child] = (await view_of(app, run)).children
        assert (error.name, error.job) == ("Negative", "c")
        assert error.message == f"below nothing (run {child.run} of child)"


async def test_a_failure_from_far_below_names_the_lowest_run_alone(stage):
    top = parent(call("parent", **{"with": {"n": "${ input.n }"}}), name="top")
    async with Work().app(stage, CHILD, parent(ONE), top) as app:
        run = await app.start("top", n=-1)
        error = await failure(run)
        [middle] = (await view_of(app, run)).children
        [child] = (await view_of(app, middle.run)).children
        assert error.message == f"below nothing (run {child.run} of child)"


async def test_a_result_says_why_its_run_was_cancelled(stage):
    async with Work().app(stage, SLOW) as app:
        run = await app.start("slow")
        await run.cancel("nobody wants it")
        with pytest.raises(RunEnded, match="cancelled: nobody wants it"):
            await run.result(5)


REFUSED = [
    (call("nobody"), "WorkflowNotFound", "no workflow is called 'nobody'"),
    (call({"workflow": "child", "version": 7}), "WorkflowVersionNotFound", "no version 7"),
    (call(**{"with": {"n": "x"}}), "InvalidInput", '/n: "x" is not of type "integer"'),
    (call(**{"with": "${ [1] }"}), "InvalidInput", "the input of a run is a map"),
]


@pytest.mark.parametrize(
    ("job", "name", "says"), REFUSED, ids=["name", "version", "schema", "list"]
)
async def test_what_cannot_begin_fails_the_job_and_is_not_tried_again(stage, job, name, says):
    async with Work().app(stage, CHILD, parent(job | {"retry": 3})) as app:
        run = await app.start("parent")
        error = await failure(run)
        assert (error.name, says in error.message) == (name, True), error
        assert (await view_of(app, run)).jobs[0].attempts == 1
        assert not (await view_of(app, run)).children
        await at_rest(app)


async def test_the_newest_version_at_that_moment_is_called(stage):
    later = {**CHILD, "output": {"n": "100"}}
    document = parent({"job": "a", "wait": {"event": "GO"}}, ONE | {"needs": ["a"]})
    async with Work().app(stage, CHILD, document) as app:
        run = await app.start("parent", n=1)
        await until(app, run.id, "event")
        await app.deploy(later)
        await app.emit("GO")
        assert (await run.result(5))["c"] == {"n": 100}
        [child] = (await view_of(app, run)).children
        assert (await view_of(app, child.run)).version == 2


async def test_a_version_that_is_named_is_that_one(stage):
    later = {**CHILD, "output": {"n": "100"}}
    job = call({"workflow": "child", "version": 1}, **{"with": {"n": 1}})
    async with Work().app(stage, CHILD, parent(job)) as app:
        await app.deploy(later)
        run = await app.start("parent")
        assert await run.result(5) == {"c": {"n": 2}}


async def test_a_cancel_goes_down_and_what_was_done_is_taken_back_from_below(stage):
    work = Work()
    first = {"job": "first", "run": "make", "undo": "unmake"}
    async with work.app(stage, SLOW, parent(first, call("slow", needs=["first"]))) as app:
        run = await app.start("parent")
        [child] = (await until(app, run.id, "call")).children
        await until(app, child.run, "event")
        await app.cancel(run.id, why="enough")
        with pytest.raises(RunEnded):
            await run.result(5)
        below = await view_of(app, child.run)
        assert (below.status, run.id in below.reason) == ("cancelled", True)
        assert work.done == ["make", "make", "unmake", "unmake"]
        ended = {one.key: one.ended_at for one in (await view_of(app, run)).jobs}
        assert below.ended_at <= ended["p/first:undo"]
        await at_rest(app)


async def test_a_child_that_is_cancelled_fails_the_call(stage):
    async with Work().app(stage, SLOW, parent(call("slow"))) as app:
        run = await app.start("parent")
        [child] = (await until(app, run.id, "call")).children
        await until(app, child.run, "event")
        await app.cancel(child.run, why="not today")
        error = await failure(run)
        assert (error.name, "not today" in error.message) == ("Cancelled", True)


async def test_a_child_that_waits_for_a_person_is_waited_for(stage):
    held = parent({"job": "bad", "run": "fail", "on_error": "hold"}, name="held")
    async with Work().app(stage, held, parent(call("held"))) as app:
        run = await app.start("parent")
        [child] = (await until(app, run.id, "call")).children
        await until(app, child.run, "repair")
        found = await app.stuck()
        [group] = [one for one in found.waiting if one.workflow == "parent"]
        [link] = group.runs[0].below
        assert (link.run, link.workflow, link.waiting_for) == (child.run, "held", "repair")
        await app.skip(child.run, "p/bad", output={"ok": True})
        assert await run.result(5) == {"c": {"bad": {"ok": True}}}


async def test_a_retried_child_does_not_change_a_parent_that_saw_it_fail(stage):
    work = Work()
    async with work.app(stage, CHILD, parent(ONE)) as app:
        run = await app.start("parent", n=-1)
        await failure(run)
        [child] = (await view_of(app, run)).children
        await app.retry(child.run, "p/work")
        await at_rest(app)
        assert (await view_of(app, run)).status == "failed"


async def test_a_parent_that_is_retried_calls_another_run(stage):
    async with Work().app(stage, CHILD, parent(ONE)) as app:
        run = await app.start("parent", n=-1)
        await failure(run)
        await app.retry(run.id)
        await failure(run)
        first, second = (await view_of(app, run)).children
        assert (first.run != second.run, second.step) == (True, "p/c#2")


UNDER = call({"workflow": "slow", "uid": "u"})


async def test_a_run_that_is_open_under_the_uid_is_waited_for_by_all(stage):
    async with Work().app(stage, SLOW, parent(UNDER)) as app:
        there = await app.start("slow", uid="u")
        runs = [await app.start("parent") for _ in range(3)]
        for run in runs:
            [wait] = (await until(app, run.id, "joined")).waits
            assert wait.run == there.id
            [child] = (await view_of(app, run)).children
            assert (child.run, child.joined) == (there.id, True)
        await app.emit("GO")
        for run in runs:
            assert list(await run.result(5)) == ["c"]
        assert not (await view_of(app, there)).parent
        await at_rest(app)


async def test_a_run_that_was_joined_is_not_cancelled(stage):
    async with Work().app(stage, SLOW, parent(UNDER)) as app:
        there = await app.start("slow", uid="u")
        run = await app.start("parent")
        await until(app, run.id, "joined")
        await app.cancel(run.id)
        with pytest.raises(RunEnded):
            await run.result(5)
        assert (await view_of(app, there)).status == "waiting"


async def test_a_run_does_not_wait_for_one_that_waits_for_it(stage):
    down = parent(call({"workflow": "a", "uid": "u"}), name="b")
    up = parent(call("b", when="input.again == null"), name="a")
    async with Work().app(stage, up, down) as app:
        run = await app.start("a", uid="u")
        error = await failure(run)
        assert (error.name, "waits for this one" in error.message) == ("CallsItself", True)


async def test_a_workflow_may_call_itself_until_something_ends_it(stage):
    tree = parent(
        {"job": "down", "call": "tree", "when": "input.n > 0", "with": {"n": "${ input.n - 1 }"}},
        name="tree",
        output={"depth": "input.n > 0 ? jobs.down.output.depth + 1 : 0"},
    )
    async with Work().app(stage, tree) as app:
        assert await (await app.start("tree", n=5)).result(5) == {"depth": 5}
        run = await app.start("tree", n=500)
        error = await failure(run)
        assert (error.name, "50 runs" in error.message) == ("CallTooDeep", True)


async def test_what_can_never_end_is_not_deployed(stage):
    async with Work().app(stage, parent(call("b"), name="a")) as app:
        with pytest.raises(DefinitionError, match="`b` → `a` → `b` calls itself in every run"):
            await app.deploy(parent(call("a"), name="b"))
        await app.deploy(parent(call("a", when="false"), name="b"))


async def test_a_call_that_waits_is_not_retried(stage):
    async with Work().app(stage, SLOW, parent(call("slow"))) as app:
        run = await app.start("parent")
        [child] = (await until(app, run.id, "call")).children
        with pytest.raises(ConflictError, match=child.run):
            await app.retry(run.id, "p/c")


async def test_each_item_calls_a_run_of_its_own(stage):
    job = call(**{"with": {"n": "${ i }"}, "each": {"in": "input.all", "as": "i", "at_once": 50}})
    async with Work().app(stage, CHILD, parent(job)) as app:
        run = await app.start("parent", all=list(range(300)))
        output = await run.result(30)
        assert output == {"c": [{"n": n + 1} for n in range(300)]}
        assert len({child.run for child in (await view_of(app, run)).children}) == 300
        await at_rest(app)


async def test_what_was_said_before_a_crash_is_heard_after_it(stage):
    """The process ends between the call and its run, and between its end and who waits for it."""
    work = Work()
    app = work.app(stage, CHILD, parent(ONE))
    async with app:
        app.service.engine.outlets.on_said = lambda run_id, said: None
        run = await app.start("parent", n=1)
        assert [one.kind for one in await app.storage.mail()] == ["call"]
    again = work.app(stage, CHILD, parent(ONE))
    async with again:
        again.service.engine.outlets.on_said = lambda run_id, said: None
        [child] = (await again.run_view(run.id)).children
        for _ in range(200):
            if [one.kind for one in await again.storage.mail()] == ["answer"]:
                break
            await asyncio.sleep(0.01)
        assert (await again.run_view(child.run)).status == "succeeded"
        assert (await again.run_view(run.id)).status == "waiting"
    third = work.app(stage, CHILD, parent(ONE))
    async with third:
        for _ in range(200):
            if (await third.run_view(run.id)).ended_at is not None:
                break
            await asyncio.sleep(0.01)
        assert (await third.run_view(run.id)).status == "succeeded"
        await at_rest(third)
    assert work.done == [1]
