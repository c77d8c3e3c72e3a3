"""Jobs that no handler here does: offered, taken, ended by who holds them, lost and taken up."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from msgspec import Raw

from ostinato.app.elsewhere import Broken, Done, Extend, Fetch, Release, Wanted
from ostinato.errors import ConflictError, InvalidInput, NotFoundError, ProtocolMismatch
from ostinato.runtime.desk import Failed
from ostinato.runtime.jobs import RETURN
from tests.stage import crash, facts_of, reached, until

LEASE = 10_000


def far(*jobs, **more):
    return {"workflow": "w", "phases": [{"phase": "p", "jobs": list(jobs)}], **more}


def job(name="a", run="far", **more):
    return {"job": name, "run": run, "with": {"n": 1}, "retry": 1, **more}


def asking(*topics, most=9, wait=0, worker="w1", **more):
    return Fetch(list(topics or ("far",)), worker, most, LEASE, wait, **more)


async def taken(app, *topics, **more):
    return await app.fetch_jobs(asking(*topics, **more))


async def done(app, job, output=b"1", **more):
    return await app.complete_job(job.id, Done(job.token, Raw(output), **more))


async def failed(app, job, name="Oops", **more):
    await app.fail_job(job.id, Broken(job.token, Failed(name, "no"), **more))


@asynccontextmanager
async def offered(stage, *jobs, handlers=None, **more):
    """An app, a run of these jobs, and the first worker's share of them."""
    async with stage.app(far(*(jobs or (job(),)), **more), handlers) as app:
        run = await app.start("w")
        yield app, run, await taken(app)


async def status(app, run, number=0):
    return (await app.run_view(run.id)).jobs[number].status


async def test_a_job_without_a_handler_waits_for_a_worker_and_says_so(clocked):
    async with clocked.app(far(job())) as app:
        run = await app.start("w")
        view = await app.run_view(run.id)
        (wait,) = view.waits
        assert (view.status, view.waiting_for, view.jobs[0].status) == (
            "waiting",
            "worker",
            "ready",
        )
        assert (wait.kind, wait.topic, wait.since, wait.asked_at) == (
            "worker", "far", clocked.clock.time, None,
        )  # fmt: skip
        (group,) = (await app.stuck()).waiting
        assert (group.waiting_for, group.runs[0].waits[0].topic) == ("worker", "far")
        clocked.jump(app, 60)
        assert await taken(app, "other") == []
        assert (await app.run_view(run.id)).waits[0].asked_at is None
        await taken(app)
        assert (await app.topics())[0].asked_at == clocked.clock.time


async def test_a_job_with_a_handler_here_is_never_a_row(stage):
    async with stage.app(far(job(run="noop")), {"mine": lambda: 1}) as app:
        await (await app.start("w")).result(5)
        assert await app.topics() == []
        store = app.storage
        counted = await store.job_counts()
    assert counted == []


async def test_a_worker_is_told_all_that_a_handler_may_ask(here):
    document = far(job(timeout="5s"), on=[{"event": "GO", "uid": "event.data.id"}])
    async with here.app(document) as app:
        accepted = await app.emit("GO", {"id": "u1"})
        (mine,) = await taken(app)
        assert (mine.topic, mine.attempt, mine.workflow, mine.uid) == ("far", 1, "w", "u1")
        assert (bytes(mine.input), mine.timeout, mine.deaths) == (b'{"n":1}', 5_000, 0)
        assert mine.run_id == accepted.runs[0]
        assert mine.idempotency_key == f"{mine.run_id}:p/a"
        assert mine.callback_url.endswith(f"/callbacks/{mine.callback_token}")
        assert b'"id":"u1"' in bytes(mine.event)
        await app.answer(mine.callback_token, output=7)
        assert (await app.run_view(mine.run_id)).status == "succeeded"


async def test_what_a_worker_hands_in_is_the_outcome(stage):
    async with offered(stage) as (app, run, (mine,)):
        await done(app, mine, b'{"x":2}')
        view = await app.run_view(run.id)
        assert (bytes(view.output), view.jobs[0].worker) == (b'{"a":{"x":2}}', "w1")
        assert await app.storage.job_counts() == []
        (start,) = await facts_of(app, run.id, "job.taken")
        assert (start["worker"], start["attempt"]) == ("w1", 1)


