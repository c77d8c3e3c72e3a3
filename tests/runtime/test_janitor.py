"""What is old goes, in small lots; what somebody still needs stays."""

import asyncio
import gzip
import json
from datetime import timedelta

import pytest

from ostinato.app import Once, Run
from ostinato.config.kinds import KeepOf
from ostinato.config.settings import RetentionSettings
from ostinato.errors import SettingsError, StoreError, Unready
from ostinato.ports import EventQuery, LetterQuery, Page, RunQuery
from ostinato.runtime import janitor
from ostinato.storage.sqlite import SqliteStorage
from tests.stage import Clock, File, Stage, fail_commits, one_job, reached, until, until_crash

GO = one_job({"run": "noop"}, on=[{"event": "GO"}])
FAILS = one_job({"run": "fail", "with": {"message": "no"}}, "fails")
PAID = {"event": "PAID", "match": {"data": {"id": ["${ input.id }"]}}}
WAITS = one_job({"wait": PAID}, "waits", on=[{"event": "GO", "uid": "event.data.id"}])
STRICT = one_job({"run": "noop"}, "strict", on=[{"event": "ODD"}]) | {
    "input_schema": {"type": "object", "required": ["a"]}
}
DAY = 86_400


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(janitor, "PAUSE", 0)
    monkeypatch.setattr(janitor, "FIRST", 10**14)  # no pass but those that a test asks for


def days(**kept):
    return RetentionSettings(
        **{name: timedelta(days=days) for name, days in kept.items()}, duplicates=timedelta(days=1)
    )


async def ended(app, name, count=1, **input):
    runs = [await app.start(name, **input) for _ in range(count)]
    for run in runs:
        await app.wait_ended(run.id, 5)
    return [run.id for run in runs]


async def test_nothing_goes_by_itself(clocked):
    async with clocked.app(GO) as app:
        await app.deploy(STRICT)
        await app.emit("GO", id="1")
        await app.emit("ODD", id="2")
        await ended(app, "w")
        clocked.jump(app, 10_000 * DAY)
        assert not await app.clean()
        assert await app.count_events(EventQuery()) == await app.count_runs(RunQuery()) == 2
        assert await app.count_dead_letters() == 1


async def test_runs_go_when_their_time_is_over(clocked):
    async with clocked.app(GO, retention=days(runs=2, failed=4)) as app:
        await app.deploy(FAILS)
        (good,), (bad,) = await ended(app, "w"), await ended(app, "fails")
        clocked.jump(app, 2 * DAY)
        assert not await app.clean()
        clocked.jump(app, 1)
        assert (await app.clean()).runs == 1
        assert await app.storage.head(good) is None
        assert await app.storage.history(good) == []
        assert await app.storage.head(bad) is not None
        clocked.jump(app, 2 * DAY)
        assert (await app.clean()).runs == 1
        assert await app.count_runs(RunQuery()) == 0
        assert not await app.storage.unswept()


async def test_a_workflow_may_have_its_own_times(clocked):
    own = (KeepOf("fails", failed=timedelta(days=1)), KeepOf("nobody", runs=timedelta(days=1)))
    kept = RetentionSettings(runs=timedelta(days=9), workflows=own)
    async with clocked.app(GO, retention=kept) as app:
        await app.deploy(FAILS)
        await ended(app, "w")
        await ended(app, "fails")
        clocked.jump(app, 2 * DAY)
        assert (await app.clean()).runs == 1
        assert await app.count_runs(RunQuery(workflow="w")) == 1


async def test_an_open_run_stays_with_its_waits_and_timers(clocked):
    sleeps = one_job({"wait": "900d"}, "sleeps")
    async with clocked.app(WAITS, retention=days(runs=1, failed=1, events=1)) as app:
        await app.deploy(sleeps)
        waiting, sleeping = await app.start("waits", id=1), await app.start("sleeps")
        clocked.jump(app, 500 * DAY)
        assert (await app.clean()).runs == 0
        await app.emit("PAID", {"id": 1})
        await waiting.result(5)
        clocked.jump(app, 401 * DAY)
        await sleeping.result(5)


