"""Two processes at work on one store: one is asked, and the other does what is its own."""

import asyncio

import pytest
from msgspec import json

from ostinato.app.doing import Once
from ostinato.core.run_ids import partition_of_uid
from ostinato.errors import ConflictError, NotFoundError, Unready
from ostinato.ports import RunQuery
from ostinato.storage.memory import SharedMemoryStorage
from tests.runtime.test_membership import (
    Time,
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


async def started(app, count, workflow="w", **more):
    return [await app.start_run(workflow, {}, **more) for _ in range(count)]


async def test_each_has_a_half_and_begins_its_own_runs(table, time):
    async with two(table, time, one_job({"run": "noop"})) as apps:
        for app in apps:
            for run in await started(app, 8):
                assert app.service.engine.territory.has_run(run.id)
                assert await run.result(5) == {"j": None}
        assert await apps[0].count_runs(RunQuery(status=("succeeded",))) == 16


async def test_an_event_finds_the_waits_of_both(table, time):
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as apps:
        runs = [run for app in apps for run in await started(app, 4)]
        for run in runs:
            await reached(apps[0], run.id, "job.waiting")
        await apps[1].emit("GO", {"n": 1})
        for run in runs:
            assert (await run.result(5))["j"]["data"] == {"n": 1}


async def test_a_run_of_the_other_is_cancelled_and_refuses_what_it_refuses(table, time):
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as (first, second):
        [run] = await started(first, 1)
        assert (await second.cancel(run.id)).status == "cancelled"
        with pytest.raises(ConflictError):
            await second.cancel(run.id)
        with pytest.raises(NotFoundError):
            await second.cancel("01m80t6j9qnarqsx6x230d28ja")


async def test_the_end_of_a_run_of_the_other_is_heard(table, time):
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as (first, second):
        [run] = await started(first, 1)
        waiting = asyncio.create_task(second.wait_ended(run.id, 60))
        stream = second.stream(run.id)
        facts = [await anext(stream) for _ in range(2)]
        await reached(second, run.id, "job.waiting")
        await second.emit("GO")
        assert (await waiting).status == "succeeded"
        facts += [fact async for fact in stream]
        assert [fact["seq"] for fact in facts] == list(range(len(facts)))
        assert facts[-1]["type"] == "run.succeeded"


async def test_of_one_uid_there_is_one_run_whoever_is_asked(table, time):
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as apps:
        for n in range(6):
            runs = [(await started(app, 1, uid=f"u{n}"))[0] for app in apps]
            assert runs[0].id == runs[1].id
            assert [run.duplicate for run in runs] == [False, True]


async def test_whoever_repeats_a_start_is_answered_as_the_first_by_either(table, time):
    """Its run begins where its uid is at home, and goes on meanwhile."""
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as apps:
        for n in range(4):
            once = Once("runs", f"k{n}", b"body", lambda view: json.encode(view))
            first, *others = [
                (await started(app, 1, uid=f"u{n}", once=once))[0] for app in (*apps, *apps)
            ]
            assert all(run.id == first.id and run.replayed for run in others)
            assert {json.decode(run.answer)["id"] for run in others} == {first.id}
            assert len({run.answer for run in others}) == 1


async def test_so_is_who_repeats_what_an_event_has_begun(table, time):
    document = one_job({"wait": {"event": "GO"}}) | {"on": [{"event": "ORDER", "uid": "event.id"}]}
    async with two(table, time, document) as apps:
        for n in range(4):
            [run_id] = (await apps[0].emit("ORDER", id=f"u{n}")).runs
            once = Once("runs", f"k{n}", b"body", lambda view: json.encode(view))
            first, second = [(await started(app, 1, uid=f"u{n}", once=once))[0] for app in apps]
            assert first.id == second.id == run_id
            seen = json.decode(second.answer)
            assert (seen["event"]["id"], seen["duplicate"]) == (f"u{n}", True)


async def test_what_came_while_a_start_was_on_its_way_to_the_home_of_its_uid_is_heard(table, time):
    """An event that starts two runs is taken in where one of them is at home."""
    document = one_job({"wait": {"event": "PAID"}})
    document["on"] = [{"event": "ORDER", "uid": f"event.data.{where}"} for where in ("far", "near")]
    async with two(table, time, document) as (first, second):
        uids = {first.service.engine.territory.has(home(n)): f"o{n}" for n in range(99)}
        hinted = []
        first.service.news.hearers["mail"] = hinted.append
        accepted = await first.emit("ORDER", {"far": uids[False], "near": uids[True]})
        _, run_id = accepted.runs
        await until(lambda: hinted)
        time.now += 2_000
        await second.emit("PAID")
        time.now += 2_000
        assert first.service.engine.residents.get(run_id) is None
        first.service.room.hinted(hinted[0])
        await until(lambda: first.service.engine.residents.get(run_id))
        assert (await second.wait_ended(run_id, 5)).status == "succeeded"


@pytest.mark.parametrize("skew", [-50, 50])
async def test_what_comes_after_a_start_is_heard_whatever_the_clocks_say(table, time, skew):
    document = {
        "workflow": "w",
        "on": [{"event": "ORDER"}],
        "phases": [
            {"phase": "p", "jobs": [{"job": "a", "run": "gate"}]},
            {"phase": "q", "jobs": [{"job": "b", "wait": {"event": "PAID"}}]},
        ],
    }
    gate = Gate()
    async with two(table, time, document, {"gate": gate}) as (first, second):
        second._clock.hear = lambda now: None
        second._clock._offset += skew
        await second.emit("PAID", id="early")
        time.now += 10
        [run] = (await first.emit("ORDER")).runs
        await gate.begun.wait()
        time.now += 10
        await second.emit("PAID", id="heard")
        gate.open.set()
        state = await first.wait_ended(run, 5)
        assert state.status == "succeeded"
        assert json.decode(state.output)["b"]["id"] == "heard"


def home(n):
    return partition_of_uid(f"o{n}")


async def test_a_workflow_that_one_deploys_both_know(table, time):
    async with two(table, time) as (first, second):
        for n, app in enumerate((second, first)):
            assert await app.deploy(one_job({"set": {"n": n}})) == n + 1
            assert await (await app.start_run("w", {})).result(5) == {"j": {"n": n}}
        await until(lambda: second._catalog.resolve("w")[1] == 2)


async def test_what_a_process_that_stops_had_goes_on_in_the_other(table, time):
    async with process(table, time, one_job({"wait": {"event": "GO"}})) as first:
        second = await process(table, time).__aenter__()
        await holds(second, 32)
        [run] = await started(second, 1)
        await reached(first, run.id, "job.waiting")
        await second.close()
        await holds(first, 64)
        await first.emit("GO")
        assert (await first.wait_ended(run.id, 5)).status == "succeeded"


async def test_what_a_dead_process_had_goes_on_in_the_other(table, time):
    gate, again = Gate(), Gate()
    async with process(table, time, one_job({"run": "gate"}), {"gate": again}) as first:
        second = await process(table, time, None, {"gate": gate}).__aenter__()
        await holds(second, 32)
        [run] = await started(second, 1)
        await gate.begun.wait()
        await kill(second)
        pass_by(time, first, seconds=7)
        await holds(first, 64)
        await again.begun.wait()
        again.open.set()
        assert (await first.wait_ended(run.id, 5)).status == "succeeded"


async def test_what_was_asked_of_a_process_that_dies_is_answered_by_who_takes_its_runs(table, time):
    async with process(table, time, one_job({"wait": {"event": "GO"}})) as first:
        second = await process(table, time).__aenter__()
        await holds(second, 32)
        [run] = await started(second, 1)
        await reached(first, run.id, "job.waiting")
        await kill(second)
        asked = asyncio.create_task(first.cancel(run.id))
        await until(lambda: first.service.errands._waiting)
        pass_by(time, first, seconds=7)
        await holds(first, 64)
        assert (await asyncio.wait_for(asked, 5)).status == "cancelled"


async def test_who_stops_says_nothing_more_to_others_and_what_is_its_own_is_stored(table, time):
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as apps:
        [theirs], [mine] = [await started(app, 1) for app in apps]
        second = apps[1].service
        asked = asyncio.create_task(apps[1].cancel(theirs.id))
        stored = asyncio.create_task(apps[1].cancel(mine.id))
        await until(lambda: len(second.engine) == 2)
        second.engine.stopping = True
        with pytest.raises(Unready):
            await asked
        assert (await stored).status == "cancelled"
        second.engine.stopping = False


async def test_a_job_at_work_keeps_its_partition_where_it_is(table, time):
    gate = Gate()
    async with process(table, time, one_job({"run": "gate"}), {"gate": gate}) as first:
        runs = await started(first, 1)
        await gate.begun.wait()
        async with process(table, time, None, {"gate": gate}) as second:
            await holds(first, 32)
            await holds(second, 32)
            assert first.service.engine.territory.has_run(runs[0].id)
            gate.open.set()
            assert (await second.wait_ended(runs[0].id, 5)).status == "succeeded"


LIMITED = one_job({"run": "gate"}) | {"concurrency": {"limit": 1}}


async def test_a_limit_holds_for_both(table, time):
    gate = Gate()
    async with two(table, time, LIMITED, {"gate": gate}) as apps:
        runs = [(await started(app, 2)) for app in apps]
        await gate.begun.wait()
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(await apps[0].storage.places()) == 1
        gate.open.set()
        for run in [*runs[0], *runs[1]]:
            await run.result(5)
        await until_true(lambda: nothing_held(apps[0]))


async def nothing_held(app):
    return not (await app.storage.places() or await app.storage.turns() or await app.storage.mail())


async def until_true(look):
    for _ in range(2_000):
        if await look():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


QUEUED = one_job({"run": "gate"}) | {"uid": {"open": "queue"}, "concurrency": {"limit": 1}}


async def test_runs_of_one_uid_wait_in_line_for_places_of_the_hub(table, time):
    gate = Gate()
    gate.open.set()
    async with two(table, time, QUEUED, {"gate": gate}) as apps:
        runs = [(await app.start_run("w", {}, uid=f"u{n}")) for n in range(4) for app in apps]
        for run in runs:
            await run.result(5)
        await until_true(lambda: nothing_held(apps[0]))


async def test_an_event_starts_what_was_deployed_since_though_nobody_has_told(table, time):
    """And it is found by a wait of which its process had not heard."""
    waiting = one_job({"wait": {"event": "PAID", "match": {"data": {"n": [1]}}}})
    async with two(table, time) as (first, second):
        del second.service.news.hearers["deployed"]
        await first.deploy(waiting | {"on": [{"event": "ORDER"}]})
        [run_id] = (await second.emit("ORDER")).runs
        await reached(first, run_id, "job.waiting")
        await second.emit("PAID", {"n": 1})
        assert (await first.wait_ended(run_id, 5)).status == "succeeded"


async def test_what_is_started_before_a_share_is_taken_up_is_in_that_share(table, time):
    async with two(table, time, one_job({"run": "noop"})) as (first, _):
        await kill(first)
        pass_by(time, seconds=7)
        third = process(table, time)
        await third.open(stand_by=True)
        runs = await started(third, 20)
        assert all(third.service.engine.territory.has_run(run.id) for run in runs)
        assert third.service.engine.territory.owned
        await third.begin()
        assert [await run.result(5) for run in runs] == [{"j": None}] * 20
        await third.close()


async def test_what_is_taken_while_a_share_is_taken_up_belongs_to_it(table, time, monkeypatch):
    """One engine has both: a second one would take the store from the first."""
    other, app = SharedMemoryStorage(table), process(table, time, one_job({"run": "noop"}))
    await other.open()
    await other.members.renew(60_000, "")
    read, go_on, plain = asyncio.Event(), asyncio.Event(), app._read_workflows

    async def slowly(storage):
        read.set()
        await go_on.wait()
        await plain(storage)

    monkeypatch.setattr(app, "_read_workflows", slowly)
    opened = asyncio.create_task(app.open(stand_by=True))
    await read.wait()
    assert len(app._membership.owned) == 32
    await other.members.leave()
    await until(lambda: len(app._membership.owned) == 64)
    go_on.set()
    await opened
    await app.begin()
    await holds(app)
    assert await (await app.start_run("w", {})).result(5) == {"j": None}
    await app.close()


async def test_who_watches_a_run_of_the_other_costs_nothing_while_nothing_happens(
    table, time, monkeypatch
):
    async with two(table, time, one_job({"wait": {"event": "GO"}})) as (first, second):
        [run] = await started(first, 1)
        told = []
        for news in (first.service.news, second.service.news):
            plain = news.tell
            monkeypatch.setattr(
                news, "tell", lambda *words, plain=plain: (told.append(words[0]), plain(*words))
            )
        ends = asyncio.create_task(second.wait_ended(run.id, 5))
        facts = [fact async for fact in _until_waiting(second.stream(run.id))]
        await until(lambda: "run" in told)
        await still(500)
        assert len(told) < 10
        await first.emit("GO")
        assert (await ends).status == "succeeded"
        assert facts[-1]["type"] == "job.waiting"


async def _until_waiting(stream):
    async for fact in stream:
        yield fact
        if fact["type"] == "job.waiting":
            return