async def test_the_next_job_comes_with_the_answer(stage):
    sequence = {"phase": "p", "mode": "sequential", "jobs": [job("a"), job("b")]}
    async with stage.app({"workflow": "w", "phases": [sequence]}) as app:
        run = await app.start("w")
        (first,) = await taken(app)
        (second,) = await done(app, first, fetch=asking(wait=60_000))
        assert second.key == "p/b"
        assert await done(app, second, fetch=asking(wait=60_000)) == []
        assert (await app.run_view(run.id)).status == "succeeded"


async def test_the_end_of_a_job_that_was_given_here_reads_nothing(stage, monkeypatch):
    async with offered(stage) as (app, run, (one,)):
        read = []
        monkeypatch.setattr(type(app.storage), "job", lambda *given: read.append(given))
        await done(app, one)
        assert await run.result(5) == {"a": 1}
        assert read == []


async def test_what_is_offered_while_somebody_waits_is_theirs_from_the_start(stage, monkeypatch):
    """Nobody looks for it: it is claimed by the batch that offers it."""
    async with stage.app(far(job(), job("b"))) as app:
        waiting = asyncio.create_task(taken(app, wait=5_000))
        await until(lambda: len(app.service.jobs.offers) == 1)
        looked = []
        monkeypatch.setattr(type(app.storage), "claim_jobs", lambda *given: looked.append(given))
        run = await app.start("w")
        both = await waiting
        assert sorted(one.key for one in both) == ["p/a", "p/b"]
        for one in both:
            assert await done(app, one, fetch=asking()) == []
        assert await run.result(5) == {"a": 1, "b": 1}
        assert looked == []


async def test_the_next_job_comes_with_the_batch_that_ends_the_one_before(stage, monkeypatch):
    document = {
        "workflow": "w",
        "phases": [{"phase": name, "jobs": [job(name)]} for name in ("a", "b", "c")],
    }
    async with stage.app(document) as app:
        run = await app.start("w")
        (one,) = await taken(app)
        looked = []
        monkeypatch.setattr(type(app.storage), "claim_jobs", lambda *given: looked.append(given))
        commits = app.service.engine.commits
        (two,) = await done(app, one, fetch=asking())
        (three,) = await done(app, two, fetch=asking())
        assert await done(app, three) == []
        assert (await run.result(5), looked) == ({"c": 1}, [])
        assert app.service.engine.commits - commits == 3


async def test_what_was_offered_to_whoever_is_gone_by_then_is_offered_again(stage, monkeypatch):
    async with stage.app(far(job())) as app:
        waiting = asyncio.create_task(taken(app, wait=5_000))
        await until(lambda: len(app.service.jobs.offers) == 1)
        plain = type(app.storage).commit

        async def slowly(storage, batch):
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await plain(storage, batch)

        monkeypatch.setattr(type(app.storage), "commit", slowly)
        run = await app.start("w")
        monkeypatch.setattr(type(app.storage), "commit", plain)
        (one,) = await taken(app, wait=5_000)
        await done(app, one)
        assert await run.result(5) == {"a": 1}


async def test_who_names_a_topic_and_wants_none_of_it_waits_for_the_others(stage):
    async with offered(stage, job(), job("b", "near")) as (app, run, (one,)):
        (other,) = await taken(app, "near")
        asked = Fetch([Wanted("far", 0), Wanted("near", 1)], "w2", 9, LEASE, 5_000)
        waiting = asyncio.create_task(app.fetch_jobs(asked))
        await until(lambda: len(app.service.jobs.offers) == 1)
        for each in (one, other):
            await app.release_job(each.id, Release(each.token))
        (near,) = await waiting
        assert near.key == "p/b"
        (far,) = await taken(app)
        await done(app, far)
        await done(app, near)
        assert await run.result(5) == {"a": 1, "b": 1}


