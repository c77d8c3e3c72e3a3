"""One repair for many runs: what is shown is what is done, once for each, and it can be stopped."""

import asyncio

import pytest

from ostinato import Fail
from ostinato.errors import ConflictError, NotFoundError, UsageError
from ostinato.ports import Page, RunFilter
from ostinato.runtime import janitor
from tests.stage import (
    Clock,
    Memory,
    Stage,
    fail_commits,
    one_job,
    reached,
    until,
    until_crash,
)

DOCUMENT = one_job({"run": "shaky"})
FAILED = RunFilter(status=("failed",))


class Work:
    def __init__(self):
        self.mended = False
        self.calls = 0

    async def shaky(self):
        self.calls += 1
        if not self.mended:
            raise Fail(f"order {self.calls} is lost")

    def app(self, stage, document=DOCUMENT, **more):
        return stage.app(document, handlers={"shaky": self.shaky}, **more)


async def failed(app, count):
    runs = [await app.start("w") for _ in range(count)]
    for run in runs:
        await reached(app, run.id, "run.failed")
    return [run.id for run in runs]


async def over(app, operation_id):
    while (found := await app.operation(operation_id)).status == "running":
        app.service.engine.wake.set()
        await asyncio.sleep(0)
    return found


async def test_failed_runs_are_retried_oldest_first_with_who_and_why(stage):
    work = Work()
    async with work.app(stage) as app:
        ids = await failed(app, 12)
        preview = await app.preview_bulk("retry", FAILED)
        assert (preview.matched, len(preview.sample)) == (12, 10)
        assert work.calls == 12
        work.mended = True
        begun = await app.start_bulk(preview.preview_token, rate=1000, by="ada", why="deployed")
        found = await over(app, begun.id)
        assert (found.status, found.done, found.left, found.refused) == ("ended", 12, 0, 0)
        for run_id in ids:
            await reached(app, run_id, "run.succeeded")
        reopened = [
            (fact["by"], fact["why"])
            for fact in await app.history(ids[0])
            if fact["type"] == "run.reopened"
        ]
        assert reopened == [("ada", "deployed")]
        starts = [
            next(f["at"] for f in await app.history(run_id) if f["type"] == "run.reopened")
            for run_id in ids
        ]
        assert starts == sorted(starts)


async def test_what_is_shown_later_is_not_repaired_and_what_has_gone_on_is_passed_over(stage):
    work = Work()
    async with work.app(stage) as app:
        first, _ = await failed(app, 2)
        preview = await app.preview_bulk("retry", FAILED)
        [later] = await failed(app, 1)
        work.mended = True
        await app.retry(first)
        await reached(app, first, "run.succeeded")
        begun = await app.start_bulk(preview.preview_token, rate=1000)
        found = await over(app, begun.id)
        assert (found.matched, found.done, found.passed) == (2, 1, 1)
        assert (await app.run_view(later)).status == "failed"


async def test_what_cannot_be_done_is_counted_with_its_reason(stage):
    document = one_job({"run": "noop", "undo": "noop"}) | {}
    document["phases"].append({"phase": "q", "jobs": [{"job": "k", "run": "shaky"}]})
    async with Work().app(stage, document) as app:
        ids = await failed(app, 3)
        preview = await app.preview_bulk("retry", FAILED)
        found = await over(app, (await app.start_bulk(preview.preview_token, rate=1000)).id)
        assert (found.done, found.refused, found.left) == (0, 3, 0)
        [reason] = found.reasons
        assert reason.reason.startswith("the run has been taken back")
        assert (reason.count, reason.example) == (3, ids[0])


async def test_failures_that_are_one_are_found_by_their_fingerprint(stage):
    async with Work().app(stage) as app:
        await app.deploy(one_job({"run": "fail", "with": {"message": "other"}}, name="v"))
        await failed(app, 2)
        await reached(app, (await app.start("v")).id, "run.failed")
        groups = {group.workflow: group for group in (await app.stuck()).failures}
        preview = await app.preview_bulk("retry", RunFilter(fingerprint=groups["w"].fingerprint))
        assert preview.matched == groups["w"].count == 2


