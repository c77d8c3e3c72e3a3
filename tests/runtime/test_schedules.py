"""Schedules start each planned instant once, through crashes, deployments and clocks that jump."""

import asyncio

import msgspec
import pytest
from msgspec.structs import replace

from ostinato.core.schedules import Schedule, event_of
from ostinato.definitions import registry
from ostinato.errors import Refused, StoreError
from ostinato.ports import EventQuery, Page, RunQuery
from ostinato.runtime.posts import Post
from tests.stage import NOON, Clock, Gate, crash, fail_commits, one_job, until, until_crash

HOUR = 3_600_000
EVERY = {"every": "1h", "overlap": "allow"}


def clockwork(trigger=EVERY, job=None, name="w", **more):
    """A workflow of one job, started by the clock; NOON is a full hour."""
    on = trigger if isinstance(trigger, list) else [trigger]
    return one_job(job or {"run": "noop"}, name, on=on, **more)


async def settled(app):
    """Wait until nothing more is to be done at this time."""
    service = app.service
    while True:
        await asyncio.sleep(0)
        await service.engine.rest()
        storage, now = service.storage, app.now()
        busy = len(service.engine) or len(service.executor) or service.executor.running
        due = await storage.due_timers(now, 1) or await storage.due_schedules(now, 1)
        if not busy and not due:
            return


async def jump(stage, app, seconds):
    stage.jump(app, seconds)
    await settled(app)


async def started(app):
    """The planned instants of all runs, in hours after NOON, in the order of their starts."""
    found = []
    for head in reversed(await app.storage.runs(RunQuery(), Page(1000))):
        if head.event_id is not None:
            (stored,) = await app.storage.events_by_id(head.event_id)
            found.append((stored.event.time - NOON) / HOUR)
    return found


class Put(Post):
    """Rows as they are, through the engine, which alone may write."""

    def __init__(self, answer, rows):
        self.answer = answer
        self.rows = rows

    def apply(self, engine, change, now):
        for name, rows in self.rows.items():
            setattr(change.rows, name, rows)


async def put(app, **rows):
    await app.service.ask(lambda answer: Put(answer, rows))


async def row(app, name="w/on/0"):
    (found,) = await app.storage.schedules([name])
    return found


async def test_an_instant_starts_one_run_and_not_early(clocked):
    async with clocked.app(clockwork()) as app:
        await jump(clocked, app, 3599.999)
        assert await started(app) == []
        await jump(clocked, app, 0.001)
        await jump(clocked, app, 1)
        assert await started(app) == [1]
        (head,) = await app.storage.runs(RunQuery(), Page())
        view = await app.run_view(head.run_id)
        assert msgspec.json.decode(view.input) == {"scheduledFor": "2027-01-15T09:00:00.000Z"}
        (event,) = await app.events(EventQuery(type="ostinato.schedule"), Page())
        assert event.event == event_of("w/on/0", NOON + HOUR)
        kept = await row(app)
        assert (kept.last_run, kept.last_for, kept.last_at) == (
            head.run_id, NOON + HOUR, NOON + HOUR,
        )  # fmt: skip
        assert (kept.next_for, kept.due_at) == (NOON + 2 * HOUR, NOON + 2 * HOUR)


async def test_a_triggers_own_input_and_uid(clocked):
    trigger = EVERY | {"input": {"day": "event.data.scheduledFor"}, "uid": "'nightly'"}
    async with clocked.app(clockwork(trigger)) as app:
        await jump(clocked, app, 3600)
        (head,) = await app.storage.runs(RunQuery(), Page())
        assert head.uid == "nightly"
        view = await app.run_view(head.run_id)
        assert msgspec.json.decode(view.input) == {"day": "2027-01-15T09:00:00.000Z"}


async def test_a_machine_that_slept_catches_up_by_the_rule(clocked):
    triggers = [
        EVERY | {"name": "last"},
        EVERY | {"name": "all", "catch_up": "all"},
        EVERY | {"name": "none", "catch_up": "none"},
    ]
    async with clocked.app(clockwork(triggers)) as app:
        await jump(clocked, app, 5 * 3600 + 61)
        found = sorted(await started(app))
        assert found == [1, 2, 3, 4, 5, 5]
        assert (await row(app, "w/on/none")).missed_for == NOON + 5 * HOUR


