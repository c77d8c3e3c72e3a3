"""Runs with a uid that began before the runs of a uid had a home: in the store of an older version,
which has moved house since. Whoever is at home there does not have them."""

import asyncio
import contextlib
from datetime import timedelta

import pytest
from msgspec import json

from ostinato import App, Fail
from ostinato.app.doing import Once
from ostinato.app.moving import move_store
from ostinato.config import Settings
from ostinato.core.run_ids import partition_of, partition_of_uid
from ostinato.errors import ConflictError
from ostinato.runtime import calls, lines, starts
from tests.runtime.test_membership import Time, has, pass_by, process, still, table, time
from tests.stage import one_job, reached, until

__all__ = ["Time", "table", "time"]

UIDS = [f"u{n}" for n in range(24)]
WAIT = {"wait": {"event": ["GO", "ostinato.start"]}}


class Shaky:
    mended = False

    async def shaky(self):
        if not self.mended:
            raise Fail("no")


@contextlib.asynccontextmanager
async def moved(table, time, monkeypatch, documents, begin, handlers=None):
    """Who is at home for a uid, another process that has its runs, the uid, and what ``begin(app,
    uid)`` has given for it when ids were chosen without a thought."""
    with monkeypatch.context() as before:
        for module in (starts, calls):
            before.setattr(module, "in_partition", lambda run_id, partition: run_id)
        async with process(table, time, documents[0], handlers) as old:
            for document in documents[1:]:
                await old.deploy(document)
            begun = {uid: await begin(old, uid) for uid in UIDS}
    async with (
        process(table, time, None, handlers) as first,
        process(table, time, None, handlers) as second,
    ):
        for app in (first, second):
            await until(lambda app=app: has(app) == 32 and app.service.ready)
        yield next(
            (home, other, uid, runs)
            for home, other in [(second, first), (first, second)]
            for uid, runs in begun.items()
            if partition_of_uid(uid) in home.service.engine.territory.owned
            and all(other.service.engine.territory.has_run(run_id) for run_id in runs)
        )


def one(count=1, reach=None, **more):
    async def begin(app, uid):
        runs = [(await app.start_run("w", {}, uid=uid, **more)).id for _ in range(count)]
        if reach is not None:
            await reached(app, runs[0], reach)
        return runs

    return begin


async def test_a_start_is_answered_with_the_open_run(table, time, monkeypatch):
    async with moved(table, time, monkeypatch, [one_job(WAIT)], one()) as found:
        *apps, uid, [run_id] = found
        once = Once("runs", "k", b"body", lambda view: json.encode(view))
        for app in apps:
            again = await app.start_run("w", {}, uid=uid)
            assert (again.id, again.duplicate) == (run_id, True)
        runs = [await app.start_run("w", {}, uid=uid, once=once) for app in (*apps, *apps)]
        assert [run.replayed for run in runs] == [False, True, True, True]
        assert {run.id for run in runs} == {run_id}
        assert {json.decode(run.answer)["id"] for run in runs[1:]} == {run_id}


@pytest.mark.parametrize("asked", [0, 1], ids=["home", "elsewhere"])
async def test_an_open_run_hears_of_a_start(table, time, monkeypatch, asked):
    document = one_job(WAIT, uid={"open": "signal"})
    begin = one(reach="job.waiting")
    async with moved(table, time, monkeypatch, [document], begin) as found:
        *apps, uid, [run_id] = found
        again = await apps[asked].start_run("w", {"more": 7}, uid=uid)
        assert (again.id, again.duplicate) == (run_id, True)
        ended = await apps[0].wait_ended(run_id, 5)
        assert json.decode(ended.output)["j"]["data"] == {"more": 7}


async def test_one_that_failed_goes_on_with_a_start(table, time, monkeypatch):
    hands, document = Shaky(), one_job({"run": "shaky"}, uid={"again": "resume"})
    begin, handlers = one(reach="run.failed"), {"shaky": hands.shaky}
    async with moved(table, time, monkeypatch, [document], begin, handlers) as found:
        home, _, uid, [run_id] = found
        hands.mended = True
        again = await home.start_run("w", {}, uid=uid)
        assert (again.id, again.duplicate) == (run_id, True)
        while (await home.run_view(run_id)).status != "succeeded":
            await asyncio.sleep(0)


