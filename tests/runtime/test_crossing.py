"""What crosses processes, where a hint, an answer or a process is lost on the way."""

import asyncio
import contextlib

import pytest
from msgspec import Raw, json
from msgspec.structs import replace

from ostinato.app.elsewhere import Extend, Fetch
from ostinato.core.callers import Caller
from ostinato.core.commands import CallRun
from ostinato.core.events import CancelRequested
from ostinato.core.run_ids import HUB, PARTITIONS, partition_of, partition_of_uid
from ostinato.errors import DefinitionError, NotFoundError, Refused, StoreError, WorkflowNotFound
from ostinato.ports import Removal, RunQuery, Taken
from ostinato.runtime import calls, errands, mailroom
from ostinato.runtime.posts import Tell
from ostinato.runtime.watching import WATCHED, Watching
from ostinato.telemetry.logs import divert_logs
from tests.runtime.test_membership import (
    Time,
    has,
    holds,
    kill,
    pass_by,
    process,
    still,
    table,
    time,
    two,
)
from tests.stage import Gate, one_job, reached, until

__all__ = ["Time", "table", "time"]

WAITS = one_job({"wait": {"event": "GO"}})


def uid_at(partition, n=0):
    """One whose runs are there."""
    names = (f"uid {n}/{m}" for m in range(10_000))
    return next(name for name in names if partition_of_uid(name) == partition)


async def test_whoever_comes_gets_a_share_however_many_are_there(table, time):
    async with contextlib.AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(process(table, time)) for _ in range(9)]
        await until(lambda: sorted(map(has, apps)) == [7] * 8 + [8])


async def test_what_was_taken_and_found_again_is_taken_over_once(table, time):
    """The store has done it and could not say so, and says so with the next answer."""
    gate = Gate()
    async with process(table, time, one_job({"run": "gate"}), {"gate": gate}) as first:
        member = first.storage.members
        mine, take = frozenset(first.service.engine.territory.owned), member.take

        async def take_again(most, *, hub=True):
            return Taken((await take(most, hub=hub)).partitions | mine, orphans=True)

        run = await first.start("w")
        await gate.begun.wait()
        member.take = take_again
        assert await first._membership._take() == Taken(frozenset(), orphans=True)
        gate.open.set()
        await run.result(5)
        assert "job.abandoned" not in [fact["type"] for fact in await first.history(run.id)]


async def test_a_takeover_that_cannot_read_all_counts_no_death(table, time):
    gate, again = Gate(), Gate()
    first = process(table, time, one_job({"run": "gate"}), {"gate": gate})
    async with first, process(table, time, None, {"gate": again}) as second:
        await holds(second, 32)
        await holds(first, 32)
        run = await first.start("w")
        await gate.begun.wait()
        failures = [StoreError("not now")] * 2
        counts = second.storage.job_counts

        async def fail_at_first():
            if failures:
                raise failures.pop()
            return await counts()

        second.storage.job_counts = fail_at_first
        pass_by(time, second, seconds=7)
        await holds(second)
        await again.begun.wait()
        again.open.set()
        assert (await second.wait_ended(run.id, 5)).status == "succeeded"
        said = [fact["type"] for fact in await second.history(run.id)]
        assert said.count("job.abandoned") == 1


def elsewhere(app, other):
    """A partition of the other one's, which is not the hub."""
    return max(other.service.engine.territory.owned - {HUB})


async def test_hints_at_other_things_do_not_put_the_slow_look_off(table, time):
    async with two(table, time, WAITS) as (first, second):
        run = await first.start_run("w", {})
        for app in (first, second):
            app._membership.members.listen(lambda words: None)
        asked = asyncio.create_task(second.cancel(run.id))
        await until(lambda: second.service.errands._waiting)
        other = next(p for p in first.service.engine.territory.owned if p != partition_of(run.id))
        for _ in range(8):
            time.now += max(mailroom.SAFETY, errands.SAFETY) // 3
            first.service.room.hinted(str(other))
            second.service.errands._hinted["of another"] = None
            second.service.errands.alarm.expect(0)
            for app in (first, second):
                app.service.engine.wake.set()
            for _ in range(200):
                await asyncio.sleep(0)
        assert (await asked).status == "cancelled"


async def test_a_worker_that_is_lost_is_said_once_to_whoever_has_its_run(table, time):
    async with two(table, time, one_job({"run": "print"})) as (first, second):
        run = await first.start_run("w", {})
        await reached(first, run.id, "run.started")
        [_] = await second.fetch_jobs(Fetch(["print"], "w", lease=2_000))
        first._membership.members.listen(lambda words: None)  # it is slow to hear of it
        time.now += 40_000
        second.service.jobs._lease_at = 0
        second.service.jobs.alarm.expect(0)
        await until(lambda: any(mail.kind == "lose-lease" for mail in table.disk.mail.values()))
        for _ in range(500):
            await asyncio.sleep(0)
        letters = [mail for mail in table.disk.mail.values() if mail.kind == "lose-lease"]
        assert len(letters) == 1
        first.service.room.look()
        await until(lambda: not table.disk.mail)
        await reached(second, run.id, "job.abandoned")


