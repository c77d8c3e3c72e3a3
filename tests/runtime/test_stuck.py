"""What does not go on by itself: found, grouped and doubted."""

from contextlib import asynccontextmanager

import pytest

from ostinato.core.fingerprints import alike, fingerprint
from ostinato.core.patterns.contradiction import contradiction
from ostinato.ports import RunFilter
from tests.stage import one_job, reached

PAID = {"event": "PAID", "match": {"data": {"id": ["${ input.id }"]}}}
WRONG = {"event": "PAID", "match": {"type": ["SETTLED"], "data": {"id": ["${ input.id }"]}}}
DAY = 86_400_000


@asynccontextmanager
async def waiting(stage, wait, *ids):
    async with stage.app(one_job({"wait": wait}, name="bill")) as app:
        for id in ids:
            run = await app.start("bill", id=id)
            await reached(app, run.id, "job.waiting")
        yield app


async def test_waiting_runs_are_grouped_and_the_oldest_is_told(stage):
    async with waiting(stage, PAID, "a", "b", "c") as app:
        await app.emit("PAID", {"id": "nobody"})
        [group] = (await app.stuck()).waiting
        assert (group.workflow, group.waiting_for, group.count) == ("bill", "event", 3)
        assert len(group.runs) == 3
        assert group.runs[0].waits[0].types == ("PAID",)
        assert group.since == min(run.waits[0].since for run in group.runs)
        assert [run.doubts for run in group.runs] == [[], [], []]


async def test_a_wait_for_what_nobody_has_sent_is_doubted(stage):
    async with waiting(stage, PAID, "a") as app:
        [group] = (await app.stuck()).waiting
        assert "nobody has sent PAID in the last 30 days" in group.runs[0].doubts[0]


async def test_a_wait_that_contradicts_itself_is_doubted(stage):
    async with waiting(stage, WRONG, "a") as app:
        await app.emit("PAID", {"id": "a"})
        [group] = (await app.stuck()).waiting
        assert "no event can fit its match" in group.runs[0].doubts[0]


async def test_failures_that_are_one_are_counted_together(stage):
    fails = {"run": "fail", "with": {"message": "${ 'order ' + string(input.id) + ' is lost' }"}}
    async with stage.app(one_job(fails, name="ship")) as app:
        for id in (17, 18, 4711):
            await reached(app, (await app.start("ship", id=id)).id, "run.failed")
        [group] = (await app.stuck()).failures
        assert (group.workflow, group.name, group.count) == ("ship", "Failed", 3)
        assert group.message == "order … is lost"
        assert group.last is not None
        assert (await app.stuck(since=app.now() + DAY)).failures == []
        assert (await app.stuck(workflow="other")).failures == []


async def test_every_failure_is_counted_however_many_messages_there_are(stage, monkeypatch):
    monkeypatch.setattr("ostinato.app.stuck.GROUPS", 2)
    fails = {"run": "fail", "with": {"message": "${ 'order ' + string(input.id) + ' is lost' }"}}
    async with stage.app(one_job(fails, name="ship")) as app:
        for id in range(5):
            await reached(app, (await app.start("ship", id=id)).id, "run.failed")
        [group] = (await app.stuck()).failures
        seen = await app.preview_bulk("retry", RunFilter(fingerprint=group.fingerprint))
        assert (group.count, seen.matched) == (5, 5)


async def test_overdue_timers_are_those_of_the_workflow(stage, monkeypatch):
    async with stage.app(one_job({"wait": "1h"}, name="naps")) as app:
        run = await app.start("naps")
        await reached(app, run.id, "job.waiting")
        monkeypatch.setattr("ostinato.app.stuck.LATE", -2 * 3_600_000)
        for workflow, found in ((None, [run.id]), ("naps", [run.id]), ("other", [])):
            assert [timer.run for timer in (await app.stuck(workflow=workflow)).overdue] == found


async def test_nothing_is_stuck_where_all_is_done(stage):
    async with stage.app(one_job({"run": "noop"}, name="quick")) as app:
        await reached(app, (await app.start("quick")).id, "run.succeeded")
        found = await app.stuck()
        assert (found.waiting, found.failures, found.overdue) == ([], [], [])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("order 17 is lost", "order 4711 is lost", True),
        ("no 'a'", "no 'b'", True),
        ("run 01hq3zk5yv7c2m9x is gone", "run 01hq3zk5yv7c2m9y is gone", True),
        ("took 1.5 s", "took 20 s", True),
        (
            "at 6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "at 7f9619ff-8b86-d011-b42d-00cf4fc964ff",
            True,
        ),
        ("a\n  b", "a b", True),
        ("disk full", "disk gone", False),
    ],
)
def test_messages_are_alike_but_for_what_varies(one, other, same):
    assert (fingerprint("w", "E", one) == fingerprint("w", "E", other)) is same


def test_another_workflow_or_error_is_another_failure():
    assert (
        len({fingerprint("w", "E", "m"), fingerprint("v", "E", "m"), fingerprint("w", "F", "m")})
        == 3
    )
    assert len(alike("x" * 10_000)) == 200


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ({"type": ["OTHER"]}, '"OTHER"'),
        ({"detail-type": [{"prefix": "X"}]}, "begins with"),
        ({"$or": [{"type": ["X"]}, {"type": ["Y"]}]}, "type"),
    ],
)
def test_a_match_that_no_event_fits(pattern, said):
    assert said in contradiction(pattern, ["PAID", "SETTLED"])


@pytest.mark.parametrize(
    "pattern",
    [
        {"data": {"a": [1]}},
        {"type": ["SETTLED"]},
        {"$or": [{"type": ["X"]}, {"data": {"a": [1]}}]},
        {"data": {"a": [{"exists": False}, 1]}},
        {
            "data": {"a": [{"exists": False}], "a.b": [1]}
        },  # as {"a": {"b": 1}}: an object is no value
    ],
)
def test_a_match_that_an_event_may_fit(pattern):
    assert contradiction(pattern, ["PAID", "SETTLED"]) is None


async def test_who_waits_for_a_turn_is_not_doubted(stage):
    document = one_job({"wait": PAID}, name="bill", concurrency={"limit": 1})
    async with stage.app(document) as app:
        for _ in range(2):
            await app.start("bill", id="a")
        groups = (await app.stuck()).waiting
        [turn] = [group for group in groups if group.waiting_for == "turn"]
        assert turn.runs[0].doubts == []