async def test_a_second_start_is_refused(table, time, monkeypatch):
    document = one_job({"run": "noop"}, uid={"again": "refuse"})
    async with moved(table, time, monkeypatch, [document], one(reach="run.succeeded")) as found:
        home, other, uid, [run_id] = found
        for app in (home, other):
            with pytest.raises(ConflictError, match=f"run {run_id} of w .* has succeeded"):
                await app.start_run("w", {}, uid=uid)


async def test_who_calls_it_hears_of_its_end(table, time, monkeypatch):
    calling = one_job({"call": {"workflow": "w", "uid": "${ input.uid }"}}, "calls")
    begin = one(reach="job.waiting")
    async with moved(table, time, monkeypatch, [one_job(WAIT), calling], begin) as found:
        home, other, uid, [run_id] = found
        callers = [await app.start_run("calls", {"uid": uid}) for app in (home, other)]
        for caller in callers:
            while [each.run for each in (await home.run_view(caller.id)).children] != [run_id]:
                await asyncio.sleep(0)
        await home.emit("GO")
        for caller in callers:
            assert (await home.wait_ended(caller.id, 5)).status == "succeeded"


LIMITED = {"concurrency": {"limit": 99}}


@pytest.mark.parametrize("more", [{}, LIMITED], ids=["free", "limited"])
@pytest.mark.parametrize("before", [1, 2])
async def test_who_queues_behind_it_begins_after_its_end(table, time, monkeypatch, more, before):
    document = one_job(WAIT, uid={"open": "queue"}, **more)
    begin = one(before, reach="job.waiting")
    async with moved(table, time, monkeypatch, [document], begin) as found:
        home, other, uid, [run_id, *waiting] = found
        waiting += [(await app.start_run("w", {}, uid=uid)).id for app in (home, other)]
        assert partition_of(waiting[-1]) == partition_of_uid(uid)
        assert len({run_id, *waiting}) == before + 2
        left = {run_id, *waiting}
        while left:
            open = [name for name in left if await is_open(home, name)]
            assert len(open) <= 1
            for name in open:
                await home.cancel(name)
                left.remove(name)
            for app in (home, other):
                pass_by(time, app, seconds=lines.OFF / 1_000)
                app.service.engine.wake.set()
            await still()
        for name in (run_id, *waiting):
            types = [fact["type"] for fact in await home.history(name)]
            assert "run.cancelled" in types
            assert "run.stuck" not in types


@pytest.mark.real
async def test_a_file_of_before_is_moved_to_a_database_for_two(new_database, tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "OFF", 50)
    file, url = f"sqlite:///{tmp_path}/before.db", new_database()
    begin = one(2, reach="job.waiting")
    with monkeypatch.context() as before:
        for module in (starts, calls):
            before.setattr(module, "in_partition", lambda run_id, partition: run_id)
        async with App(Settings(store=file, drain=timedelta(0))) as old:
            await old.deploy(one_job(WAIT, uid={"open": "queue"}))
            runs = {uid: await begin(old, uid) for uid in UIDS[:6]}
    await move_store(file, url)
    async with App(Settings(store=url)) as first, App(Settings(store=url)) as second:
        while any(has(app) != 32 or not app.service.ready for app in (first, second)):
            await asyncio.sleep(0)
        for uid, begun in runs.items():
            begun += [(await app.start_run("w", {}, uid=uid)).id for app in (first, second)]
        left = {name for begun in runs.values() for name in begun}
        while left:
            for name in [name for name in left if await is_open(first, name)]:
                await second.cancel(name)
                left.remove(name)
        for begun in runs.values():
            assert len(set(begun)) == 4
            for name in begun:
                assert "run.stuck" not in [fact["type"] for fact in await first.history(name)]


async def is_open(app, run_id):
    view = await app.run_view(run_id)
    return view.status == "waiting" and view.waiting_for != "uid"
