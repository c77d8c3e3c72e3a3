"""A worker: the engine's own executor at another place, between a desk and handlers."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from ostinato import App, Event, Fail, Job, Later, Retry
from ostinato.errors import NothingIsRunning, ProtocolMismatch
from ostinato.runtime.worker import Manner, Worker
from tests.stage import facts_of, reached, until


class Desk:
    """The server's verbs, without a network. ``away``: so many requests find nobody."""

    def __init__(self, app):
        self.app = app
        self.away = 0
        self.lost = 0
        self.said = []

    async def _ask(self, name, *asked):
        self.said.append(name)
        if self.away:
            self.away -= 1
            raise NothingIsRunning("nobody listens")
        answer = await getattr(self.app, name)(*asked)
        if self.lost and name != "fetch_jobs":
            self.lost -= 1
            raise NothingIsRunning("the answer was lost")
        return answer

    async def fetch(self, asked):
        return await self._ask("fetch_jobs", asked)

    async def complete(self, job_id, done):
        return await self._ask("complete_job", job_id, done)

    async def fail(self, job_id, broken):
        return await self._ask("fail_job", job_id, broken)

    async def extend(self, job_id, extend):
        return await self._ask("extend_job", job_id, extend)

    async def release(self, job_id, release):
        await self._ask("release_job", job_id, release)

    async def close(self):
        self.said.append("close")


def manner(**more):
    given = {"name": "w1", "topics": {"far": 5}, "most": 5, "drain": 2.0, "lease": 1_000}
    return Manner(**given | more)


@asynccontextmanager
async def working(app, handlers, desk=None, **more):
    """A worker with these handlers, from its start to its orderly end."""
    hands = App(store="memory:")
    for name, function in handlers.items():
        hands.handler(name)(function)
    worker = Worker(desk or Desk(app), hands.handlers, manner(**more))
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


def far(*jobs, **more):
    jobs = jobs or ({"job": "a", "run": "far", "with": {"n": 2}, "retry": 1},)
    return {"workflow": "w", "phases": [{"phase": "p", "jobs": list(jobs)}], **more}


async def result(app, **input):
    return (await (await app.start("w", **input)).result(10))["a"]


async def test_a_worker_does_what_is_offered(stage):
    async with stage.app(far()) as app, working(app, {"far": lambda n: n + 1}):
        assert await result(app) == 3
        assert await result(app) == 3


async def test_a_handler_cannot_tell_that_it_is_elsewhere(here):
    told = {}

    async def handler(n: int, job: Job, event: Event):
        told.update(key=job.key, attempt=job.attempt, workflow=job.workflow, uid=job.uid)
        told.update(input=job.input, same=job.idempotency_key, type=event.type)
        told.update(token=job.token, url=job.callback_url)
        return n

    document = far(on=[{"event": "GO", "uid": "event.data.id"}])
    async with here.app(document) as app, working(app, {"far": handler}):
        (run_id,) = (await app.emit("GO", {"id": "u1"})).runs
        await app.wait_ended(run_id, 10)
        token = told.pop("token")
        assert told == {
            "key": "p/a", "attempt": 1, "workflow": "w", "uid": "u1", "input": {"n": 2},
            "same": f"{run_id}:p/a", "type": "GO", "url": f"{app.address}/callbacks/{token}",
        }  # fmt: skip


async def refuse(n):
    raise Fail("never", "Never")


async def stumble(n):
    raise ConnectionError("lost")


async def ask_again(n, job: Job):
    return Retry("1ms") if job.attempt == 1 else "second"


@pytest.mark.parametrize(
    ("handler", "retry", "error"),
    [
        (refuse, 3, "Never"),
        (stumble, 1, "ConnectionError"),
        (lambda wrong: 1, 3, "WrongArguments"),
        (lambda n: object(), 3, "NotStorable"),
        (lambda n: "x" * 100, 3, "TooLarge"),
    ],
)
async def test_a_failure_is_what_it_is_in_the_engine(here, handler, retry, error):
    document = far({"job": "a", "run": "far", "with": {"n": 1}, "retry": retry})
    async with here.app(document) as app, working(app, {"far": handler}, result=50):
        run = await app.start("w")
        view = await app.wait_ended(run.id, 10)
        assert (view.error.name, view.jobs[0].attempts) == (error, 1)


async def test_a_handler_asks_for_another_attempt(here):
    document = far({"job": "a", "run": "far", "with": {"n": 1}, "retry": 3})
    async with here.app(document) as app, working(app, {"far": ask_again}):
        assert await result(app) == "second"


async def test_a_job_ends_later_by_its_token(here):
    async with here.app(far()) as app, working(app, {"far": lambda n: Later()}):
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        (wait,) = (await app.run_view(run.id)).waits
        await app.answer(wait.token, output=5)
        assert (await app.wait_ended(run.id, 10)).status == "succeeded"


async def test_secrets_are_the_workers_own_and_never_handed_in(here):
    document = far({"job": "a", "run": "far", "with": {"key": "${ secrets.KEY }"}, "retry": 1})
    async with here.app(document, secrets={"KEY": "the server's"}) as app:
        async with working(app, {"far": lambda key: f"has {key}"}, secrets={"KEY": "sesame"}):
            assert await result(app) == "has ***"
        async with working(app, {"far": lambda key: key}):
            view = await app.wait_ended((await app.start("w")).id, 10)
            assert view.error.name == "NoSecret"