async def test_a_stale_or_foreign_token_is_refused_and_counts_for_nothing(stage):
    async with offered(stage) as (app, run, (mine,)):
        for token in ("", "another"):
            stale = type("Job", (), {"id": mine.id, "token": token})
            for say in (done, failed):
                with pytest.raises(ConflictError, match="not yours"):
                    await say(app, stale)
            with pytest.raises(ConflictError, match="not yours"):
                await app.extend_job(mine.id, Extend(token))
            with pytest.raises(ConflictError, match="not yours"):
                await app.release_job(mine.id, Release(token))
        assert await status(app, run) == "ready"
        await done(app, mine)
        with pytest.raises(ConflictError, match="is over"):
            await done(app, mine)
        with pytest.raises(NotFoundError, match="no job"):
            await app.extend_job("nobody.knows", Extend("t"))
        assert len(await facts_of(app, run.id, "job.succeeded")) == 1


async def test_of_two_ends_at_once_one_counts(stage):
    async with offered(stage) as (app, run, (mine,)):
        says = [done(app, mine), failed(app, mine), done(app, mine)]
        told = await asyncio.gather(*says, return_exceptions=True)
        assert [type(one) for one in told] == [list, ConflictError, ConflictError]
        assert (await app.run_view(run.id)).status == "succeeded"


async def test_a_failed_attempt_is_tried_again_as_its_document_says(stage):
    again = job(retry={"attempts": 2, "delay": "1ms"})
    async with offered(stage, again) as (app, run, (first,)):
        await failed(app, first)
        (second,) = await taken(app, wait=60_000)
        assert (second.attempt, second.id == first.id) == (2, False)
        await failed(app, second, retry=False)
        error = (await app.run_view(run.id)).error
        assert (error.name, error.message) == ("Oops", "no")


async def test_who_fails_says_when_it_is_tried_again(clocked):
    async with offered(clocked, job(retry=3)) as (app, run, (mine,)):
        await failed(app, mine, after="1m")
        assert (await app.run_view(run.id)).waits[0].due_at == clocked.clock.time + 60_000


async def test_a_job_may_end_later_by_its_token(stage):
    async with offered(stage) as (app, run, (mine,)):
        await app.complete_job(mine.id, Done(mine.token, later=True))
        assert (await app.run_view(run.id)).waiting_for == "callback"
        await app.answer(mine.callback_token, output=3)
        assert (await app.run_view(run.id)).status == "succeeded"


# leases


async def test_a_lease_that_is_over_offers_the_same_attempt_again(clocked):
    async with offered(clocked) as (app, run, (first,)):
        clocked.jump(app, LEASE / 1000)
        (second,) = await taken(app, wait=60_000, worker="w2")
        assert (second.id, second.attempt, second.deaths) == (first.id, 1, 1)
        assert second.token != first.token
        with pytest.raises(ConflictError, match="worker w2 has it"):
            await done(app, first)
        await done(app, second, b"2")
        types = [fact["type"] for fact in await app.history(run.id)]
        assert types.count("job.taken") == 2
        assert types.count("job.abandoned") == 1
        assert bytes((await app.run_view(run.id)).output) == b'{"a":2}'


async def test_who_is_heard_of_keeps_its_job(clocked):
    async with offered(clocked) as (app, run, (mine,)):
        for _ in range(5):
            clocked.jump(app, LEASE / 2000)
            assert await app.extend_job(mine.id, Extend(mine.token, LEASE)) is False
        await done(app, mine)
        assert await facts_of(app, run.id, "job.abandoned") == []


async def test_three_lost_leases_are_a_failure_of_the_attempt(clocked):
    async with offered(clocked) as (app, run, _):
        for _ in range(2):
            clocked.jump(app, LEASE / 1000)
            await taken(app, wait=60_000)
        clocked.jump(app, LEASE / 1000)
        await reached(app, run.id, "run.failed")
        error = (await app.run_view(run.id)).error
        assert (error.name, "lost by its worker 3 times" in error.message) == ("Abandoned", True)
        assert await app.storage.job_counts() == []