@pytest.mark.parametrize(
    ("action", "shown", "more"),
    [("pause", "paused", {}), ("cancel", "cancelled", {}), ("skip", "succeeded", {"job": "p/j"})],
)
async def test_every_action_is_what_it_is_for_one_run(stage, action, shown, more):
    async with stage.app(one_job({"wait": "1h"})) as app:
        runs = [await app.start("w") for _ in range(3)]
        where = RunFilter(status=("waiting",), workflow="w")
        preview = await app.preview_bulk(action, where, **more)
        found = await over(app, (await app.start_bulk(preview.preview_token, rate=1000)).id)
        assert (found.done, found.action) == (3, action)
        assert [(await app.run_view(run.id)).status for run in runs] == [shown] * 3
        if action == "pause":
            paused = await app.preview_bulk("resume", RunFilter(status=("paused",)))
            found = await over(app, (await app.start_bulk(paused.preview_token, rate=1000)).id)
            assert found.done == 3


async def test_it_keeps_its_rate_and_can_be_stopped(stage):
    stage.clock = Clock()
    async with stage.app(one_job({"wait": "9d"})) as app:
        for _ in range(9):
            await app.start("w")
        preview = await app.preview_bulk("cancel", RunFilter(workflow="w"))
        begun = await app.start_bulk(preview.preview_token, rate=2)

        async def done(count):
            while (await app.operation(begun.id)).done < count:
                app.service.engine.wake.set()
                await asyncio.sleep(0)
            assert (await app.operation(begun.id)).done == count

        await done(1)
        stage.jump(app, 0.5)
        await done(2)
        stage.jump(app, 3600)  # it does not make up for an hour
        await done(3)
        found = await app.stop_operation(begun.id, by="ada")
        assert (found.status, found.left, found.stopped_by) == ("stopped", 6, "ada")
        stage.jump(app, 10)
        app.service.engine.wake.set()
        await until(lambda: len(app.service.engine) == 0)
        assert (await app.operation(begun.id)).left == 6
        with pytest.raises(ConflictError, match="is over already: stopped"):
            await app.stop_operation(begun.id)


async def test_it_goes_on_after_a_crash_where_it_was_and_repeats_nothing(stage):
    stage.clock = Clock()
    async with until_crash(stage.app(one_job({"wait": "9d"}))) as app:
        runs = [await app.start("w") for _ in range(5)]
        preview = await app.preview_bulk("pause", RunFilter(workflow="w"))
        begun = await app.start_bulk(preview.preview_token, rate=1)
        while (await app.operation(begun.id)).done < 1:
            app.service.engine.wake.set()
            await asyncio.sleep(0)
    async with stage.app(one_job({"wait": "9d"})) as app:
        while (found := await app.operation(begun.id)).status == "running":
            stage.jump(app, 1)
            await asyncio.sleep(0)
        assert (found.status, found.done) == ("ended", 5)
        for run in runs:
            types = [fact["type"] for fact in await app.history(run.id)]
            assert types.count("run.paused") == 1


async def test_a_store_that_fails_delays_it(stage):
    app = stage.app(one_job({"wait": "9d"}))
    async with app:
        for _ in range(3):
            await app.start("w")
        preview = await app.preview_bulk("cancel", RunFilter(workflow="w"))
        begun = await app.start_bulk(preview.preview_token, rate=1000)
        fail_commits(app.storage, times=2)
        found = await over(app, begun.id)
        assert (found.done, found.refused) == (3, 0)


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_a_commit_of_which_nobody_knows_repeats_nothing(stage, outcome):
    async with Work().app(stage, one_job({"run": "noop", "undo": "noop"})) as app:
        run = await app.start("w")
        await reached(app, run.id, "run.succeeded")
        preview = await app.preview_bulk("retry", RunFilter(workflow="w"))
        begun = await app.start_bulk(preview.preview_token, rate=1)
        stage.place.break_next_commit(app.storage, outcome)
        found = await over(app, begun.id)
        assert (found.status, found.refused) == ("ended", 1)


