"""Schedules over HTTP."""

import pytest
from structlog.testing import capture_logs

from tests.web.conftest import events_of

NIGHTLY = """
workflow: nightly
on: [{every: 1d, name: night}, {schedule: "0 3 * * *"}]
phases: [{phase: one, jobs: [{job: a, run: noop}]}]
---
workflow: hourly
on: [{every: 1h}]
phases: [{phase: one, jobs: [{job: a, run: noop}]}]
"""
DAY = 86_400_000


@pytest.fixture(autouse=True)
async def deployed(http):
    answer = await http.post("/workflows", content=NIGHTLY)
    assert answer.status_code == 201, answer.text


async def test_schedules_are_listed_and_counted(http):
    first = await http.get("/schedules?limit=2")
    assert [one["id"] for one in first.json()] == ["hourly/on/0", "nightly/on/1"]
    rest = await http.get(first.links["next"]["url"])
    assert [one["id"] for one in rest.json()] == ["nightly/on/night"]
    assert (await http.get("/schedules/count")).json() == {"count": 3}


async def test_one_is_shown_by_id_and_by_workflow(http):
    shown = (await http.get("/schedules/nightly%2Fon%2Fnight?next=2")).json()
    assert (shown["says"], shown["status"]) == ("every 1d", "active")
    assert shown["upcoming"] == [shown["nextFor"], shown["nextFor"] + DAY]
    assert (await http.get("/schedules/hourly")).json()["id"] == "hourly/on/0"
    assert (await http.get("/schedules/nightly")).status_code == 409
    assert (await http.get("/schedules/nobody")).status_code == 404


async def test_a_pause_names_the_caller(http):
    paused = await http.post("/schedules/hourly/pause", json={"why": "move"})
    assert paused.status_code == 200
    assert (paused.json()["pausedBy"], paused.json()["pausedWhy"]) == ("local operator", "move")
    assert (await http.post("/schedules/hourly/resume")).json()["pausedAt"] is None


@pytest.mark.parametrize("verb", ["pause", "resume", "fire"])
async def test_a_body_that_nobody_asked_for_is_refused(http, verb):
    path = f"/schedules/hourly/{verb}"
    answer = await http.post(path, json={"why": "w", "bogus": 1})
    assert (answer.status_code, "bogus" in answer.text) == (422, True)
    assert (await http.post(path, json={"why": "x" * 2_001})).status_code == 422
    assert (await http.post(path, content=b"{")).status_code == 400
    assert (await http.get("/runs/count?workflow=hourly")).json() == {"count": 0}


async def test_who_resumes_and_fires_and_why_is_kept(http, app):
    with capture_logs() as told:
        await http.post("/schedules/hourly/pause")
        await http.post("/schedules/hourly/resume", json={"why": "moved"})
    (resumed,) = [line for line in told if line["event"] == "schedule.resumed"]
    assert (resumed["by"], resumed["why"]) == ("local operator", "moved")
    await http.post("/schedules/hourly/fire", json={"why": "month's end"})
    (event,) = await events_of(app)
    assert event.event.extensions == {"by": "local operator", "why": "month's end"}


async def test_fire(http):
    answer = await http.post("/schedules/hourly/fire")
    assert answer.status_code == 202
    (run,) = answer.json()["runs"]
    assert (await http.get(f"/runs/{run}")).json()["workflow"] == "hourly"


async def test_a_back_fill_and_its_dry_run(http, app):
    asked = {"from": "2026-01-01", "to": "2026-01-03T00:00:00Z"}
    path = "/schedules/nightly%2Fon%2Fnight/backfill"
    dry = await http.post(path, json=asked | {"dryRun": True})
    assert (dry.status_code, len(dry.json()["planned"]), dry.json()["runs"]) == (200, 3, [])
    made = await http.post(path, json=asked)
    assert (made.status_code, len(made.json()["runs"])) == (202, 3)
    again = await http.post(path, json=asked)
    assert (again.json()["known"], again.json()["runs"]) == (3, [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{}", 422),
        ('{"from": "yesterday"}', 422),
        ('{"from": "2026-01-01", "to": "2999-01-01"}', 422),
        ('{"from": "2026-01-02", "to": "2026-01-01"}', 422),
        ('{"from": "1990-01-01"}', 422),
        ('{"from": "2026-01-01", "until": "2026-01-01"}', 422),
    ],
)
async def test_a_back_fill_that_is_refused(http, body, status):
    answer = await http.post("/schedules/hourly/backfill", content=body)
    assert answer.status_code == status, answer.text
    assert (await http.get("/runs")).json() == []