async def test_a_job_has_its_own_time_from_the_claim(clocked):
    async with clocked.app(far(job(timeout="2s"))) as app:
        run = await app.start("w")
        clocked.jump(app, 60)
        (mine,) = await taken(app)
        assert mine.lease_until == clocked.clock.time + 2_000
        clocked.jump(app, 1)
        await app.extend_job(mine.id, Extend(mine.token, LEASE))
        clocked.jump(app, 1)
        await reached(app, run.id, "run.failed")
        assert (await app.run_view(run.id)).error.name == "Timeout"
        with pytest.raises(ConflictError):
            await done(app, mine)


async def test_a_job_that_takes_long_has_a_start_fact_while_it_goes_on(clocked):
    async with offered(clocked) as (app, run, (mine,)):
        since = clocked.clock.time
        assert await status(app, run) == "ready"
        clocked.jump(app, 1)
        fact = await reached(app, run.id, "job.taken")
        assert (fact["worker"], fact["since"]) == ("w1", since)
        view = await app.run_view(run.id)
        assert (view.status, view.jobs[0].status, view.jobs[0].worker) == (
            "running",
            "running",
            "w1",
        )
        await done(app, mine)
        assert len(await facts_of(app, run.id, "job.taken")) == 1


async def test_a_job_that_is_given_back_has_not_failed(stage):
    async with offered(stage) as (app, run, (mine,)):
        await app.release_job(mine.id, Release(mine.token))
        (again,) = await taken(app, worker="w2")
        assert (again.attempt, again.deaths) == (1, 0)
        await done(app, again)
        types = {fact["type"] for fact in await app.history(run.id)}
        assert types.isdisjoint({"job.abandoned", "job.retried", "job.returned"})


async def test_a_job_that_had_begun_is_given_back_on_record(clocked):
    async with offered(clocked) as (app, run, (mine,)):
        clocked.jump(app, 1)
        await reached(app, run.id, "job.taken")
        await app.release_job(mine.id, Release(mine.token))
        (again,) = await taken(app)
        assert (again.attempt, again.deaths) == (1, 0)
        assert await status(app, run) == "ready"
        await done(app, again)
        assert len(await facts_of(app, run.id, "job.returned")) == 1


# stopping


async def test_what_nobody_has_is_cancelled_at_once(stage):
    async with stage.app(far(job())) as app:
        run = await app.start("w")
        await app.cancel(run.id)
        assert (await app.wait_ended(run.id, 5)).status == "cancelled"
        assert await taken(app) == []
        assert await app.storage.job_counts() == []


async def test_a_worker_is_told_to_stop_and_says_when_it_has(stage):
    async with offered(stage) as (app, run, (mine,)):
        assert await app.extend_job(mine.id, Extend(mine.token)) is False
        await app.cancel(run.id)
        assert (await app.run_view(run.id)).status == "running"
        assert await app.extend_job(mine.id, Extend(mine.token)) is True
        await failed(app, mine)
        assert (await app.wait_ended(run.id, 5)).status == "cancelled"
        assert await app.storage.job_counts() == []


async def test_a_worker_that_does_not_stop_is_waited_for_ten_seconds(clocked):
    async with offered(clocked) as (app, run, (mine,)):
        await app.cancel(run.id)
        await app.extend_job(mine.id, Extend(mine.token, 60_000))
        clocked.jump(app, 10)
        assert (await app.wait_ended(run.id, 5)).status == "cancelled"
        with pytest.raises(ConflictError, match="gone on without it"):
            await done(app, mine)
        assert await app.storage.job_counts() == []


async def test_a_cancelled_job_whose_worker_is_gone_ends_with_its_lease(clocked):
    async with offered(clocked) as (app, run, _):
        clocked.jump(app, 5)
        await app.cancel(run.id)
        clocked.jump(app, 5)
        assert (await app.wait_ended(run.id, 5)).status == "cancelled"