async def test_events_go_but_not_before_their_window(clocked):
    async with clocked.app(GO, retention=days(events=3)) as app:
        first = await app.emit("GO", id="1")
        await reached(app, first.runs[0], "run.succeeded")
        await app.emit("OTHER", id="2")
        clocked.jump(app, 2 * DAY)
        await app.clean()
        assert (await app.emit("GO", id="1")).duplicate
        clocked.jump(app, 1 * DAY + 1)
        await app.emit("NEWER", id="3")
        assert (await app.clean()).events == 2
        assert not (await app.emit("GO", id="1")).duplicate
        assert await app.count_runs(RunQuery()) == 2


async def test_a_run_shows_its_event_after_that_is_gone(clocked):
    async with clocked.app(GO, retention=days(events=1)) as app:
        (run_id,) = (await app.emit("GO", {"n": 1}, id="1")).runs
        await reached(app, run_id, "run.succeeded")
        clocked.jump(app, 2 * DAY)
        await app.emit("NEWER")
        assert (await app.clean()).events == 1
        assert json.loads(bytes((await app.run_view(run_id)).event))["data"] == {"n": 1}


async def test_an_event_that_an_open_run_may_look_back_to_stays(clocked):
    """It waits for something else first, and only then for what came early."""
    both = {
        "workflow": "both",
        "phases": [
            {"phase": "a", "jobs": [{"job": "first", "wait": PAID | {"event": "FIRST"}}]},
            {"phase": "b", "jobs": [{"job": "then", "wait": PAID}]},
        ],
    }
    async with clocked.app(both, retention=days(events=1)) as app:
        await app.emit("PAID", {"id": 1}, id="before")
        clocked.jump(app, 1)
        run = await app.start("both", id=1)
        clocked.jump(app, 1)
        await app.emit("PAID", {"id": 1}, id="early")
        await app.emit("NOISE", id="noise")
        await app.emit("NEWER", id="newest")
        clocked.jump(app, 30 * DAY)
        assert (await app.clean()).events == 2
        left = {one.event.id for one in await app.events(EventQuery(), Page())}
        assert left == {"early", "newest"}
        await app.emit("FIRST", {"id": 1})
        assert json.loads(json.dumps(await run.result(5)))["then"]["id"] == "early"
        clocked.jump(app, 30 * DAY)
        assert (await app.clean()).events >= 1


async def test_a_letter_keeps_its_event_and_goes_by_its_own_age(clocked):
    async with clocked.app(STRICT, retention=days(events=1, dead_letters=5)) as app:
        letter_id = (await app.emit("ODD", {"n": 1})).dead_letters[0]["id"]
        clocked.jump(app, 3 * DAY)
        await app.emit("NEWER")
        assert (await app.clean()).events == 1
        await app.deploy(STRICT | {"input_schema": {"type": "object"}})
        (done,) = (await app.redrive(letter_id)).letters
        await Run(app, done.runs[0]).result(5)
        clocked.jump(app, 3 * DAY)
        assert (await app.clean()).dead_letters == 1
        assert await app.count_dead_letters(LetterQuery()) == 0


async def test_replies_go_when_their_keys_are_free_again(clocked):
    async with clocked.app(GO) as app:
        once = Once("runs", "k", b"body", lambda view: b"{}")
        await app.start_run("w", {}, once=once)
        clocked.jump(app, DAY - 1)
        assert not await app.clean()
        clocked.jump(app, 1)
        assert (await app.clean()).replies == 1


