"""The nightly batch, with its own handlers and a clock that is turned by hand."""

import asyncio
import runpy
from pathlib import Path

import msgspec
import pytest

from ostinato.app import App
from ostinato.config import Settings
from ostinato.core.instants import format_instant, parse_instant
from ostinato.ports import EventQuery, Page, RunQuery
from tests.runtime.test_schedules import jump
from tests.stage import Clock, Memory, Stage

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/nightly_batch"
DAY = 86_400


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock(parse_instant("2027-03-26T12:00:00Z"))
    return made


@pytest.fixture
async def app(stage, monkeypatch):
    made = App(Settings(store="memory:"), storage=stage.place.store(), clock=stage.clock)
    monkeypatch.setattr("ostinato.App", lambda: made)
    runpy.run_path(str(EXAMPLE / "app.py"))
    made.workflow_document(EXAMPLE / "workflow.yaml")
    async with made:
        yield made


async def views(app):
    heads = await app.runs(RunQuery(), Page())
    return [await app.run_view(head.run_id) for head in reversed(heads)]


async def sent(app, type):
    """A run has ended before what it emits has gone out."""
    while not (found := await app.events(EventQuery(type=type), Page())):
        await asyncio.sleep(0)
    return found


def nights(found):
    return [msgspec.json.decode(view.input)["scheduledFor"] for view in found]


async def test_a_night_bills_the_day_before(stage, app):
    await jump(stage, app, DAY)
    (view,) = await views(app)
    assert view.status == "succeeded"
    assert nights([view]) == ["2027-03-27T02:00:00.000Z"]
    assert view.uid == "2027-03-27T02:00:00.000Z"
    jobs = {job.key: job for job in view.jobs}
    assert msgspec.json.decode(jobs["bill[0]/usage"].output) == {
        "day": "2027-03-26",
        "amount": 0.75,
    }
    assert jobs["bill[1]/invoice"].status == "skipped"
    made = msgspec.json.decode(view.output)["invoices"]
    assert [one and one["customer"] for one in made] == ["acme", None, "initech"]
    (told,) = await sent(app, "BATCH_DONE")
    expected = {"night": "2027-03-27T02:00:00.000Z", "customers": 3, "invoices": 2}
    assert msgspec.json.decode(told.event.data) == expected


async def test_the_night_of_the_clocks_is_a_night_like_others(stage, app):
    for _ in range(4):
        await jump(stage, app, DAY)
    assert nights(await views(app)) == [
        "2027-03-27T02:00:00.000Z",
        "2027-03-28T01:00:00.000Z",  # three in Berlin, an hour earlier by then
        "2027-03-29T01:00:00.000Z",
        "2027-03-30T01:00:00.000Z",
    ]


async def test_missed_nights_follow_one_another(stage, app):
    await jump(stage, app, 3 * DAY)
    found = await views(app)
    assert nights(found) == [
        "2027-03-27T02:00:00.000Z", "2027-03-28T01:00:00.000Z", "2027-03-29T01:00:00.000Z",
    ]  # fmt: skip
    assert [view.status for view in found] == ["succeeded"] * 3


async def test_jitter_keeps_within_five_minutes(stage, app):
    (schedule,) = await app.schedules()
    assert format_instant(schedule.next_for) == "2027-03-27T02:00:00.000Z"
    assert 0 <= schedule.due_at - schedule.next_for < 300_000


def test_the_document_is_short():
    assert len((EXAMPLE / "workflow.yaml").read_text().splitlines()) < 60