async def test_many_missed_instants_do_not_come_at_once(clocked):
    async with clocked.app(clockwork(EVERY | {"catch_up": "all"})) as app:
        await jump(clocked, app, 250 * 3600)
        assert await started(app) == list(range(1, 251))


async def test_what_was_missed_without_a_server_is_caught_up(clocked):
    async with clocked.app(clockwork()):
        pass
    clocked.clock.time += 5 * HOUR
    async with clocked.app() as app:
        await settled(app)
        assert await started(app) == [5]


async def test_skip_starts_nothing_beside_an_open_run(clocked):
    gate = Gate()
    at_work = {"gate": gate.__call__}
    async with clocked.app(clockwork({"every": "1h"}, {"run": "gate"}), at_work) as app:
        clocked.jump(app, 3600)
        await until(lambda: gate.calls == 1)
        clocked.jump(app, 3600)
        await until_async(lambda: moved(app, 3))
        assert await started(app) == [1]
        assert (await row(app)).missed_for == NOON + 2 * HOUR
        gate.open.set()
        await settled(app)
        await jump(clocked, app, 3600)
        assert await started(app) == [1, 3]


async def moved(app, hour):
    return (await row(app)).next_for == NOON + hour * HOUR


async def until_async(condition):
    while not await condition():
        await asyncio.sleep(0)


async def waits(app):
    return (await row(app)).waits_for is not None


@pytest.mark.parametrize(
    ("catch_up", "expected"), [("last", [1, 4]), ("all", [1, 2, 3, 4])], ids=str
)
async def test_queue_starts_when_the_run_has_ended(clocked, catch_up, expected):
    gate = Gate()
    at_work = {"gate": gate.__call__}
    trigger = {"every": "1h", "overlap": "queue", "catch_up": catch_up}
    async with clocked.app(clockwork(trigger, {"run": "gate"}), at_work) as app:
        clocked.jump(app, 3600)
        await until(lambda: gate.calls == 1)
        clocked.jump(app, 3600)
        await until_async(lambda: waits(app))
        clocked.clock.time += 2 * HOUR
        assert await started(app) == [1]
        gate.open.set()
        await until(lambda: gate.calls == len(expected))
        await settled(app)
        assert await started(app) == expected


async def test_a_queue_outlives_the_process(clocked):
    gate, trigger = Gate(), {"every": "1h", "overlap": "queue"}
    at_work = {"gate": gate.__call__}
    app = clocked.app(clockwork(trigger, {"run": "gate"}), at_work)
    async with until_crash(app):
        clocked.jump(app, 3600)
        await until(lambda: gate.calls == 1)
        clocked.jump(app, 3600)
        await until_async(lambda: waits(app))
    gate.open.set()  # the run ends in the next process, at its first attempt there
    async with clocked.app(handlers=at_work) as app:
        await until_async(lambda: counted(app, 2))
        await settled(app)
        assert await started(app) == [1, 2]


async def counted(app, count):
    return len(await started(app)) == count


async def test_a_run_that_ended_between_two_processes_is_not_waited_for(clocked):
    app = clocked.app(clockwork({"every": "1h", "overlap": "queue"}))
    async with until_crash(app):
        await jump(clocked, app, 3600)
        kept = await row(app)
        await put(app, schedules=[replace(kept, due_at=None, waits_for=kept.last_run)])
    async with clocked.app() as app:
        await jump(clocked, app, 3600)
        assert await started(app) == [1, 2]


# never twice


