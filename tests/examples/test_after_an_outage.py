"""After an outage: what failed for one reason is one line, and is mended by hand and by the lot."""

import asyncio

import pytest

from ostinato.config import read_settings
from ostinato.ports import EventQuery, Page, RunFilter, RunQuery
from tests.examples.playing import EXAMPLES, lines, played, sent
from tests.stage import Memory, Stage

FAILED = RunFilter(workflow="shipment", status=("failed",))
ORDERS = 12


@pytest.fixture
async def morning(tmp_path, monkeypatch):
    """The carrier is down, and all of the night's shipments have failed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dove.down").touch()
    async with played("after_an_outage", Stage(Memory()), monkeypatch) as (app, names):
        runs = [await order(app, number) for number in range(ORDERS)]
        for run in runs:
            await app.wait_ended(run, 30)
        yield app, runs, names["BOOKED"], tmp_path / "dove.down"


async def order(app, number):
    accepted = await app.emit("ORDER_PAID", {"order": f"o-{number}", "carrier": "dove"})
    return accepted.runs[0]


async def test_they_are_one_line_of_what_is_stuck(morning):
    app, _, _, _ = morning
    (group,) = (await app.stuck()).failures
    assert (group.name, group.message) == ("CarrierDown", "dove does not answer")
    assert group.count == ORDERS


async def test_another_carrier_takes_a_parcel_that_is_packed_already(morning):
    app, runs, booked, _ = morning
    swift = {"carrier": "swift", "parcel": "parcel-o-0"}
    await app.retry(runs[0], "send/booking", input=swift, by="ada")
    assert (await app.wait_ended(runs[0], 30)).status == "succeeded"
    assert list(booked.values()) == ["swift-1"]
    history = await app.history(runs[0])
    begun = [one["key"] for one in history if one["type"] == "job.ready"]
    assert begun == ["pack/parcel", "send/booking", "send/booking#2"]


async def test_what_was_said_on_the_telephone_counts(morning):
    app, runs, booked, _ = morning
    await app.skip(runs[1], "send/booking", output="by telephone", done=True, by="ada")
    assert (await app.wait_ended(runs[1], 30)).status == "succeeded"
    assert (await sent(app, "PARCEL_SENT")) == [{"order": "o-1", "label": "by telephone"}]
    assert booked == {}


async def test_the_others_go_out_with_one_command_and_none_twice(morning):
    app, runs, booked, down = morning
    down.unlink()
    await app.retry(runs[2], by="ada")
    await app.wait_ended(runs[2], 30)
    preview = await app.preview_bulk("retry", FAILED)
    assert preview.matched == ORDERS - 1
    begun = await app.start_bulk(preview.preview_token, rate=1_000, by="ada", why="dove is up")
    while (done := await app.operation(begun.id)).status != "ended":
        await asyncio.sleep(0)
    for run in runs:
        await app.wait_ended(run, 30)
    assert (done.done, done.refused, done.passed) == (ORDERS - 1, 0, 0)
    assert await app.count_runs(RunQuery(status=("succeeded",))) == ORDERS
    assert len(set(booked.values())) == len(await sent(app, "PARCEL_SENT", ORDERS)) == ORDERS
    assert len(await app.events(EventQuery(type="ORDER_PAID"), Page(100))) == ORDERS


def test_its_settings_are_read():
    settings = read_settings(folder=EXAMPLES / "after_an_outage", environ={})
    assert (settings.retention.runs.days, settings.retention.export) == (30, "shipped")


def test_the_document_is_short():
    assert lines("after_an_outage") < 60
