"""The rollout: every region is a run of its own; all of them have the release, or none."""

import asyncio

import pytest

from tests.examples.playing import lines, played
from tests.runtime.test_schedules import jump
from tests.stage import Clock, Memory, Stage, reached

MINUTES = 60
REGIONS = ["eu", "us", "ap"]


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock()
    return made


@pytest.fixture
async def cloud(stage, monkeypatch):
    async with played("rollout", stage, monkeypatch) as cloud:
        yield cloud


async def release(app):
    (run,) = (await app.emit("RELEASE_READY", {"release": "v2", "regions": REGIONS})).runs
    return run


async def region(app, run, index):
    """The run of this region, once it soaks."""
    called = (await reached(app, run, "job.called", f"regions/region[{index}]"))["run"]
    while await app.storage.head(called) is None:
        await asyncio.sleep(0)
    await reached(app, called, "job.waiting", "prove/soak")
    return called


async def two_regions(app, run):
    return await region(app, run, 0), await region(app, run, 1)


async def test_every_region_has_the_release(cloud, stage):
    app, names = cloud
    run = await release(app)
    await two_regions(app, run)
    await jump(stage, app, 10 * MINUTES)
    await region(app, run, 2)
    await jump(stage, app, 10 * MINUTES)
    view = await app.wait_ended(run, 5)
    assert (view.status, view.error) == ("succeeded", None)
    assert names["RUNNING"] == dict.fromkeys(REGIONS, "v2")
    assert [child.workflow for child in view.children] == ["region-rollout"] * 3


async def test_one_sick_region_takes_all_of_them_back(cloud, stage):
    app, names = cloud
    names["SICK"].add("ap")
    run = await release(app)
    await two_regions(app, run)
    await jump(stage, app, 10 * MINUTES)
    sick = await region(app, run, 2)
    assert names["RUNNING"] == dict.fromkeys(REGIONS, "v2")
    await jump(stage, app, 10 * MINUTES)
    view = await app.wait_ended(run, 5)
    assert (view.status, view.error.name) == ("failed", "Unhealthy")
    assert sick in view.error.message
    assert names["RUNNING"] == dict.fromkeys(REGIONS, "v1")
    assert [child.workflow for child in view.children[3:]] == ["region-rollback"] * 2


async def test_a_cancelled_rollout_cancels_its_regions(cloud):
    app, names = cloud
    run = await release(app)
    under_way = await two_regions(app, run)
    await app.cancel(run, why="a hole was found")
    assert (await app.wait_ended(run, 5)).status == "cancelled"
    assert [(await app.run_view(one)).status for one in under_way] == ["cancelled"] * 2
    assert names["RUNNING"] == dict.fromkeys(REGIONS, "v1")


async def test_a_region_that_comes_later_is_started_by_hand(cloud, stage):
    app, names = cloud
    names["RUNNING"]["me"] = "v1"
    run = await app.start("region-rollout", region="me", image="v2")
    await reached(app, run.id, "job.waiting", "prove/soak")
    await jump(stage, app, 10 * MINUTES)
    assert await run.result(5) == {"region": "me", "before": "v1"}


def test_the_document_is_short():
    assert lines("rollout") < 60