async def test_a_crash_between_two_instants_neither_repeats_nor_loses(clocked):
    document = clockwork(EVERY | {"catch_up": "all"})
    for hour in range(1, 4):
        app = clocked.app(document)
        async with until_crash(app):
            await jump(clocked, app, 3600)
            assert await started(app) == list(range(1, hour + 1))


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_a_crash_at_the_commit_of_a_start(clocked, outcome):
    """The event, its run and the next instant are there, or none of them."""
    app = clocked.app(clockwork())
    await app.__aenter__()
    await settled(app)
    clocked.place.break_next_commit(app.storage, outcome)
    joined = asyncio.Event()
    join = app.storage.join

    async def never():
        joined.set()
        await asyncio.Event().wait()

    app.storage.join = never  # the store does not say, and then the process is gone
    clocked.jump(app, 3600)
    await joined.wait()
    app.storage.join = join
    await crash(app)
    async with clocked.app() as app:
        await settled(app)
        assert await started(app) == [1]
        assert (await row(app)).next_for == NOON + 2 * HOUR


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_an_unknown_commit(clocked, outcome):
    async with clocked.app(clockwork()) as app:
        await settled(app)
        clocked.place.break_next_commit(app.storage, outcome)
        await jump(clocked, app, 3600)
        assert await started(app) == [1]


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_a_schedule_that_is_resumed_by_an_unknown_commit_goes_on(clocked, outcome):
    async with clocked.app(clockwork()) as app:
        await settled(app)
        (name,) = [one.id for one in await app.schedules()]
        await app.pause_schedule(name)
        await jump(clocked, app, 3600)  # and nothing is due any more
        clocked.place.break_next_commit(app.storage, outcome)
        await app.resume_schedule(name)
        await jump(clocked, app, 3600)
        assert await started(app) == [2]


async def test_a_store_that_fails_is_asked_again(clocked):
    async with clocked.app(clockwork()) as app:
        await settled(app)
        fail_commits(app.storage, 1, StoreError)
        clocked.jump(app, 3600)
        await until_async(lambda: counted(app, 1))


async def test_an_instant_whose_event_is_there_already_starts_nothing(clocked):
    async with clocked.app(clockwork()) as app:
        await app.accept([event_of("w/on/0", NOON + HOUR)])
        await jump(clocked, app, 3600)
        assert await started(app) == []  # from outside, it is nobody's trigger
        await jump(clocked, app, 3600)
        assert await started(app) == [2]


async def test_a_start_that_the_store_refuses_holds_up_no_other(clocked):
    async with clocked.app(clockwork(name="bad")) as app:
        await app.deploy(clockwork(name="good"))
        await settled(app)
        commit = app.storage.commit

        async def refusing(batch):
            if any(stored.event.id.startswith("bad/") for stored in batch.events):
                raise Refused("no")
            await commit(batch)

        app.storage.commit = refusing
        clocked.jump(app, 3600)
        await until_async(lambda: counted(app, 1))
        clocked.clock.time += 1001
        app.storage.commit = commit
        app.service.engine.wake.set()
        await until_async(lambda: counted(app, 2))


# a clock that jumps back


async def test_a_jump_back_never_starts_an_instant_again(clocked):
    async with clocked.app(clockwork()) as app:
        await jump(clocked, app, 3 * 3600)
        await jump(clocked, app, -2.5 * 3600)
        for _ in range(5):
            await jump(clocked, app, 1800)
        assert await started(app) == [3, 1, 2]
        await jump(clocked, app, 3600)
        assert await started(app) == [3, 1, 2, 4]


async def test_a_clock_that_was_years_ahead_leaves_no_gap(clocked):
    async with clocked.app(clockwork()) as app:
        await jump(clocked, app, 10 * 365 * 24 * 3600)
        await jump(clocked, app, -10 * 365 * 24 * 3600 + 60)
        assert (await row(app)).next_for == NOON + HOUR
        await jump(clocked, app, 3600)
        assert (await started(app))[1:] == [1]


async def test_also_when_it_went_back_between_two_processes(clocked):
    async with clocked.app(clockwork()) as app:
        await jump(clocked, app, 10 * 365 * 24 * 3600)
    clocked.clock.time = NOON + 60_000
    async with clocked.app() as app:
        await settled(app)
        assert (await row(app)).next_for == NOON + HOUR


# deployment


async def test_a_deployment_of_the_same_moves_nothing(clocked):
    async with clocked.app(clockwork()) as app:
        await jump(clocked, app, 1800)
        before = await row(app)
        await app.deploy(clockwork(description="other words"))
        assert await row(app) == before


