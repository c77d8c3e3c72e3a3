"""An approval that goes from one person to the next, with a clock that is turned by hand."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from ostinato.errors import InvalidInput
from ostinato.ports import EventQuery, Page, TaskQuery
from tests.stage import Clock, Memory, Stage, reached

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/approval_with_escalation"
DAY = 86_400
DESK = {"id": "p-1", "what": "a desk", "amount": 400, "manager": "ann", "director": "bob"}


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock()
    return made


@pytest.fixture
async def app(stage):
    app = stage.app()
    app.workflow_document(EXAMPLE / "workflow.yaml")
    async with app:
        yield app


async def requested(app, **more):
    accepted = await app.emit("PURCHASE_REQUESTED", DESK | more)
    return accepted.runs[0]


async def the_task(app, **query):
    (task,) = await app.tasks(TaskQuery(status=("pending",), **query))
    return task


async def told(app):
    """The event that tells the outcome; a run has ended before it goes out."""
    found = []
    while not found:
        await asyncio.sleep(0)
        events = await app.events(EventQuery(), Page())
        found = [one.event for one in events if one.event.type != "PURCHASE_REQUESTED"]
    return found[0].type, msgspec.json.decode(found[0].data)


async def test_a_manager_decides(stage, app):
    run = await requested(app)
    task = await the_task(app, assignee="ann")
    assert (task.name, task.priority) == ("Approve a desk for 400 EUR", "medium")
    assert task.data == {"request": "p-1", "amount": 400}
    await app.complete(task.id, outcome="reject", data={"why": "too large"}, by="ann")
    view = await app.wait_ended(run, 5)
    assert msgspec.json.decode(view.output) == {"outcome": "reject", "by": "ann"}
    expected = {"id": "p-1", "by": "ann", "why": "too large"}
    assert await told(app) == ("PURCHASE_REJECTED", expected)


async def test_a_silent_manager_is_passed_over(stage, app):
    run = await requested(app)
    task = await the_task(app, assignee="ann")
    stage.jump(app, 2 * DAY)
    await reached(app, run, "job.reassigned")
    passed_on = await the_task(app, assignee="bob")
    assert (passed_on.id, passed_on.overdue) == (task.id, True)
    await app.complete(task.id, outcome="approve", by="bob")
    await app.wait_ended(run, 5)
    assert await told(app) == ("PURCHASE_APPROVED", {"id": "p-1", "by": "bob"})


async def test_then_finance_decides_and_says_why(stage, app):
    run = await requested(app)
    stage.jump(app, 5 * DAY)
    await reached(app, run, "job.waiting", count=2)
    task = await the_task(app)
    assert (task.groups, task.priority, task.assignee_id) == (("finance",), "high", None)
    with pytest.raises(InvalidInput, match='"why" is a required property'):
        await app.complete(task.id, outcome="approve", by="eve")
    await app.complete(task.id, outcome="approve", data={"why": "needed"}, by="eve")
    view = await app.wait_ended(run, 5)
    assert msgspec.json.decode(view.output) == {"outcome": "approve", "by": "eve"}


async def test_when_nobody_decides_it_fails_and_says_so(stage, app):
    run = await requested(app)
    stage.jump(app, 5 * DAY)
    await reached(app, run, "job.waiting", count=2)
    stage.jump(app, 7 * DAY)
    view = await app.wait_ended(run, 5)
    assert (view.status, view.error.name) == ("failed", "Timeout")
    assert await told(app) == ("PURCHASE_UNDECIDED", {"id": "p-1", "why": "Timeout"})
    assert await app.tasks() == []


async def test_a_small_purchase_asks_nobody(stage, app):
    run = await requested(app, amount=20)
    view = await app.wait_ended(run, 5)
    assert (view.status, await app.tasks(TaskQuery())) == ("succeeded", [])
    assert (await told(app))[0] == "PURCHASE_APPROVED"


def test_the_document_is_short():
    assert len((EXAMPLE / "workflow.yaml").read_text().splitlines()) < 60
