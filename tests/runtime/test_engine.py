"""The engine's one rule, under every kind of failure: nothing leaves before it is stored."""

import asyncio
from typing import Any

import pytest
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.decide.advance import DECIDE
from ostinato.core.facts import Failure
from ostinato.errors import NotFoundError, Refused, StoreError, Unready
from ostinato.ports import DeadLetter, EventQuery, Page, RunQuery
from ostinato.runtime.posts import Keep, Tell
from tests.stage import Gate, facts_of, fail_commits, one_job, reached, types_of, until

EVENT = one_job({"run": "noop"}, on=[{"event": "GO"}])
TWO = {
    "workflow": "two",
    "phases": [{"phase": "p", "jobs": [{"job": "a", "run": "gate"}, {"job": "b", "run": "gate"}]}],
}


def hold_commits(storage):
    """Every commit waits for the second event, and says by the first that it has come."""
    commit, arrived, go = storage.commit, asyncio.Event(), asyncio.Event()

    async def held(batch):
        arrived.set()
        await go.wait()
        await commit(batch)

    storage.commit = held
    return arrived, go


async def test_a_start_is_answered_only_after_its_commit(stage):
    async with stage.app(one_job({"run": "noop"})) as app:
        arrived, go = hold_commits(app.storage)
        start = asyncio.create_task(app.start("w"))
        await arrived.wait()
        assert not start.done()
        assert await app.storage.runs(RunQuery(), Page()) == []
        go.set()
        run = await start
        assert await app.storage.head(run.id) is not None


async def test_an_event_is_answered_only_after_its_commit(stage):
    async with stage.app(EVENT) as app:
        arrived, go = hold_commits(app.storage)
        emit = asyncio.create_task(app.emit("GO", id="1"))
        await arrived.wait()
        assert not emit.done()
        assert await app.storage.known_events([("ostinato/app", "1")]) == {}
        go.set()
        await emit
        assert await app.count_events(EventQuery()) == 1


async def test_no_job_starts_before_the_commit_that_made_it_ready(here):
    gate = Gate()
    async with here.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        arrived, go = hold_commits(app.storage)
        start = asyncio.create_task(app.start("w"))
        await arrived.wait()
        assert not gate.begun.is_set()
        go.set()
        gate.open.set()
        assert await (await start).result(5) == {"j": 1}


async def test_a_result_is_not_told_before_it_is_stored(here):
    gate = Gate()
    async with here.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        arrived, go = hold_commits(app.storage)
        gate.open.set()
        await arrived.wait()
        result = asyncio.create_task(run.result(5))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not result.done()  # though the run has ended in memory
        go.set()
        assert await result == {"j": 1}


async def test_everything_that_waits_is_one_batch(stage):
    async with stage.app(one_job({"run": "noop"})) as app:
        before = app.service.engine.commits
        await asyncio.gather(*(app.start("w") for _ in range(100)))
        assert app.service.engine.commits - before <= 2


async def test_a_run_that_starts_and_ends_in_one_batch_has_its_last_head(stage):
    async with stage.app(one_job({"set": {"a": 1}})) as app:
        run = await app.start("w", uid="same")
        head = await app.storage.head(run.id)
        assert (head.status, head.uid, head.busy) == ("succeeded", "same", False)
        again = await app.start("w", uid="same")
        assert again.id != run.id