async def test_a_new_version_counts_and_the_old_one_does_not(clocked):
    async with clocked.app(clockwork()) as app:
        await app.deploy(clockwork(EVERY | {"every": "2h"}))
        await jump(clocked, app, 3600)
        assert await started(app) == []
        await jump(clocked, app, 3600)
        assert await started(app) == [2]
        (head,) = await app.storage.runs(RunQuery(), Page())
        assert head.version == 2


async def test_a_trigger_that_is_taken_out_stops(clocked):
    async with clocked.app(clockwork([EVERY, EVERY | {"every": "2h"}])) as app:
        await app.deploy(clockwork(EVERY | {"every": "2h"}))
        assert [kept.id for kept in await app.storage.schedules()] == ["w/on/0"]
        await jump(clocked, app, 4 * 3600)
        assert await started(app) == [4]


async def test_a_deleted_workflow_starts_no_more(clocked):
    async with clocked.app(clockwork()) as app:
        await app.delete_workflow("w")
        assert await app.storage.schedules() == []
        await jump(clocked, app, 3600)
        assert await started(app) == []
        assert await app.storage.next_schedule() is None
        await app.deploy(clockwork())
        await jump(clocked, app, 3600)
        assert await started(app) == [2]


async def test_an_old_version_that_is_deleted_changes_nothing(clocked):
    async with clocked.app(clockwork()) as app:
        await app.deploy(clockwork(description="second"))
        await app.delete_version("w", 1)
        await jump(clocked, app, 3600)
        assert await started(app) == [1]


async def test_a_document_that_cannot_be_read_any_more_is_parked_until_it_can(clocked, monkeypatch):
    async with clocked.app(clockwork()):
        pass

    def unreadable(data):
        raise ValueError("written by another hand")

    clocked.clock.time += HOUR
    with monkeypatch.context() as broken:
        broken.setattr(registry, "read", unreadable)
        async with clocked.app() as app:
            await settled(app)
            assert (await row(app)).due_at is None
    async with clocked.app() as app:
        await settled(app)
        assert await started(app) == [1]


# what it costs


class Counted:
    """A store that counts what is asked of it."""

    def __init__(self, storage):
        self.storage = storage
        self.calls = 0

    def __getattr__(self, name):
        self.calls += 1
        return getattr(self.storage, name)


async def test_a_hundred_thousand_that_wait_cost_nothing(here):
    """Nothing is read and nothing is written, however often the loop turns, but for a nap."""
    here.clock = Clock()
    store = Counted(here.place.store())
    async with here.app(one_job({"wait": "7d"}), store=store) as app:
        due = {number: NOON + HOUR + number for number in range(100_000)}
        await put(
            app,
            timers={(f"r{number}", "p/j", "due"): at for number, at in due.items()},
            schedules=[
                Schedule(f"x/on/s{number}", "x", "every 1h", at, at, NOON)
                for number, at in due.items()
            ],
        )
        service = app.service
        service.timers.expect(NOON + HOUR)
        service.schedules.alarm.expect(NOON + HOUR)
        await settled(app)
        here.clock.time = NOON + 60_000
        assert await service.run_once() == 1  # the janitor looks around, and then once an hour
        await settled(app)
        before = store.calls, service.engine.commits
        for second in range(60, 3599):
            here.clock.time = NOON + second * 1000
            assert await service.run_once() == 0
        assert (store.calls, service.engine.commits) == before


async def test_one_alarm_is_set_for_the_earliest(clocked):
    triggers = [EVERY | {"every": every} for every in ("3h", "1h", "2h")]
    async with clocked.app(clockwork(triggers)) as app:
        await settled(app)
        loop = asyncio.get_running_loop()
        alarm = app.service.schedules.alarm
        assert alarm.due_at == NOON + HOUR
        assert alarm._handle.when() - loop.time() <= 30  # a nap, as clocks may jump


async def test_the_alarm_goes_off_by_itself(stage):
    async with stage.app(clockwork({"every": "1s"})) as app:
        await until_async(lambda: counted(app, 2))
