"""The verbs about schedules: pause, resume, fire, back-fill, and how one is named."""

import asyncio

import pytest
from msgspec import UNSET

from ostinato.errors import ConflictError, NotFoundError, UsageError
from tests.runtime.test_schedules import (
    HOUR,
    clockwork,
    jump,
    row,
    settled,
    started,
    until_async,
)
from tests.stage import NOON, Clock, Gate, Memory, Stage, until

HOURLY = {"every": "1h", "overlap": "allow"}


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock()
    return made


async def test_what_is_shown(stage):
    trigger = {"schedule": "0 3 * * *", "zone": "Europe/Berlin", "jitter": "5m", "name": "nightly"}
    async with stage.app(clockwork(trigger)) as app:
        (view,) = await app.schedules()
        assert (view.id, view.says) == ("w/on/nightly", "0 3 * * * Europe/Berlin")
        assert (view.status, view.overlap, view.catch_up) == ("active", "skip", "last")
        assert view.next_for <= view.due_at < view.next_for + 300_000
        assert (view.upcoming, view.last_run, view.paused_by) == (UNSET, None, None)
        shown = await app.schedule("w", 2)
        assert shown.upcoming == [view.next_for, view.next_for + 24 * HOUR]


@pytest.mark.parametrize("name", ["a-b/on/one", "a_b/on/one", "a-b/one", "a_b/one"])
async def test_how_a_schedule_is_named(stage, name):
    two = [HOURLY | {"name": "one"}, HOURLY | {"name": "two"}]
    async with stage.app(clockwork(two, name="a-b")) as app:
        assert (await app.schedule(name)).id == "a-b/on/one"
        with pytest.raises(ConflictError, match="say which: a-b/on/one, a-b/on/two"):
            await app.schedule("a-b")
        with pytest.raises(NotFoundError, match="did you mean 'a-b/on/two'"):
            await app.schedule("a-b/on/tow")


async def test_a_pause_says_who_and_why_and_outlives_the_process(stage):
    async with stage.app(clockwork(HOURLY)) as app:
        view = await app.pause_schedule("w", by="ann", why="we move")
        assert (view.status, view.paused_at, view.paused_by, view.paused_why) == (
            "paused", NOON, "ann", "we move",
        )  # fmt: skip
        assert (await app.pause_schedule("w", by="bob")).paused_by == "ann"
    stage.clock.time += 3 * HOUR
    async with stage.app() as app:
        await jump(stage, app, 1800)
        assert await started(app) == []
        assert (await app.resume_schedule("w")).paused_by is None
        assert await started(app) == []  # what came due in the pause was not wanted
        await jump(stage, app, 1800)
        assert await started(app) == [4]


async def test_a_pause_in_the_tick_of_a_start(stage):
    """Whichever is first, the other sees it."""
    async with stage.app(clockwork(HOURLY)) as app:
        await settled(app)
        stage.jump(app, 3600)
        await app.pause_schedule("w")
        await jump(stage, app, 3600)
        assert await started(app) in ([1], [])
        assert (await row(app)).paused_at is not None


async def test_fire_starts_at_once_and_counts_as_the_last_run(stage):
    gate = Gate()
    at_work = {"gate": gate.__call__}
    async with stage.app(clockwork({"every": "1h"}, {"run": "gate"}), at_work) as app:
        await app.pause_schedule("w")
        first = await app.fire_schedule("w", by="ann")
        second = await app.fire_schedule("w")
        assert len({*first.runs, *second.runs}) == 2
        assert (await app.event(first.id)).event.extensions == {"by": "ann"}
        await app.resume_schedule("w")
        await until(lambda: gate.calls == 2)
        stage.jump(app, 3600)

        async def missed():  # as the fired run is open still
            return (await row(app)).missed_for == NOON + HOUR

        await until_async(missed)
        assert (await row(app)).last_run == second.runs[0]
        gate.open.set()


async def test_fire_at_a_planned_instant_does_not_stand_in_for_it(stage):
    async with stage.app(clockwork(HOURLY)) as app:
        stage.clock.time += HOUR
        await app.fire_schedule("w")
        await settled(app)
        assert sorted(await started(app)) == [1, 1]


async def test_fire_while_a_deployment_changes_what_the_schedule_says(stage):
    """It was there before and is there after that, so it is there."""
    async with stage.app(clockwork(HOURLY)) as app:
        await settled(app)
        deployed = app.deploy(clockwork(HOURLY | {"every": "2h"}))
        _, fired = await asyncio.gather(deployed, app.fire_schedule("w"))
        assert len(fired.runs) == 1
        assert (await row(app)).last_run == fired.runs[0]


async def test_a_back_fill_starts_what_has_not_started(stage):
    async with stage.app(clockwork(HOURLY)) as app:
        await jump(stage, app, 3600)
        await jump(stage, app, 5 * 3600)
        assert await started(app) == [1, 6]
        asked = {"since": NOON + HOUR, "until": NOON + 6 * HOUR}
        wanted = [NOON + hour * HOUR for hour in (2, 3, 4, 5)]
        dry = await app.backfill_schedule("w", **asked, dry_run=True)
        assert (dry.planned, dry.known, dry.runs) == (wanted, 2, [])
        assert await started(app) == [1, 6]
        made = await app.backfill_schedule("w", **asked)
        assert (made.planned, made.known, len(made.runs)) == (wanted, 2, 4)
        assert await started(app) == [1, 6, 2, 3, 4, 5]
        again = await app.backfill_schedule("w", **asked)
        assert (again.planned, again.known, again.runs) == ([], 6, [])
        await jump(stage, app, 3600)
        assert (await started(app))[-1] == 7


async def test_a_back_fill_reaches_before_the_schedule_was_there(stage):
    async with stage.app(clockwork(HOURLY)) as app:
        made = await app.backfill_schedule("w", NOON - 250 * HOUR)
        assert len(made.runs) == 251
        assert (await row(app)).next_for == NOON + HOUR


async def test_what_cannot_start_is_a_dead_letter(stage):
    document = clockwork(HOURLY, input_schema={"required": ["tenant"]})
    async with stage.app(document) as app:
        (deployed,) = await app.workflows()
        assert "{scheduledFor} is no input of this workflow" in deployed.warnings[0]
        made = await app.backfill_schedule("w", NOON - HOUR)
        assert (made.runs, made.dead_letters) == ([], 2)
        await jump(stage, app, 3600)
        assert (await row(app)).next_for == NOON + 2 * HOUR


@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        (NOON, NOON + 1, "ends in the past"),
        (NOON, NOON - 1, "begins before it ends"),
        (NOON - 10_001 * HOUR, NOON, "more than 10,000 instants"),
    ],
)
async def test_a_back_fill_that_is_refused(stage, since, until, why):
    async with stage.app(clockwork(HOURLY)) as app:
        with pytest.raises(UsageError, match=why):
            await app.backfill_schedule("w", since, until)
        assert await started(app) == []


async def test_what_is_given_without_an_engine_is_stored(stage):
    app = stage.app(clockwork(HOURLY))
    await app.open()
    await app.fire_schedule("w")
    await app.backfill_schedule("w", NOON - HOUR)
    await app.pause_schedule("w")
    await app.close(drain=0)
    async with stage.app() as app:
        await settled(app)
        assert sorted(await started(app)) == [-1, 0, 0]
        assert (await row(app)).paused_at == NOON