# a store that does not know


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_an_unknown_commit_of_a_start_neither_loses_nor_doubles_it(stage, outcome):
    async with stage.app(one_job({"run": "noop"})) as app:
        epoch = app.service.engine.epoch
        stage.place.break_next_commit(app.storage, outcome)
        run = await app.start("w")
        assert not run.duplicate
        assert await run.result(5) == {"j": None}
        assert await app.count_runs(RunQuery()) == 1
        assert app.service.engine.epoch > epoch


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_an_unknown_commit_of_an_event_is_answered_as_the_first_time(stage, outcome):
    async with stage.app(EVENT) as app:
        stage.place.break_next_commit(app.storage, outcome)
        accepted = await app.emit("GO", id="1")
        assert not accepted.duplicate
        assert len(accepted.runs) == await app.count_runs(RunQuery()) == 1
        assert (await app.emit("GO", id="1")).runs == accepted.runs


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_an_unknown_commit_of_an_outcome_records_it_once(stage, outcome):
    gate = Gate()
    document = one_job({"run": "gate"})
    document["phases"].append({"phase": "q", "jobs": [{"job": "k", "run": "noop"}]})
    async with stage.app(document, {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        stage.place.break_next_commit(app.storage, outcome)
        gate.open.set()
        await run.result(5)  # the job that the lost batch made ready has started too
        done = [fact["key"] for fact in await facts_of(app, run.id, "job.succeeded")]
        assert done == ["p/j", "q/k"]


@pytest.mark.parametrize("outcome", ["kept", "lost"])
async def test_an_unknown_commit_of_an_answer_by_token_is_no_conflict(stage, outcome):
    async with stage.app(one_job({"run": "noop", "callback": True})) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        token = (await run.view()).waits[0].token
        stage.place.break_next_commit(app.storage, outcome)
        await app.answer(token, output=7)
        assert await run.result(5) == {"j": 7}


async def test_after_an_unknown_commit_the_engine_waits_until_the_store_answers(stage, monkeypatch):
    async with stage.app(one_job({"run": "noop"})) as app:
        join, tried = app.storage.join, []

        async def failing():
            tried.append(1)
            if len(tried) < 3:
                raise StoreError("the disk is gone")
            return await join()

        monkeypatch.setattr(app.storage, "join", failing)
        stage.place.break_next_commit(app.storage, "kept")
        run = await app.start("w")
        assert await run.result(5) == {"j": None}
        assert len(tried) == 3
        assert await app.count_runs(RunQuery()) == 1


# a store that fails


async def test_who_waits_is_told_that_the_store_failed(stage):
    async with stage.app(EVENT) as app:
        fail_commits(app.storage, 2)
        with pytest.raises(StoreError):
            await app.emit("GO", id="1")
        with pytest.raises(StoreError):
            await app.start("w")
        assert await app.count_runs(RunQuery()) == await app.count_events(EventQuery()) == 0
        assert not (await app.emit("GO", id="1")).duplicate


async def test_an_outcome_is_tried_until_it_is_stored(stage):
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        fail_commits(app.storage, 3)
        gate.open.set()
        assert await run.result(10) == {"j": 1}
        assert gate.calls == 1


async def test_posts_that_are_put_back_keep_their_order(here):
    gate = Gate()
    async with here.app(TWO, {"gate": gate.__call__}) as app:
        run = await app.start("two")
        await gate.begun.wait()
        fail_commits(app.storage, 1)
        app.service.engine.post(Tell(run.id, e.Started("p/a", 1)))
        app.service.engine.post(Tell(run.id, e.Started("p/b", 1)))
        await reached(app, run.id, "job.started", count=2)
        started = [fact["key"] for fact in await facts_of(app, run.id, "job.started")]
        assert started == ["p/a", "p/b"]
        gate.open.set()
        await run.result(5)


async def test_one_failure_slows_the_engine_down_once(here):
    async with here.app(one_job({"run": "noop"})) as app:
        engine = app.service.engine
        run = await app.start("w")
        await run.result(5)
        posts = [Tell(run.id, e.Started("p/j", 1)) for _ in range(200)]
        engine._again_or_fail(posts, StoreError("no"))
        assert 0 < engine.backoff <= 0.1


# data that the store refuses


def refuse(storage, run_id):
    """The store never takes a record of this run, unless it is about an incident."""
    commit = storage.commit

    async def refusing(batch):
        for record in batch.records:
            if record.run_id == run_id and b"run.stuck" not in record.data:
                raise Refused("a poisoned row")
        await commit(batch)

    storage.commit = refusing


async def test_one_poisoned_run_among_a_thousand_is_an_incident_and_the_others_commit(stage):
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        runs = await asyncio.gather(*(app.start("w") for _ in range(1_000)))
        await until(lambda: gate.calls == 1_000)
        poisoned = runs[500]
        refuse(app.storage, poisoned.id)
        gate.open.set()
        others = [run for run in runs if run is not poisoned]
        await asyncio.gather(*(run.result(20) for run in others))
        await reached(app, poisoned.id, "run.stuck")
        head = await app.storage.head(poisoned.id)
        assert (head.status, head.waiting_for) == ("waiting", "repair")
        assert "poisoned" in head.error_message


async def test_what_was_made_on_top_of_a_refused_change_leaves_no_gap(here):
    """Two outcomes of one run in one tick; the store refuses only the first."""
    gate = Gate()
    async with here.app(TWO, {"gate": gate.__call__}) as app:
        run, other = await app.start("two"), await app.start("two")
        await until(lambda: gate.calls == 4)
        commit = app.storage.commit

        async def refusing(batch):
            if any(
                record.run_id == run.id and b'"p/a"' in record.data and b"stuck" not in record.data
                for record in batch.records
            ):
                raise Refused("not this one")
            await commit(batch)

        app.storage.commit = refusing
        gate.open.set()
        await other.result(5)
        await reached(app, run.id, "job.succeeded", "p/b")
        records = await app.storage.history(run.id)
        seqs = [fact["seq"] for fact in await app.history(run.id)]
        assert seqs == list(range(len(seqs)))
        assert records[0].seq == 0
        assert "run.succeeded" not in await types_of(app, run.id)


async def test_an_end_that_the_store_refuses_is_not_told(here):
    """The run ends in memory by its second outcome, in the half that is refused."""
    gate = Gate()
    async with here.app(TWO, {"gate": gate.__call__}) as app:
        run = await app.start("two")
        await until(lambda: gate.calls == 2)
        commit = app.storage.commit

        async def refusing(batch):
            if any(b"run.succeeded" in record.data for record in batch.records):
                raise Refused("never an end")
            await commit(batch)

        app.storage.commit = refusing
        gate.open.set()
        await reached(app, run.id, "run.stuck")
        with pytest.raises(TimeoutError):
            await run.result(0)


async def test_a_uid_is_free_once_the_end_of_its_run_is_stored(here):
    """The run ends and its uid is asked for in one tick; the store refuses the end."""
    gate = Gate()
    async with here.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        first = await app.start("w", uid="u")
        await gate.begun.wait()
        refuse(app.storage, first.id)
        ended = e.Completed("p/j", 1, Raw(b"null"))
        app.service.engine.post(Tell(first.id, ended))
        second = await app.start("w", uid="u")
        assert second.id == first.id
        assert second.duplicate
        await reached(app, first.id, "run.stuck")


async def test_a_run_that_is_opened_again_has_its_uid_once_that_is_stored(here):
    """It is opened again and its uid is asked for in one tick; the store refuses the first."""
    async with here.app(one_job({"run": "fail", "with": {"message": "no"}})) as app:
        first = await app.start("w", uid="u")
        await reached(app, first.id, "run.failed")
        refuse(app.storage, first.id)
        retried, second = await asyncio.gather(
            app.retry(first.id), app.start("w", uid="u"), return_exceptions=True
        )
        assert isinstance(retried, Refused)
        assert second.id != first.id


async def test_a_duplicate_of_a_refused_event_is_not_told_that_it_was_accepted(here):
    async with here.app(EVENT) as app:
        commit = app.storage.commit
        refusals = [True, True]

        async def refusing(batch):
            if batch.events and refusals:
                refusals.pop()
                raise Refused("no")
            await commit(batch)

        app.storage.commit = refusing
        both: Any = await asyncio.gather(
            app.emit("GO", id="1"), app.emit("GO", id="1"), return_exceptions=True
        )
        first, second = both
        assert isinstance(first, Refused)
        if not isinstance(second, Refused):
            assert (await app.event("1")).event.id == second.id


async def test_text_that_no_store_holds_fails_its_caller_and_nothing_else(stage):
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        refused = asyncio.get_running_loop().create_future()
        failure = Failure("Bad", "\udcff")
        app.service.engine.post(Tell(run.id, e.Failed("p/j", 1, failure), refused))
        good = await app.start("w")
        with pytest.raises(Refused):
            await refused
        gate.open.set()
        await good.result(5)
        await run.result(5)


# rules that raise


@pytest.fixture
def broken_rule(monkeypatch):
    """Deciding about this event raises for the runs in the set."""

    def install(kind, error=ZeroDivisionError):
        runs: set[str] = set()
        rule = DECIDE[kind]

        def broken(state, event, now):
            if state.run_id in runs:
                raise error("a bug")
            return rule(state, event, now)

        monkeypatch.setitem(DECIDE, kind, broken)
        return runs

    return install


@pytest.mark.parametrize("error", [ZeroDivisionError, NotFoundError], ids=lambda one: one.__name__)
async def test_an_exception_inside_decide_is_an_incident_of_that_run_only(
    stage, broken_rule, error
):
    broken = broken_rule(e.Completed, error)
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        runs = [await app.start("w") for _ in range(5)]
        broken.add(runs[2].id)
        gate.open.set()
        for run in runs[:2] + runs[3:]:
            await run.result(5)
        await reached(app, runs[2].id, "run.stuck")
        view = await runs[2].view()
        assert (view.status, view.waiting_for) == ("waiting", "repair")
        assert "a bug" in view.incident


async def test_a_report_in_the_tick_of_a_broken_one_is_not_lost(here, broken_rule):
    broken = broken_rule(e.Started)
    gate = Gate()
    async with here.app(TWO, {"gate": gate.__call__}) as app:
        run = await app.start("two")
        await until(lambda: gate.calls == 2)
        broken.add(run.id)
        app.service.engine.post(Tell(run.id, e.Started("p/a", 1)))
        gate.open.set()
        await run.result(5)
        assert "run.stuck" in await types_of(app, run.id)


async def test_a_timer_whose_rule_raises_does_not_fire_for_ever(clocked, broken_rule):
    broken = broken_rule(e.TimerFired)
    async with clocked.app(one_job({"wait": "1h"})) as app:
        run = await app.start("w")
        broken.add(run.id)
        clocked.jump(app, 3601)
        await reached(app, run.id, "run.stuck")
        assert await app.storage.next_timer() is None


async def test_a_start_whose_rule_raises_fails_its_caller(here, monkeypatch):
    def broken(state, event, now):
        raise ZeroDivisionError("a bug")

    async with here.app(EVENT) as app:
        monkeypatch.setitem(DECIDE, e.Start, broken)
        with pytest.raises(ZeroDivisionError):
            await app.start("w")
        with pytest.raises(ZeroDivisionError):
            await app.emit("GO", id="1")
        monkeypatch.undo()
        assert not (await app.emit("GO", id="1")).duplicate
        assert await app.count_runs(RunQuery()) == 1


# memory


async def test_a_run_that_only_waits_leaves_memory_and_comes_back(stage):
    wait = one_job({"wait": {"event": "PAID", "match": {"data": {"id": ["${ input.id }"]}}}})
    async with stage.app(wait) as app:
        app.service.engine.residents._limit = 3
        runs = [await app.start("w", id=str(number)) for number in range(20)]
        assert len(app.service.engine.residents) <= 3
        await asyncio.gather(*(app.emit("PAID", {"id": str(number)}) for number in range(20)))
        for number, run in enumerate(runs):
            output = await run.result(5)
            assert output["j"]["data"]["id"] == str(number)


async def test_memory_stays_flat_over_finished_runs(here):
    jobs = [
        {"job": "a", "run": "noop", "timeout": "1h"},
        {"job": "f", "run": "flaky", "with": {"times": 1}, "retry": {"delay": "1ms"}},
    ]
    async with here.app({"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}) as app:
        for _ in range(10):
            runs = await asyncio.gather(*(app.start("w", uid=str(n)) for n in range(500)))
            await asyncio.gather(*(run.result(20) for run in runs))
        service, engine, executor = app.service, app.service.engine, app.service.executor
        assert len(engine.residents) == len(engine.residents._uids) == len(engine) == 0
        assert not engine.fresh
        assert not engine.outlets.watching
        assert not executor._attempts
        assert not executor._running
        assert not executor._fresh
        assert len(executor._deadlines) < 200
        assert not executor._slots["loop"]._ranks
        assert not service.timers._on_their_way
        assert not service.meeting.events


async def test_a_late_report_of_a_run_that_is_over_changes_nothing(stage):
    async with stage.app(one_job({"run": "noop"})) as app:
        run = await app.start("w")
        await run.result(5)
        before = await app.history(run.id)
        told = await app.service.ask(lambda answer: Tell(run.id, e.Stopped("p/j", 1), answer))
        assert told is None
        assert await app.history(run.id) == before


async def test_who_waits_when_the_engine_stops_is_told(here):
    app = here.app(one_job({"wait": "1h"}))
    async with app:
        run = await app.start("w")
        engine = app.service.engine
        waiting = asyncio.create_task(run.result())
        await asyncio.sleep(0)
    with pytest.raises(Exception, match="stopped"):
        await waiting
    with pytest.raises(Unready):
        await engine.ask(lambda answer: Tell(run.id, e.TakenOver(), answer))


async def test_a_dead_letter_alone_is_written(stage):
    async with stage.app() as app:
        letter = DeadLetter("d", app.now(), "outgoing", "r", "s", "e", b"[]")
        await app.service.ask(lambda answer: Keep(answer, dead_letters=[letter]))
        assert await app.dead_letters() == [letter]