async def test_much_goes_in_lots_that_are_small(clocked, monkeypatch):
    monkeypatch.setattr(janitor, "RUNS", 10)
    monkeypatch.setattr(janitor, "ROWS", 20)
    async with clocked.app(GO, retention=days(runs=1)) as app:
        await ended(app, "w", 45)
        clocked.jump(app, 2 * DAY)
        lots, commit = [], app.storage.commit

        async def seen(batch):
            lots.append(batch.removal)
            await commit(batch)

        app.storage.commit = seen
        assert (await app.clean()).runs == 45
        assert [len(lot.runs) for lot in lots][:6] == [10, 10, 10, 10, 5, *([0] * (len(lots) > 5))]
        assert all(lot.rows == 20 for lot in lots)
        assert not await app.storage.unswept()


async def test_steps_go_on_between_two_lots(clocked, monkeypatch):
    monkeypatch.setattr(janitor, "RUNS", 1)
    async with clocked.app(GO, retention=days(runs=1)) as app:
        await ended(app, "w", 50)
        clocked.jump(app, 2 * DAY)
        cleaning = asyncio.create_task(app.clean())
        await ended(app, "w", 1)
        assert not cleaning.done()
        assert (await cleaning).runs == 50


async def test_a_pass_begins_by_itself_once_an_hour(clocked, monkeypatch):
    monkeypatch.setattr(janitor, "FIRST", 60_000)
    async with clocked.app(GO, retention=days(runs=1)) as app:
        gone = await ended(app, "w")
        clocked.jump(app, 2 * DAY)
        await _gone(app, gone[0])
        more = await ended(app, "w")
        clocked.jump(app, 2 * DAY)
        await _gone(app, more[0])


async def test_a_clock_that_was_set_back_only_puts_a_pass_off(clocked):
    async with clocked.app(GO) as app:
        janitor, wake = app.service.janitor, app.service.engine.wake
        janitor.due_at = app.now() + 5_000
        wake.clear()
        janitor._ring()
        assert not wake.is_set()
        loop = asyncio.get_running_loop()
        assert 4 < janitor._alarm.when() - loop.time() <= 5  # it goes off when the pass is due
        clocked.clock.time += 5_000
        janitor._ring()
        assert wake.is_set()


async def _gone(app, run_id):
    for _ in range(100_000):
        if await app.storage.head(run_id) is None:
            return
        await asyncio.sleep(0)
    raise AssertionError("it never went")


async def test_a_store_that_fails_stops_the_pass_and_nothing_else(clocked):
    async with clocked.app(GO, retention=days(runs=1)) as app:
        (run_id,) = await ended(app, "w")
        clocked.jump(app, 2 * DAY)
        await app.service.engine.rest()
        fail_commits(app.storage)
        with pytest.raises(StoreError):
            await app.clean()
        assert await app.storage.head(run_id) is not None
        assert (await app.clean()).runs == 1


async def test_a_pass_ends_when_the_engine_stops(clocked):
    async with clocked.app(GO, retention=days(runs=1)) as app:
        app.service.engine.stopping = True
        with pytest.raises(Unready, match="goes when it is started again"):
            await app.clean()


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_a_removal_whose_commit_is_unknown_is_done_once_more(clocked, outcome):
    store = clocked.place.store()
    async with clocked.app(GO, store=store, retention=days(runs=1)) as app:
        await ended(app, "w", 3)
        clocked.jump(app, 2 * DAY)
        await app.service.engine.rest()
        clocked.place.break_next_commit(store, outcome)
        assert (await app.clean()).runs == 3
        assert await app.count_runs(RunQuery()) == 0
        await ended(app, "w")