async def test_a_token_begins_once_what_it_was_given_for(stage):
    async with Work().app(stage) as app:
        await failed(app, 1)
        preview = await app.preview_bulk("retry", FAILED)
        for more in ({"action": "cancel"}, {"where": RunFilter(workflow="w")}):
            with pytest.raises(ConflictError, match="for something else"):
                await app.start_bulk(preview.preview_token, **more)
        with pytest.raises(ConflictError, match="no preview has this token"):
            await app.start_bulk("nobody")
        with pytest.raises(NotFoundError):
            await app.operation(preview.preview_token)
        with pytest.raises(NotFoundError):
            await app.stop_operation(preview.preview_token)
        first = await app.start_bulk(preview.preview_token, rate=1000, by="ada")
        again = await app.start_bulk(preview.preview_token, rate=5, by="bob")
        assert (again.id, again.by, again.rate) == (first.id, "ada", 1000)
        assert [one.id for one in await app.operations()] == [first.id]


async def test_a_preview_expires_and_goes(stage):
    stage.clock = Clock()
    async with Work().app(stage) as app:
        await failed(app, 2)
        preview = await app.preview_bulk("retry", FAILED)
        stage.clock.time += 3_600_000
        with pytest.raises(ConflictError, match="has expired"):
            await app.start_bulk(preview.preview_token)
        await app.clean()
        with pytest.raises(ConflictError, match="no preview has this token"):
            await app.start_bulk(preview.preview_token)
        assert await app.storage.operation_tally(preview.preview_token) == []


@pytest.mark.parametrize(
    ("action", "where", "more", "said"),
    [
        ("fork", FAILED, {}, "one of cancel, pause"),
        ("retry", RunFilter(), {}, "say which runs"),
        ("retry", RunFilter(status=("broken",)), {}, "no run is 'broken'"),
        ("skip", FAILED, {}, "skip needs a `job`"),
        ("cancel", FAILED, {"job": "p/j"}, "`job` does nothing beside cancel"),
        ("retry", FAILED, {"output": 1}, "`output` does nothing beside retry"),
    ],
)
async def test_what_makes_no_sense_is_refused(action, where, more, said):
    async with Work().app(Stage(Memory())) as app:
        with pytest.raises(UsageError, match=said):
            await app.preview_bulk(action, where, **more)
        with pytest.raises(UsageError, match=r"0\.01 to 1000 runs per second"):
            await app.start_bulk("x", rate=0)


async def test_many_are_read_in_pages(stage):
    async with stage.app(one_job({"wait": "9d"})) as app:
        await asyncio.gather(*(app.start("w") for _ in range(1_203)))
        pages = []
        runs = app.storage.runs

        async def counting(query, page):
            pages.append(page.limit)
            return await runs(query, page)

        app.storage.runs = counting
        preview = await app.preview_bulk("cancel", RunFilter(workflow="w"))
        assert (preview.matched, pages) == (1_203, [500] * 4)
        assert await app.storage.operations(Page()) == []


async def test_a_clean_up_counts_each_operation_once_however_many_lots_it_takes(stage, monkeypatch):
    monkeypatch.setattr(janitor, "ROWS", 1)
    async with stage.app(one_job({"wait": "9d"})) as app:
        for _ in range(3):
            await app.start("w")
        for _ in range(2):
            await app.preview_bulk("cancel", RunFilter(workflow="w"))
        cleaned = await app.service.janitor.clean(app.now() + 2 * 86_400_000)
        assert (cleaned.operations, cleaned.runs, bool(cleaned)) == (2, 0, True)