async def test_an_answer_from_outside_takes_the_offer_back(stage):
    async with stage.app(far(job())) as app:
        run = await app.start("w")
        (mine,) = await taken(app)
        await app.release_job(mine.id, Release(mine.token))
        await app.answer(mine.callback_token, output=1)
        assert (await app.run_view(run.id)).status == "succeeded"
        assert await taken(app) == []


async def test_a_job_that_is_heard_of_keeps_its_heartbeat(clocked):
    waits = job(callback=True, heartbeat="30s", timeout="10m")
    async with offered(clocked, waits) as (app, run, (mine,)):
        for _ in range(3):
            clocked.jump(app, 8)
            await app.extend_job(mine.id, Extend(mine.token, LEASE, beat=True))
        await done(app, mine)
        view = await app.run_view(run.id)
        assert (view.waiting_for, view.waits[0].kind) == ("callback", "callback")
        clocked.jump(app, 31)
        await reached(app, run.id, "run.failed")
        assert (await app.run_view(run.id)).error.name == "HeartbeatTimeout"


# processes


async def test_a_worker_goes_on_while_the_engine_is_away(clocked):
    first = clocked.app(far(job()))
    async with first as app:
        run = await app.start("w")
        (mine,) = await taken(app)
        await crash(app)
        clocked.clock.time += 10 * LEASE
    async with clocked.app(far(job())) as app:
        clocked.jump(app, RETURN / 1000 - 1)
        await app.start("w")
        assert await status(app, run) == "ready"
        await done(app, mine)
        assert (await app.run_view(run.id)).status == "succeeded"
        assert await facts_of(app, run.id, "job.abandoned") == []


async def test_a_worker_that_does_not_come_back_loses_its_job_after_all(clocked):
    async with clocked.app(far(job())) as app:
        await app.start("w")
        await taken(app)
        await crash(app)
        clocked.clock.time += LEASE
    async with clocked.app(far(job())) as app:
        clocked.jump(app, RETURN / 1000)
        assert len(await taken(app, wait=60_000)) == 1


async def test_a_handler_that_comes_does_what_nobody_has_taken(stage):
    async with stage.app(far(job("a"), job("b"))) as app:
        run = await app.start("w")
        (mine,) = await taken(app, most=1)
    async with stage.app(far(job("a"), job("b")), {"far": lambda n: n}) as app:
        await reached(app, run.id, "job.succeeded", "p/b")
        assert await status(app, run) == "ready"
        await done(app, mine)
        assert (await app.wait_ended(run.id, 5)).status == "succeeded"


async def test_a_handler_that_goes_leaves_its_jobs_to_workers(stage):
    begun = asyncio.Event()

    async def never(n):
        begun.set()
        await asyncio.Event().wait()

    app = stage.app(far(job()), {"far": never})
    async with app:
        run = await app.start("w")
        await begun.wait()
        await crash(app)
    async with stage.app(far(job())) as app:
        (mine,) = await taken(app, wait=60_000)
        assert mine.attempt == 2
        await done(app, mine)
        assert (await app.run_view(run.id)).status == "succeeded"


# asking


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, inner):
        self._inner = inner
        self.asked = []

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if callable(found):
            self.asked.append(name)
        return found


async def test_who_waits_costs_nothing_while_nothing_is_offered(clocked):
    store = Counting(clocked.place.store())
    async with clocked.app(far(job()), store=store) as app:
        await taken(app, "far", "near")  # it may have some: that is looked at once
        await until(lambda: "outbox" in store.asked)
        for _ in range(3):
            await app.service.run_once()
        store.asked.clear()
        waiting = [
            asyncio.create_task(taken(app, "far", "near", most=1, wait=60_000)) for _ in range(50)
        ]
        await until(lambda: len(app.service.jobs.offers) == 50)
        for _ in range(100):
            assert await taken(app) == []
            clocked.jump(app, 20)
            await app.service.run_once()
        assert store.asked == []
        for _ in range(2):
            await app.start("w")
        await until(lambda: sum(task.done() for task in waiting) == 2)
        assert [len(task.result()) for task in waiting[:2]] == [1, 1]
        assert store.asked.count("claim_jobs") <= 4
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_who_was_woken_and_left_passes_it_on(stage):
    async with stage.app(far(job())) as app:
        first = asyncio.create_task(taken(app, wait=60_000))
        await until(lambda: len(app.service.jobs.offers) == 1)
        second = asyncio.create_task(taken(app, wait=60_000, worker="w2"))
        await until(lambda: len(app.service.jobs.offers) == 2)
        app.service.jobs.offers.offered("far")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await app.start("w")
        assert len(await second) == 1


