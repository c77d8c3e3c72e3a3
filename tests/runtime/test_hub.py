"""What concerns all runs is asked of one process, by mail: it is done once, also when that dies."""

import asyncio

import pytest

from ostinato.errors import ConflictError, NotFoundError
from ostinato.ports import Page, RunFilter, RunQuery
from ostinato.runtime import errands
from ostinato.runtime.schedules import FireNow
from tests.runtime.test_membership import Time, holds, kill, pass_by, process, table, time, two
from tests.stage import one_job

__all__ = ["Time", "table", "time"]

TIMED = one_job({"wait": {"event": "GO"}}) | {"on": [{"every": "1h"}]}


async def asked_of_who_dies(table, time, begin, ask):
    """Whoever leads dies when the first thing that comes of ``ask(app, begin(app))`` is stored.
    What another process hears that has asked, and that process."""
    hub = await process(table, time, TIMED).__aenter__()
    other = await process(table, time).__aenter__()
    await holds(hub, 32)
    await holds(other, 32)
    given = await begin(other)
    commit, dead, before = hub.storage.commit, asyncio.Event(), set(table.disk.mail)

    async def last(batch):
        await commit(batch)
        if set(table.disk.mail) - before or batch.replies:
            dead.set()
            await asyncio.Event().wait()

    hub.storage.commit = last
    asked = asyncio.create_task(ask(other, given))
    await dead.wait()
    await kill(hub)
    pass_by(time, other, seconds=7)
    await holds(other, 64)
    pass_by(time, other, seconds=errands.SAFETY / 1_000)  # nobody was left to hint at the answer
    other.service.engine.wake.set()
    return await asyncio.wait_for(asked, 60), other


async def schedule_of(app):
    [schedule] = await app.schedules()
    return schedule.id


async def test_a_schedule_is_fired_once(table, time):
    accepted, app = await asked_of_who_dies(
        table, time, schedule_of, lambda app, name: app.fire_schedule(name, by="me")
    )
    assert not accepted.duplicate
    [run] = await app.storage.runs(RunQuery(), Page(9))
    assert accepted.runs == [run.run_id]
    await app.close()


async def test_a_schedule_is_paused_once_and_stays_resumed(table, time):
    shown, app = await asked_of_who_dies(
        table, time, schedule_of, lambda app, name: app.pause_schedule(name, by="me", why="why")
    )
    assert (shown.status, shown.paused_by, shown.paused_why) == ("paused", "me", "why")
    assert (await app.resume_schedule(shown.id)).status == "active"
    await app.close()


async def test_a_workflow_that_is_deleted_is_not_missed(table, time):
    async def begin(app):
        return "w"

    told, app = await asked_of_who_dies(
        table, time, begin, lambda app, name: app.delete_workflow(name)
    )
    assert told is None
    with pytest.raises(NotFoundError):
        await app.delete_workflow("w")
    await app.close()


async def test_an_operation_is_stopped_once(table, time):
    async def begin(app):
        for _ in range(3):
            await app.start("w")
        preview = await app.preview_bulk("cancel", RunFilter(workflow="w"))
        return (await app.start_bulk(preview.preview_token, rate=0.1, why="too many")).id

    seen, app = await asked_of_who_dies(
        table, time, begin, lambda app, id: app.stop_operation(id, by="me", why="enough")
    )
    assert (seen.status, seen.stopped_by, seen.stopped_why) == ("stopped", "me", "enough")
    with pytest.raises(ConflictError, match="over already"):
        await app.stop_operation(seen.id)
    await app.close()


async def test_what_the_hub_refuses_is_heard_by_who_asked(table, time):
    async with two(table, time, TIMED) as (_, second):
        with pytest.raises(NotFoundError, match="no operation"):
            await second.stop_operation("nothing")
        with pytest.raises(NotFoundError, match="no schedule"):
            await second.fire_schedule("nothing")
    assert not table.disk.mail


async def test_what_breaks_at_the_hub_is_answered(table, time, monkeypatch):
    def broken(self, engine, change, now):
        raise ZeroDivisionError("by nobody")

    monkeypatch.setattr(FireNow, "apply", broken)
    async with two(table, time, TIMED) as (_, second):
        with pytest.raises(Exception, match="ZeroDivisionError: by nobody"):
            await second.fire_schedule("w")
        assert not table.disk.mail
