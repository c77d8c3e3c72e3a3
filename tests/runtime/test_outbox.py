"""What is emitted goes out at least once, under one id, and is accepted once."""

import asyncio

import pytest

from ostinato.app import Run
from ostinato.bus.memory import MemoryBus
from ostinato.errors import Refused, TooLarge
from ostinato.ports import EventQuery, Page, RunQuery
from ostinato.runtime import lane
from tests.stage import one_job, reached, until_crash

EMITS = one_job({"emit": {"type": "DONE", "data": {"n": "${ input.n }"}}})
TAKES = one_job({"run": "noop"}, "taker", on=[{"event": "DONE"}])


@pytest.fixture(autouse=True)
def soon_again(monkeypatch):
    monkeypatch.setattr(lane, "PAUSE", 0.01)


async def arrived(app, event_id):
    """Wait until an event is known, by the signal that its sending is over."""
    for _ in range(1_000_000):
        if found := await app.storage.events_by_id(event_id):
            return found[0]
        await asyncio.sleep(0)
    raise AssertionError(f"{event_id} never came")


async def test_an_emitted_event_starts_what_it_triggers(stage):
    async with stage.app(EMITS) as app:
        await app.deploy(TAKES)
        run = await app.start("w", n=1)
        output = await run.result(5)
        assert output["j"] == {"id": f"{run.id}:p/j"}
        stored = await arrived(app, f"{run.id}:p/j")
        assert stored.event.source == "ostinato/w"
        (taker,) = await app.runs(RunQuery(workflow="taker"), Page())
        await Run(app, taker.run_id).result(5)


async def test_headers_are_attributes_of_the_event(stage):
    emit = {"type": "DONE", "headers": {"tenant": "${ input.t }"}}
    async with stage.app(one_job({"emit": emit})) as app:
        run = await app.start("w", t="ä")
        stored = await arrived(app, f"{run.id}:p/j")
        assert stored.event.extensions == {"tenant": "ä"}


async def test_what_was_sent_but_not_noted_goes_out_again_and_is_accepted_once(stage):
    async with until_crash(stage.app(EMITS)) as app:
        await app.deploy(TAKES)
        keep = app.service.engine.ask
        sent = asyncio.Event()

        async def lost(make):
            sent.set()
            await asyncio.Event().wait()

        app.service.engine.ask = lost  # the process dies before it notes what was sent
        run = await app.start("w", n=1)
        await sent.wait()
        app.service.engine.ask = keep
    async with stage.app(EMITS) as app:
        await reached_empty(app)
        assert await app.count_runs(RunQuery(workflow="taker")) == 1
        assert (await app.event(f"{run.id}:p/j")).event.type == "DONE"


async def reached_empty(app):
    while await app.storage.outbox(1):
        await app.service.engine.rest()
        await asyncio.sleep(0)


@pytest.mark.parametrize("error", [ConnectionError, ValueError], ids=lambda kind: kind.__name__)
async def test_a_bus_that_fails_is_tried_again_and_holds_nobody_up(stage, error):
    async with stage.app(EMITS) as app:
        send, failures = app.own.send, [1, 2, 3]

        async def failing(events):
            if failures:
                failures.pop()
                raise error("the bus is down")
            await send(events)

        app.service.outbox.own.bus.send = failing
        run = await app.start("w", n=1)
        await run.result(5)
        await arrived(app, f"{run.id}:p/j")
        assert not failures


async def test_a_thousand_events_go_out_in_a_handful_of_commits(stage):
    each = {"each": {"in": "input.items"}, "emit": {"type": "DONE", "data": {"n": "${ item }"}}}
    async with stage.app(one_job(each)) as app:
        await app.deploy(TAKES)
        before = app.service.engine.commits
        run = await app.start("w", items=list(range(1000)))
        await run.result(10)
        await reached_empty(app)
        while await app.count_runs(RunQuery(status=("succeeded",), workflow="taker")) < 1000:
            await asyncio.sleep(0)
        assert app.service.engine.commits - before < 20
        events = await app.events(EventQuery(type="DONE"), Page(1000))
        assert len({one.event.id for one in events}) == 1000


@pytest.mark.parametrize("error", [TooLarge, Refused], ids=lambda kind: kind.__name__)
async def test_an_event_that_is_refused_alone_is_a_dead_letter_and_holds_nobody_up(stage, error):
    async with stage.app(EMITS) as app:
        accept = app._from_bus

        async def choosy(events):
            if any(bytes(event.data) == b'{"n":2}' for event in events):
                raise error("this one is not taken")
            await accept(events)

        app.own = app.service.outbox.own.bus = MemoryBus()
        await app.own.subscribe("DONE", choosy)
        runs = [await app.start("w", n=number) for number in range(4)]
        for run in runs:
            await run.result(5)
        await reached_empty(app)
        (letter,) = await app.dead_letters()
        assert (letter.kind, letter.target) == ("outgoing", runs[2].id)
        assert letter.event_id == f"{runs[2].id}:p/j"
        assert b"this one is not taken" in letter.reasons
        assert await app.count_events(EventQuery(type="DONE")) == 3


async def test_an_idle_outbox_does_not_turn(here):
    async with here.app(EMITS) as app:
        run = await app.start("w", n=1)
        await run.result(5)
        await reached_empty(app)
        reads = []
        outbox_of = app.storage.outbox

        async def counted(limit, *more):
            reads.append(limit)
            return await outbox_of(limit, *more)

        app.storage.outbox = counted
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(reads) <= 1


async def test_a_stop_while_the_bus_is_slow_does_not_wait_for_it(stage):
    stuck = asyncio.Event()

    async def slow(events):
        stuck.set()
        await asyncio.Event().wait()

    async with stage.app(EMITS) as app:
        app.service.outbox.own.bus.send = slow
        run = await app.start("w", n=1)
        await run.result(5)
        await stuck.wait()
    async with stage.app(EMITS) as app:
        await arrived(app, f"{run.id}:p/j")


async def test_a_consumer_is_durable(stage):
    heard, begun = [], asyncio.Event()

    def make(wait):
        app = stage.app(EMITS)

        @app.consumer("DONE")
        async def on_done(event):
            begun.set()
            if wait:
                await asyncio.Event().wait()
            heard.append(event.id)

        return app

    async with until_crash(make(wait=True)) as app:
        run = await app.start("w", n=1)
        await begun.wait()
    async with make(wait=False) as app:
        (consuming,) = await app.runs(RunQuery(workflow="consumer-on_done"), Page())
        await Run(app, consuming.run_id).result(5)
    assert heard == [f"{run.id}:p/j"]


async def test_a_consumer_may_publish(stage):
    app = stage.app()

    @app.consumer("ASKED", publish="ANSWERED")
    def on_asked(event):
        return [{"to": event.id}, {"to": "all"}]

    async with app:
        accepted = await app.emit("ASKED", id="q1")
        (run_id,) = accepted.runs
        await reached(app, run_id, "run.succeeded")
        await reached_empty(app)
        assert await app.count_events(EventQuery(type="ANSWERED")) == 2


async def test_a_consumer_is_retried_like_any_handler(stage):
    app, calls = stage.app(), []

    @app.consumer("ASKED", attempts=3, delay="1ms")
    async def on_asked(event):
        calls.append(event.id)
        if len(calls) < 3:
            raise ValueError("not yet")

    async with app:
        accepted = await app.emit("ASKED", id="q1")
        await Run(app, accepted.runs[0]).result(5)
    assert calls == ["q1"] * 3