async def lose_a_job(app, run, time, seconds):
    """Its worker is not heard of for so long."""
    pass_by(time, app, seconds=seconds)
    app.service.engine.wake.set()
    await reached(app, run.id, "job.abandoned")


async def test_who_joins_is_no_reason_to_give_workers_more_time(table, time):
    async with process(table, time, one_job({"run": "print"})) as first:
        for lease in (60_000, 2_000):
            run = await first.start_run("w", {})
            await reached(first, run.id, "run.started")
            if lease == 60_000:  # somebody has a job when the second process comes
                [_] = await first.fetch_jobs(Fetch(["print"], "one", lease=lease))
                second = await process(table, time).__aenter__()
                await holds(second, 32)
        [_] = await second.fetch_jobs(Fetch(["print"], "other", lease=lease))
        pass_by(time, first, seconds=3)
        await lose_a_job(second, run, time, 0)
        await second.close()


async def test_workers_have_time_to_find_another_process_when_theirs_has_died(table, time):
    first = await process(table, time, one_job({"run": "print"})).__aenter__()
    async with process(table, time) as second:
        await holds(second, 32)
        runs = [await first.start_run("w", {}) for _ in range(2)]
        for run in runs:
            await reached(first, run.id, "run.started")
        job, _ = await first.fetch_jobs(Fetch(["print"], "w", max=2, lease=2_000))
        await kill(first)
        pass_by(time, second, seconds=7)
        await holds(second, 64)
        for _ in range(3):
            pass_by(time, second, seconds=5)
            second.service.engine.wake.set()
            await still()
        await second.extend_job(job.id, Extend(token=job.token, lease=60_000))
        gone = next(run for run in runs if run.id != job.run_id)
        await lose_a_job(second, gone, time, 30)
        assert await second.storage.job(job.id) is not None


async def test_cleaning_ends_when_what_it_cleans_is_given_away(table, time):
    async with two(table, time, one_job({"run": "noop"})) as (first, _):
        run = await first.start_run("w", {})
        await run.result(5)
        janitor, territory = first.service.janitor, first.service.engine.territory
        lots = []
        async for removal in janitor._runs_of("w", "succeeded", time.now + 1):
            lots.append(removal)
            territory.give(frozenset({partition_of(run.id)}))  # before it was removed
        assert lots == [Removal(runs=[run.id], rows=1_000, ended_before=time.now + 1)]


async def test_a_schedule_that_is_fired_by_hand_begins_under_a_uid_of_another(table, time):
    document = one_job({"run": "noop"}, uid={"key": "event.subject"}, on=[{"every": "1h"}])
    async with process(table, time, document) as first, process(table, time) as second:
        await holds(second, 32)
        [schedule] = await first.schedules()
        uid = uid_at(elsewhere(first, second))
        document["uid"] = {"key": f"'{uid}'"}
        await first.deploy(document)
        accepted = await first.fire_schedule(schedule.id)
        [begun] = accepted.runs
        await until(lambda: partition_of(begun) in second.service.engine.territory.owned)
        while not await second.count_runs(RunQuery(status=("succeeded",))):
            await asyncio.sleep(0)
        assert (await second.run_view(begun)).uid == uid
        assert (await first.schedule(schedule.id)).last_run == begun


async def test_a_slow_verb_holds_up_nobody_else(table, time):
    async with two(table, time, WAITS) as (first, second):
        assert HUB in first.service.engine.territory.owned
        go_on, called = asyncio.Event(), asyncio.Event()

        async def slow(now):
            called.set()
            await go_on.wait()
            raise WorkflowNotFound("gone")

        first.service.janitor.clean = slow
        cleaning = asyncio.create_task(second.clean())
        await called.wait()
        run = await second.start_run("w", {}, uid=uid_at(HUB))
        assert first.service.engine.territory.has_run(run.id)
        go_on.set()
        with pytest.raises(WorkflowNotFound):
            await cleaning