async def test_a_backlog_on_one_topic_does_not_delay_another(stage):
    jobs = [job(f"a{number}") for number in range(20)]
    async with stage.app(far(*jobs, job("b", "near"))) as app:
        await app.start("w")
        topics = [one.topic for _ in range(3) for one in await taken(app, "far", "near", most=1)]
        assert "near" in topics[:2]
        assert topics.count("far") == 2


async def test_each_topic_gives_no_more_than_is_asked(stage):
    async with stage.app(far(*(job(f"a{number}") for number in range(5)))) as app:
        await app.start("w")
        assert len(await app.fetch_jobs(asking(Wanted("far", 2)))) == 2
        assert len(await app.fetch_jobs(asking(Wanted("far", 0)))) == 0
        assert len(await taken(app)) == 3


async def test_whoever_waits_is_let_go_when_the_engine_stops(stage):
    async with stage.app(far(job())) as app:
        waiting = asyncio.create_task(taken(app, wait=60_000))
        await until(lambda: len(app.service.jobs.offers) == 1)
    assert await waiting == []


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (asking("far", most=0), "max: 0"),
        (Fetch([], "w"), "topics: one to 100"),
        (Fetch(["a" * 201], "w"), "topics: 'aaa"),
        (Fetch(["a"], ""), "worker: ''"),
        (Fetch(["a"], "w", lease="1 fortnight"), "lease: '1 fortnight' is not a duration"),
        (Fetch(["a"], "w", lease=10), "lease: 10 is not within 1,000 to 3,600,000"),
        (Fetch(["a"], "w", wait="1h"), "wait: 3,600,000 is not within"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_refused_with_its_place(here, wish, told):
    async with here.app(far(job())) as app:
        with pytest.raises(InvalidInput) as refused:
            await app.fetch_jobs(wish)
        assert told in str(refused.value)


async def test_a_worker_of_another_protocol_is_refused_and_shown(here):
    async with here.app(far(job())) as app:
        await app.start("w")
        with pytest.raises(ProtocolMismatch) as refused:
            await taken(app, version="9.0", protocol=2)
        for said in ("worker w1", "Ostinato 9.0", "protocol 2", "protocol 1", "install the newer"):
            assert said in str(refused.value)
        (worker,) = await app.workers()
        assert (worker.version, worker.protocol, "protocol 2" in worker.skew) == ("9.0", 2, True)


async def test_workers_are_listed_with_what_they_have(clocked):
    async with clocked.app(far(job("a"), job("b"))) as app:
        await app.start("w")
        await taken(app, most=1, version="0.0.1")
        clocked.jump(app, 5)
        await taken(app, "other", worker="w2")
        second, first = await app.workers()
        assert (first.name, first.topics, first.jobs, first.seen_at) == (
            "w1", ("far",), 1, clocked.clock.time - 5_000,
        )  # fmt: skip
        assert "0.0.1" in first.skew
        assert not first.late
        assert (second.name, second.jobs, second.skew) == ("w2", 0, "")
        (topic,) = await app.topics()
        assert (topic.topic, topic.offered, topic.taken) == ("far", 1, 1)


async def test_a_worker_that_is_not_heard_of_for_longer_than_its_lease_is_late(clocked):
    async with clocked.app(far(job("a"))) as app:
        run = await app.start("w")
        await taken(app)
        clocked.jump(app, 5)
        await taken(app, "other", worker="w2")
        clocked.jump(app, 6)
        await reached(app, run.id, "job.abandoned")  # which says nothing of the worker
        said = [(one.name, one.late) for one in await app.workers()]
        assert said == [("w2", False), ("w1", True)]
