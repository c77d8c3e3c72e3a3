"""Repairs of many runs, documents, schedules, and what is kept of a set."""

import asyncio

import pytest

from ostinato.errors import ConflictError, NotFoundError, WorkflowNotFound
from ostinato.ports import Page, RunFilter, RunQuery
from tests.app.shards.conftest import WORK, heads_in, parts_of, uids_at

FAILS = """
workflow: fails
phases: [{phase: p, jobs: [{job: a, run: fail, with: {message: bad}}]}]
"""


async def ended(app, token):
    while (found := await app.operation(token)).status == "running":
        await asyncio.sleep(0.01)
    return found


async def test_many_runs_are_repaired_in_every_store(shards):
    async with shards.app(2) as app:
        runs = [await app.start("work", uid=f"u{number}") for number in range(8)]
        seen = await app.preview_bulk("cancel", RunFilter(workflow="work"))
        assert (seen.matched, len(seen.sample)) == (8, 8)
        assert (await app.previewed(seen.preview_token)).matched < 8
        begun = await app.start_bulk(seen.preview_token, rate=500, why="enough", action="cancel")
        assert (begun.id, begun.matched) == (seen.preview_token, 8)
        done = await ended(app, seen.preview_token)
        assert (done.status, done.done, done.left) == ("ended", 8, 0)
        assert [(await run.view()).status for run in runs] == ["cancelled"] * 8
        each = await app.operations()
        assert sum(one.matched for one in each) == 8
        assert len(each) == len([number for number in range(2) if await heads_in(app, number)])
        assert (await app.operation(each[0].id)).id == each[0].id
        with pytest.raises(ConflictError):
            await app.start_bulk(seen.preview_token, action="pause")
        with pytest.raises(NotFoundError, match="'7' is no number of a store"):
            await app.operation("7:x")
        with pytest.raises(NotFoundError):
            await app.operation("nope")


async def test_a_repair_of_many_is_stopped_everywhere(shards):
    async with shards.app(2) as app:
        for number in range(8):
            await app.start("work", uid=f"u{number}")
        seen = await app.preview_bulk("cancel", RunFilter(workflow="work"))
        await app.start_bulk(seen.preview_token, rate=0.1)
        stopped = await app.stop_operation(seen.preview_token, by="me", why="no")
        assert (stopped.status, stopped.stopped_by) == ("stopped", "me")
        assert (await app.operation(seen.preview_token)).left > 0


async def test_nothing_fits(shards):
    async with shards.app(2) as app:
        seen = await app.preview_bulk("cancel", RunFilter(workflow="work"))
        assert (seen.matched, seen.sample) == (0, [])
        assert (await app.start_bulk(seen.preview_token)).matched == 0


async def test_what_is_stuck_is_told_of_all(shards):
    async with shards.app(2) as app:
        await app.deploy(FAILS)
        for number in range(4):
            await app.start("work", uid=f"u{number}")
            await (await app.start("fails")).view()
        runs = await app.runs(RunQuery(workflow="fails"), Page(9))
        for head in runs:
            await app.wait_ended(head.run_id, 20)
        found = await app.stuck()
        [waiting], [failed] = found.waiting, found.failures
        assert (waiting.waiting_for, waiting.count) == ("event", 4)
        assert len(waiting.runs) <= 5
        assert (failed.name, failed.count) == ("Failed", 4)


async def test_a_document_is_the_same_version_everywhere(shards):
    async with shards.app(2) as app:
        assert await app.deploy(FAILS) == 1
        assert await app.deploy(FAILS.replace("bad", "worse")) == 2
        await app.delete_version("fails", 1)
        rows = [await part.storage.versions() for part in parts_of(app)]
        assert rows[0] == rows[1]
        assert [(row.version, row.retired) for row in rows[1] if row.workflow == "fails"] == [
            (1, True), (2, False),
        ]  # fmt: skip
        await app.deploy(FAILS)  # the first one, brought back or new
        await app.delete_workflow("work")
        rows = [await part.storage.versions() for part in parts_of(app)]
        assert rows[0] == rows[1]
        with pytest.raises(WorkflowNotFound):
            await app.start("work")
        assert [each.name for each in await app.workflows()] == ["fails"]
        assert app.graph("fails")["workflow"] == "fails"


async def test_a_deployment_that_broke_off_is_whole_at_the_next_start(shards):
    async with shards.app(2) as app:
        await parts_of(app)[0].deploy(FAILS)  # and then it died
        assert len(await parts_of(app)[1].storage.versions()) == 1
    async with shards.app(3) as app:
        rows = [await part.storage.versions() for part in parts_of(app)]
        assert len(rows[0]) == 2
        assert rows[0] == rows[1] == rows[2]


TIMED = """
workflow: timed
on: [{schedule: "0 3 * * *"}]
phases: [{phase: p, jobs: [{job: a, run: noop}]}]
"""


async def test_schedules_are_in_the_first_store(shards):
    async with shards.app(2, TIMED) as app:
        [one] = await app.schedules()
        assert [len(await part.storage.schedules()) for part in parts_of(app)] == [1, 0]
        fired = await app.fire_schedule("timed")
        assert (await app.wait_ended(fired.runs[0], 20)).status == "succeeded"
        assert (await app.pause_schedule(one.id)).status == "paused"
        assert (await app.resume_schedule(one.id)).status == "active"
        assert (await app.schedule("timed", upcoming=2)).upcoming
        done = await app.backfill_schedule("timed", app.now() - 86_400_000, dry_run=True)
        assert len(done.planned) == 1
    async with shards.app(2, TIMED) as app:
        assert [len(await part.storage.schedules()) for part in parts_of(app)] == [1, 0]


async def test_it_is_cleaned_and_counted(shards):
    async with shards.app(2) as app:
        assert (await app.clean()).runs == 0
        health = app.health()
        assert health["ready"]
        roll = await app.members()
        assert [seat.id.partition("/")[0] for seat in roll.seats] == ["1", "2"]
        assert roll.hub == roll.seats[0].id
        assert app.expects("GO")
        assert not app.expects("NOBODY")
        app.promote()


async def test_a_uid_of_a_handler_and_a_producer(shards):
    uid = uids_at((2,), (1,))[0]
    app = shards.app(2, WORK)

    @app.handler("greet")
    async def greet(name: str) -> str:
        return f"Hello, {name}!"

    heard = []

    @app.consumer("HEARD")
    async def hear(event):
        heard.append(event.id)

    async with app:
        run = await greet.start(name="Ada", uid=uid)
        assert await run.result(timeout=20) == "Hello, Ada!"
        assert [head.uid for head in await heads_in(app, 1)] == [uid]
        await app.producer().send("HEARD")
        while not heard:
            await asyncio.sleep(0.01)