def test_who_wanted_to_hear_of_a_run_is_forgotten_in_time():
    watching = Watching()
    for n in range(10):
        watching.want(f"run {n}", n * WATCHED // 4)
    assert list(watching.abroad) == [f"run {n}" for n in range(5, 10)]


async def test_for_what_is_unknown_no_documents_are_read_again(table, time):
    async with two(table, time, WAITS) as (first, second):
        await second._learn_deployed()
        reads = []
        versions = second.storage.versions

        async def counted():
            reads.append(1)
            return await versions()

        second.storage.versions = counted
        for _ in range(3):
            with pytest.raises(WorkflowNotFound):
                await second.start_run("nothing", {})
        assert not reads
        await first.deploy(one_job({"run": "noop"}, "new"))
        await (await second.start_run("new", {})).result(5)
        assert reads


async def test_what_is_wrong_with_a_document_is_said_by_whoever_is_asked(table, time):
    broken = one_job({"run": "noop", "when": "1 +"})
    async with two(table, time, WAITS) as (first, second):
        told = []
        for app in (first, second):
            with pytest.raises(DefinitionError) as found:
                await app._deploy_all([broken])
            told.append([(str(one), one.line, one.column) for one in found.value.problems])
        assert told[0] == told[1] != []


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_what_was_asked_and_perhaps_kept_is_done_once(table, time, outcome):
    async with two(table, time, WAITS) as (first, second):
        run = await first.start_run("w", {})
        second.storage.next_commit = outcome
        assert (await second.cancel(run.id)).status == "cancelled"


@pytest.fixture
def logged():
    """What is logged, by name: wherever an earlier test has sent it."""
    events = []
    back = divert_logs(lambda event: events.append(event["event"]))
    yield events
    back()


async def test_mail_that_cannot_be_opened_stops_nothing_else(table, time, logged):
    async with two(table, time, WAITS) as (first, second):
        one, other = [await first.start_run("w", {}) for _ in range(2)]
        opened, open = [], first.service.room.open["repair"]

        def break_first(mail):
            opened.append(mail)
            if mail.to == one.id:
                raise KeyError("an event of a newer version")
            return open(mail)

        first.service.room.open["repair"] = break_first
        waiting = asyncio.create_task(second.cancel(one.id))
        await until(lambda: opened)
        assert (await second.cancel(other.id)).status == "cancelled"
        assert not waiting.done()
        [mail] = table.disk.mail.values()
        assert mail == replace(mail, to=one.id)
        waiting.cancel()
    assert "mail.unreadable" in logged
    assert "loop.broken" not in logged


async def test_no_partition_is_given_before_what_is_to_be_said_of_its_runs_is(table, time):
    async with process(table, time, WAITS) as app:
        run = await app.start_run("w", {})
        service = app.service
        service.engine.queue.append(mailroom.Say(mail_of(run.id)))
        given = set(range(PARTITIONS)) - service.moves._idle(PARTITIONS)
        assert given == {HUB, partition_of(run.id)}


async def test_no_partition_is_given_before_what_its_runs_are_told_is_stored(table, time):
    async with process(table, time, WAITS) as app:
        run = await app.start_run("w", {})
        service = app.service
        service.engine.queue.append(Tell(run.id, CancelRequested()))
        given = set(range(PARTITIONS)) - service.moves._idle(PARTITIONS)
        assert given == {HUB, partition_of(run.id)}


async def test_that_something_came_to_nothing_is_said_by_whoever_has_its_partition(table, time):
    async with process(table, time, WAITS) as app:
        service = app.service
        mail = mailroom.Mail("begin", "", "m9", "k", 1, b"[]", 7)
        called = mailroom.Mail("call", "r", "c", "j", 1, said_call(), 7)
        posts = [
            errands.Undone(errands.Serve(service.errands, mail, None), Refused("no")),
            calls.Refuse(calls.Start(service.calls, called), "no"),
        ]
        service.engine.queue.extend(posts)
        service.engine.give(frozenset({8}))
        assert list(service.engine.queue)[-2:] == posts
        service.engine.give(frozenset({7}))
        assert not set(service.engine.queue) & set(posts)


def said_call():
    return json.encode(CallRun(Caller("c", "j", 1), "r", "w", None, None, Raw(b"1")))


def mail_of(run_id):
    return mailroom.Mail("turn", "", run_id, "j", 1, b"null", HUB)


async def test_a_start_whose_workflow_its_process_cannot_read_leaves_a_letter(table, time):
    """It may be of an older program; whoever sent the event was told of a run."""
    document = one_job({"run": "noop"}) | {"on": [{"event": "BEGIN", "uid": "event.data.key"}]}
    async with two(table, time, document) as (first, second):
        uid = uid_at(elsewhere(first, second))
        await second._learn_deployed()

        def older(workflow, version):
            raise DefinitionError("it is written in a newer language")

        second.service.engine.graph_of = older
        events = [first._make_event("BEGIN", {"key": uid}), first._make_event("ELSE")]
        told, _ = await first._accept(events)
        [promised] = told.runs
        await until(lambda: table.disk.dead_letters)
        [letter] = await first.dead_letters()
        assert (letter.kind, letter.target) == ("trigger", "w/on/0")
        assert b"newer language" in letter.reasons
        with pytest.raises(NotFoundError, match=letter.id):
            await first.find_run(promised)