async def test_sync_handlers_are_in_threads_of_their_own(here):
    both = threading.Barrier(2, timeout=10)
    jobs = [{"job": name, "run": "far"} for name in ("a", "b")]
    async with here.app(far(*jobs)) as app, working(app, {"far": both.wait}):
        await (await app.start("w")).result(10)


async def test_no_more_are_at_work_than_it_is_allowed(here):
    now, most = 0, 0

    async def handler():
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        for _ in range(20):
            await asyncio.sleep(0)
        now -= 1

    jobs = [{"job": f"a{number}", "run": run} for number in range(6) for run in ("far",)]
    jobs += [{"job": f"b{number}", "run": "near"} for number in range(6)]
    topics = {"far": 2, "near": 9}
    handlers = {"far": handler, "near": handler}
    async with here.app(far(*jobs)) as app, working(app, handlers, topics=topics, most=3):
        await (await app.start("w")).result(10)
    assert most == 3


async def test_a_cancelled_job_is_stopped_by_the_next_beat(here):
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def handler(n):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with here.app(far()) as app, working(app, {"far": handler}):
        run = await app.start("w")
        await begun.wait()
        await app.cancel(run.id)
        await stopped.wait()
        assert (await app.wait_ended(run.id, 10)).status == "cancelled"


async def test_a_job_that_is_anothers_by_now_is_stopped_and_says_nothing(here):
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def handler(n, job: Job):
        if begun.is_set():
            return "other"
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with here.app(far()) as app, working(app, {"far": handler}) as worker:
        run = await app.start("w")
        await begun.wait()
        (hand,) = worker._hands.values()
        await app.release_job(hand.job.id, release_of(hand))
        await stopped.wait()
        assert (await app.wait_ended(run.id, 10)).status == "succeeded"
        assert await facts_of(app, run.id, "job.failed") == []


def release_of(hand):
    from ostinato.runtime.desk import Release

    return Release(hand.job.token)


async def test_a_server_that_is_away_is_waited_for(here):
    async with here.app(far()) as app:
        desk = Desk(app)
        desk.away = 2
        async with working(app, {"far": lambda n: n}, desk):
            run = await app.start("w")
            assert (await app.wait_ended(run.id, 10)).status == "succeeded"


async def test_an_answer_that_was_lost_is_asked_for_again_and_counts_once(here):
    async with here.app(far()) as app:
        desk = Desk(app)
        desk.lost = 1
        async with working(app, {"far": lambda n: n}, desk) as worker:
            run = await app.start("w")
            assert (await app.wait_ended(run.id, 10)).status == "succeeded"
            await until(lambda: not worker._hands)
            assert desk.said.count("complete_job") == 2
            assert len(await facts_of(app, run.id, "job.succeeded")) == 1


async def test_a_stop_lets_work_end_and_gives_back_what_has_not_begun(here):
    begun, free = asyncio.Event(), asyncio.Event()

    async def handler():
        begun.set()
        await free.wait()

    gate = threading.Event()
    jobs = [{"job": "a", "run": "far"}, {"job": "b", "run": "near"}, {"job": "c", "run": "near"}]
    handlers = {"far": handler, "near": gate.wait}
    async with here.app(far(*jobs)) as app:
        desk = Desk(app)
        async with working(app, handlers, desk, topics={"far": 5, "near": 5}, most=5) as worker:
            worker.executor._slots["thread"]._count = 1  # so that one of the two does not begin
            run = await app.start("w")
            await begun.wait()
            await until(lambda: len(worker._hands) == 3 and len(worker.executor) == 1)
            worker.stop()
            await until(lambda: "release_job" in desk.said)
            free.set()
            gate.set()
        assert desk.said.count("release_job") == 1
        assert desk.said[-1] == "close"
        done = [one.status for one in (await app.run_view(run.id)).jobs]
        assert sorted(done) == ["ready", "succeeded", "succeeded"]
        assert (await app.topics())[0].offered == 1


async def test_what_does_not_end_in_time_is_given_back_on_record(here):
    begun = asyncio.Event()

    async def handler(n):
        begun.set()
        await asyncio.Event().wait()

    async with here.app(far()) as app:
        async with working(app, {"far": handler}, drain=0.01):
            run = await app.start("w")
            await begun.wait()
        async with working(app, {"far": lambda n: n}):
            assert (await app.wait_ended(run.id, 10)).status == "succeeded"
        assert await facts_of(app, run.id, "job.abandoned") == []
        assert (await app.run_view(run.id)).jobs[0].attempts == 1


async def test_a_handler_says_that_its_work_goes_on(here):
    async def handler(n, job: Job):
        job.heartbeat()
        await asyncio.sleep(0)
        return n

    waits = {"job": "a", "run": "far", "with": {"n": 1}, "callback": True, "heartbeat": "1m"}
    async with here.app(far(waits | {"timeout": "1h"})) as app, working(app, {"far": handler}):
        run = await app.start("w")
        await reached(app, run.id, "job.heard")


async def test_a_worker_that_does_not_speak_its_servers_language_ends(here):
    async with here.app(far()) as app:
        desk = Desk(app)

        async def fetch(asked):
            raise ProtocolMismatch("install the newer version")

        desk.fetch = fetch
        worker = Worker(desk, app.handlers, manner())
        with pytest.raises(ProtocolMismatch, match="install the newer"):
            await worker.run()