async def test_a_crash_in_between_leaves_whole_runs_and_none_by_half(clocked, monkeypatch):
    monkeypatch.setattr(janitor, "RUNS", 2)
    monkeypatch.setattr(janitor, "ROWS", 1)
    async with until_crash(clocked.app(GO, retention=days(runs=1))) as app:
        runs = await ended(app, "w", 6)
        clocked.jump(app, 2 * DAY)
        lots, ask = [], app.service.janitor._ask

        async def dying(make):
            if lots:
                await asyncio.Event().wait()
            lots.append(await ask(make))

        app.service.janitor._ask = dying
        cleaning = asyncio.create_task(app.clean())
        await until(lambda: lots)
        cleaning.cancel()
        await asyncio.gather(cleaning, return_exceptions=True)
    async with clocked.app(GO, retention=days(runs=1)) as app:
        left = [run for run in runs if await app.storage.head(run)]
        assert len(left) == 4
        for run in runs:
            assert bool(await app.storage.history(run)) == (run in left)
        await app.clean()
        assert await app.count_runs(RunQuery()) == 0


# the archive


def archived(folder):
    lines = []
    for file in sorted(folder.glob("*.gz")):
        with gzip.open(file) as data:
            lines += [json.loads(line) for line in data]
    return lines


async def test_a_run_is_exported_whole_before_it_goes(clocked, tmp_path):
    folder = tmp_path / "old"
    kept = RetentionSettings(runs=timedelta(days=1), export=str(folder))
    async with clocked.app(GO, retention=kept) as app:
        (run_id,) = await ended(app, "w", n=7)
        view = await app.run_view(run_id)
        history = await app.history(run_id)
        clocked.jump(app, 2 * DAY)
        await app.clean()
        (line,) = archived(folder)
        assert line["run"]["id"] == run_id
        assert line["run"]["input"] == json.loads(bytes(view.input)) == {"n": 7}
        assert [fact["type"] for fact in line["history"]] == [fact["type"] for fact in history]
        assert (folder / "runs-2027-01-15.jsonl.gz").exists()


async def test_a_run_that_cannot_be_exported_is_not_removed(clocked, tmp_path):
    (tmp_path / "file").write_text("no directory")
    kept = RetentionSettings(runs=timedelta(days=1), export=str(tmp_path / "file"))
    async with clocked.app(GO, retention=kept) as app:
        (run_id,) = await ended(app, "w")
        clocked.jump(app, 2 * DAY)
        with pytest.raises(StoreError, match="none is removed"):
            await app.clean()
        assert await app.storage.head(run_id) is not None


async def test_what_cannot_be_read_is_exported_as_it_is_stored(clocked, tmp_path):
    kept = RetentionSettings(runs=timedelta(days=1), export=str(tmp_path / "old"))
    async with clocked.app(GO, retention=kept) as app:
        (run_id,) = await ended(app, "w")
        clocked.jump(app, 2 * DAY)

        def refused(workflow, version):
            raise SettingsError("the document is refused now")

        app._catalog.graph = refused
        assert (await app.clean()).runs == 1
    (line,) = archived(tmp_path / "old")
    assert (line["run"]["id"], line["history"]) == (run_id, [])
    assert line["records"][0]["data"][0]


# settings


async def test_events_shorter_than_their_duplicates_window_are_refused(here):
    kept = RetentionSettings(events=timedelta(days=1), duplicates=timedelta(days=2))
    with pytest.raises(SettingsError, match=r"retention\.events.*set retention\.duplicates lower"):
        async with here.app(GO, retention=kept):
            pass


async def test_a_file_does_not_grow_when_what_is_old_goes(tmp_path):
    """Freed pages are used again: four rounds take little more room than one."""
    stage, pages = Stage(File(tmp_path / "o.db")), []
    stage.clock = Clock()
    async with stage.app(GO, retention=days(runs=1, events=1)) as app:
        for _ in range(4):
            for number in range(40):
                await app.emit("GO", {"n": "x" * 5_000, "m": number})
            while await app.count_runs(RunQuery(status=("succeeded",))) < 40:
                await asyncio.sleep(0)
            assert isinstance(app.storage, SqliteStorage)
            pages.append(app.storage._main.execute("PRAGMA page_count").fetchone()[0])
            stage.jump(app, 2 * DAY)
            await app.emit("NEWER")
            await app.clean()
    assert pages[-1] < pages[0] * 1.3
