"""The report: the first two banks, every region that can be had, the first printer."""

import pytest

from tests.examples.playing import job, lines, played, sent, status_of
from tests.stage import Clock, Memory, Stage


@pytest.fixture
async def office(monkeypatch):
    stage = Stage(Memory())
    stage.clock = Clock()
    async with played("fan_out_report", stage, monkeypatch) as office:
        yield office


async def report(app, *regions):
    (run,) = (await app.emit("REPORT_WANTED", {"regions": list(regions)})).runs
    return run, await app.wait_ended(run, 10)


async def test_a_report_is_made_of_all_regions(office):
    app, _ = office
    run, view = await report(app, "eu", "us", "apac")
    assert view.status == "succeeded"
    assert await sent(app, "REPORT_READY") == [{"page": "3 rows", "regions": 3, "sold": 425}]
    assert await status_of(app, run, "rates/east_bank") == "cancelled"
    assert await status_of(app, run, "report/spare") == "cancelled"
    assert (await job(app, run, "sales[2]/costs")).status == "failed"


async def test_a_region_that_is_down_is_estimated(office):
    app, names = office
    names["DOWN"].add("us")
    run, view = await report(app, "eu", "us")
    assert view.status == "succeeded"
    (told,) = await sent(app, "REPORT_READY")
    assert told["sold"] == 100 + 225
    row = await job(app, run, "sales[1]/row")
    assert b'"estimated":true' in bytes(row.output)


async def test_one_in_ten_may_be_missing(office):
    app, _ = office
    _, view = await report(app, *["eu"] * 9, "atlantis")
    assert view.status == "succeeded"
    (told,) = await sent(app, "REPORT_READY")
    assert told["regions"] == 9


async def test_more_than_that_fail_the_report(office):
    app, _ = office
    _, view = await report(app, "eu", "atlantis")
    assert (view.status, view.error.name) == ("failed", "Unknown")


def test_the_document_is_short():
    assert lines("fan_out_report") < 60
