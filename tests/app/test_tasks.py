"""People answer tasks through the app, on every store: one answer counts."""

import asyncio
import random
from importlib import import_module

import pytest

from ostinato.core.decide.moves import Leave
from ostinato.errors import (
    ConflictError,
    InvalidInput,
    NotFoundError,
    TooLarge,
    UsageError,
)
from ostinato.ports import Page, TaskQuery
from tests.stage import Clock, Memory, Stage, crash, fail_commits, reached, until

FORM = {
    "type": "object",
    "required": ["why"],
    "properties": {"why": {"type": "string"}, "copies": {"type": "integer", "default": 1}},
}
SIGN = {
    "name": "Sign ${ input.n }",
    "assignee": "ann",
    "due": "2d",
    "outcomes": ["approve", "reject"],
    "form": FORM,
    "escalate": [{"after": "1d", "to": "bob"}],
}
DOCUMENT = {
    "workflow": "w",
    "phases": [{"phase": "p", "jobs": [{"job": "sign", "task": SIGN}]}],
    "output": "jobs.sign.output",
}
DECIDE = import_module("ostinato.core.decide.advance").DECIDE
WHY = {"why": "fine"}
HOUR, DAY = 3_600, 86_400
ALL = TaskQuery()


@pytest.fixture
def stage(stage):
    stage.clock = Clock()
    return stage


async def opened(app, n=7):
    run = await app.start("w", n=n)
    (task,) = await app.tasks(TaskQuery(run_id=run.id))
    return run, task


async def test_a_task_is_opened_listed_and_completed(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        assert (task.name, task.assignee_id, task.status) == ("Sign 7", "ann", "pending")
        assert (task.job, task.step, task.external_id) == ("sign", "p/sign", run.id)
        assert (task.due_at, task.overdue) == (stage.clock.time + 2 * DAY * 1000, False)
        assert await app.tasks() == [task]
        done = await app.complete(task.id, outcome="approve", data=WHY, by="ann")
        expected = {"data": WHY | {"copies": 1}, "outcome": "approve", "by": "ann"}
        assert await run.result(5) == expected | {"at": stage.clock.time}
        assert (done.status, done.answer.by, done.answer.outcome) == ("completed", "ann", "approve")
        assert await app.tasks() == []
        assert await app.count_tasks(ALL) == 1
        assert await app.task(task.id) == done


async def test_a_task_is_named_by_a_beginning_that_no_other_has(stage):
    async with stage.app(DOCUMENT) as app:
        _, task = await opened(app)
        assert (await app.task(task.id[:10])).id == task.id
        for _ in range(40):  # 41 tasks and 16 digits: two begin alike
            await opened(app)
        first = [one.id[:1] for one in await app.tasks(ALL, Page(99))]
        twice = next(digit for digit in first if first.count(digit) > 1)
        with pytest.raises(ConflictError, match="more than one task begins with"):
            await app.task(twice)
        for name in ("nobody", ""):
            with pytest.raises(NotFoundError, match="`ostinato tasks` lists them"):
                await app.complete(name)


async def test_bad_answers_change_nothing(stage):
    async with stage.app(DOCUMENT) as app:
        _, task = await opened(app)
        for answer, error, said in [
            ({"data": WHY}, InvalidInput, "this task needs an outcome; it is one of approve, rej"),
            ({"outcome": "yes", "data": WHY}, InvalidInput, "'yes' is no outcome; it is one of"),
            ({"outcome": "approve"}, InvalidInput, '"why" is a required property'),
            ({"outcome": "approve", "data": {"why": 7}}, InvalidInput, "/data/why: 7 is not of"),
            ({"outcome": "approve", "data": {"why": {1}}}, UsageError, "not JSON"),
            ({"outcome": "approve", "data": WHY, "by": "x" * 9_999}, UsageError, "by has 9,999"),
            (
                {"outcome": "approve", "data": WHY, "by": "\ud800"},
                UsageError,
                "by is .*, not a text",
            ),
            ({"outcome": 5, "data": WHY}, UsageError, "outcome is 5, not a text"),
            ({"outcome": "approve", "data": {"why": "x" * 6_000_000}}, TooLarge, "limits.result"),
        ]:
            with pytest.raises(error, match=said):
                await app.complete(task.id, **answer)
        assert await app.tasks() == [task]


async def test_of_many_answers_at_once_one_counts_and_the_others_hear_whose(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        people = [f"p{number}" for number in range(9)]
        random.Random(1).shuffle(people)
        answers = [app.complete(task.id, outcome="reject", data=WHY, by=by) for by in people]
        said = await asyncio.gather(*answers, return_exceptions=True)
        (won,) = [one for one in said if not isinstance(one, Exception)]
        assert (await run.result(5))["by"] == won.answer.by
        for error in said:
            if error is not won:
                assert isinstance(error, ConflictError)
                assert f"completed already by {won.answer.by} with 'reject'" in str(error)


async def test_the_same_answer_again_is_answered_again(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        answer = {"outcome": "approve", "data": WHY, "by": "ann"}
        both = [app.complete(task.id, **answer) for _ in range(2)]
        first, second = await asyncio.gather(*both)
        await run.result(5)
        assert first == second == await app.complete(task.id, **answer)
        for other in ({"by": "bob"}, {"outcome": "reject"}, {"outcome": "none"}, {"data": {}}):
            with pytest.raises(ConflictError, match="completed already by ann"):
                await app.complete(task.id, **answer | other)


async def test_an_answer_to_a_run_that_went_on_is_refused(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        await app.cancel(run.id)
        assert (await app.task(task.id)).status == "cancelled"
        for outcome in ("approve", "none"):
            with pytest.raises(ConflictError, match="nobody is asked any more"):
                await app.complete(task.id, outcome=outcome, data=WHY)


async def test_an_answer_and_a_cancel_in_one_tick(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        answer = app.complete(task.id, outcome="approve", data=WHY)
        told = await asyncio.gather(app.cancel(run.id), answer, return_exceptions=True)
        assert sum(isinstance(one, ConflictError) for one in told) == 1
        assert (await app.task(task.id)).status != "pending"


async def test_an_answer_counts_while_the_run_is_paused(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        await app.pause(run.id)
        await app.complete(task.id, outcome="approve", data=WHY)
        assert (await app.run_view(run.id)).status == "paused"
        await app.resume(run.id)
        assert (await run.result(5))["outcome"] == "approve"


async def test_it_goes_to_somebody_else_and_becomes_overdue(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        stage.jump(app, DAY)
        await reached(app, run.id, "job.reassigned")
        (passed_on,) = await app.tasks(TaskQuery(assignee="bob"))
        assert (passed_on.id, passed_on.opened_at) == (task.id, task.opened_at)
        overdue = TaskQuery(overdue_at=stage.clock.time + DAY * 1000 + 1)
        assert [one.id for one in await app.tasks(overdue)] == [task.id]
        assert (await app.run_view(run.id)).waits[0].task.assignee == "bob"
        stage.jump(app, 2 * DAY)
        (late,) = await app.tasks(TaskQuery(overdue_at=app.now()))
        assert late.overdue
        (group,) = (await app.stuck()).waiting
        assert (group.waiting_for, group.runs[0].waits[0].task.name) == ("task", "Sign 7")


async def test_tasks_outlive_a_crash_and_an_answer_is_kept(stage):
    app = stage.app(DOCUMENT)
    await app.__aenter__()
    _, task = await opened(app)
    _, other = await opened(app, 8)
    await app.complete(task.id, outcome="approve", data=WHY, by="ann")
    await crash(app)
    async with stage.app(DOCUMENT) as app:
        assert [one.id for one in await app.tasks()] == [other.id]
        assert (await app.task(task.id)).answer.by == "ann"
        await app.complete(other.id, outcome="reject", data=WHY)
        await until(lambda: not app.service.engine.residents.get(other.external_id))


async def test_a_store_that_fails_keeps_no_answer(stage):
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        fail_commits(app.storage)
        answer = {"outcome": "approve", "data": WHY, "by": "ann"}
        with pytest.raises(Exception, match="disk I/O error"):
            await app.complete(task.id, **answer)
        assert await app.tasks() == [task]
        await app.complete(task.id, **answer)
        assert (await run.result(5))["by"] == "ann"


async def test_an_answer_on_which_deciding_breaks_leaves_the_run_as_it_was(stage, monkeypatch):
    decide = DECIDE[Leave]
    async with stage.app(DOCUMENT) as app:
        run, task = await opened(app)
        answer = {"outcome": "approve", "data": WHY, "by": "ann"}

        def breaks(*told):
            monkeypatch.setitem(DECIDE, Leave, decide)
            raise RuntimeError("a bug")

        monkeypatch.setitem(DECIDE, Leave, breaks)
        with pytest.raises(RuntimeError, match="a bug"):
            await app.complete(task.id, **answer)
        assert await app.tasks() == [task]
        await app.complete(task.id, **answer)
        assert (await run.result(5))["by"] == "ann"


async def test_a_form_that_is_none_is_told_to_who_answers(stage):
    form = {"type": "${ input.type }"}
    document = DOCUMENT | {
        "phases": [{"phase": "p", "jobs": [{"job": "sign", "task": {"name": "x", "form": form}}]}]
    }
    async with stage.app(document) as app:
        run = await app.start("w", type="nonsense")
        (task,) = await app.tasks()
        with pytest.raises(ConflictError, match=r"not a JSON Schema.*`ostinato skip`"):
            await app.complete(task.id)
        await app.skip(run.id, "p/sign", output={"by": "me"})
        assert await run.result(5) == {"by": "me"}


def test_the_blocking_twin_lists_and_completes():
    app = Stage(Memory()).app(DOCUMENT)
    with app.sync as sync:
        run = sync.start("w", n=1)
        (task,) = sync.tasks()
        sync.complete(task.id, outcome="approve", data=WHY)
        assert run.result(5)["outcome"] == "approve"
