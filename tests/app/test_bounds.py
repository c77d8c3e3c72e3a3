"""Nothing that a user sends or returns is without a bound; beyond it there is a clear error."""

import asyncio
import http.server
import threading

import pytest

from ostinato.app import RunEnded
from ostinato.config import override_settings
from ostinato.config.settings import LimitSettings
from ostinato.errors import InvalidInput, TooLarge, UsageError
from ostinato.ports import EventQuery, RunQuery
from ostinato.runtime import bounds
from ostinato.web.asgi import application
from tests.stage import Gate, Memory, Stage, one_job, reached
from tests.web.conftest import client_of

SMALL = LimitSettings(event=1_000, input=1_000, result=1_000, document=1_000, steps=20)
NOOP = one_job({"run": "noop"})
CALLED = one_job({"run": "noop", "callback": True})
BIG = "x" * 1_001


@pytest.fixture
def stage():
    return Stage(Memory())


async def ending(app, name="w", **input):
    with pytest.raises(RunEnded) as ended:
        await (await app.start(name, **input)).result(5)
    return ended.value


async def test_an_input_is_bounded(stage):
    async with stage.app(NOOP, limits=SMALL) as app:
        with pytest.raises(TooLarge, match=r"input is 1,009 bytes.*1,000 \(limits\.input\)"):
            await app.start("w", n=BIG)
        assert await app.count_runs(RunQuery()) == 0
        await (await app.start("w", n="x" * 900)).result(5)


async def test_an_input_counts_with_its_defaults(stage):
    schema = {"type": "object", "properties": {"a": {"default": "x" * 600}}}
    async with stage.app(NOOP | {"input_schema": schema}, limits=SMALL) as app:
        await app.start("w")
        with pytest.raises(TooLarge):
            await app.start("w", b="x" * 600)


async def test_an_event_is_bounded(stage):
    async with stage.app(NOOP, limits=SMALL) as app:
        with pytest.raises(TooLarge, match=r"limits\.event"):
            await app.emit("GO", BIG)
        assert await app.count_events(EventQuery()) == 0


async def test_an_event_to_a_bus_is_bounded_as_any(stage):
    app = stage.app(NOOP, limits=SMALL)
    out = {"bus.out.kind": "memory", "bus.out.place": "told"}
    app.configure(override_settings(app.settings, out, by="{name}"))
    async with app:
        for bus in ("memory", "out"):
            with pytest.raises(TooLarge, match=r"^event one is .*limits\.event"):
                await app.producer(bus).send("GO", BIG, id="one")
            with pytest.raises(TooLarge, match=r"limits\.event"):
                await app.producer(bus).send_many("GO", [1, BIG])
        [view] = await app.buses()
        assert (view.waiting, view.sent) == (0, 0)
        assert await app.count_events(EventQuery()) == 0


@pytest.mark.parametrize("member", ["id", "source", "subject", "type"])
async def test_the_members_of_an_event_are_bounded(stage, member):
    async with stage.app(NOOP) as app:
        with pytest.raises(UsageError, match=f"{member}: 1 to"):
            await app.emit(**{"type": "GO"} | {member: "x" * 2_000})


async def test_what_a_job_emits_is_bounded_and_not_lost(stage):
    job = {"emit": {"type": "DONE", "data": "${ input.a + input.b }"}}
    async with stage.app(one_job(job), limits=SMALL) as app:
        run = await app.start("w", a="x" * 450, b="x" * 450)
        await run.result(5)
        run = await app.start("w", a="x" * 480, b="x" * 500)
        await run.result(5)
        while await app.service.storage.outbox(1):
            await asyncio.sleep(0)
        assert await app.count_events(EventQuery(type="DONE")) == 2
    big = LimitSettings(event=100)
    async with stage.app(limits=big) as app:
        await (await app.start("w", a="x" * 90, b="x" * 90)).result(5)
        while not (letters := await app.dead_letters()):
            await asyncio.sleep(0)
        assert b"limits.event" in letters[0].reasons
        assert len(bytes(letters[0].event.data)) == 182


async def test_a_result_is_bounded(stage):
    async with stage.app(one_job({"run": "h"}), {"h": lambda: BIG}, limits=SMALL) as app:
        ended = await ending(app)
        assert (ended.error, "limits.result" in str(ended)) == ("TooLarge", True)


@pytest.mark.parametrize("raw", [True, False])
async def test_an_answer_from_outside_is_bounded(stage, raw):
    async with stage.app(CALLED, limits=SMALL) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        token = (await run.view()).waits[0].token
        with pytest.raises(TooLarge, match=r"limits\.result"):
            await app.answer(token, output=BIG)
        async with client_of(application(app)) as http:
            refused = await http.post(f"/callbacks/{token}", json={"output": BIG})
            assert (refused.status_code, refused.json()["error"]["name"]) == (413, "TooLarge")
            assert (
                await http.post(f"/callbacks/{token}", json={"output": "ok"})
            ).status_code == 204
        await run.result(5)


async def test_a_failure_from_outside_keeps_the_beginning_of_its_text(stage):
    async with stage.app(CALLED) as app:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        token = (await run.view()).waits[0].token
        await app.answer(token, error={"name": "N" * 9_000, "message": "m" * 9_000})
        await app.wait_ended(run.id, 5)
        error = (await run.view()).error
        assert (len(error.name), len(error.message)) == (201, 2_001)


async def test_a_reason_is_bounded(stage):
    gate = Gate()
    async with stage.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        with pytest.raises(UsageError, match="why has 9,000 characters"):
            await run.cancel("x" * 9_000)
        await run.cancel("x" * 2_000)


async def test_what_an_expression_makes_is_bounded(stage):
    double = "join(input.l.map(x, input.t), '')"
    job = {"set": {"big": f"${{ {double} }}"}}
    async with stage.app(one_job(job)) as app:
        ended = await ending(app, l=[0] * 60, t="x" * 20_000)
        assert (ended.error, "1,000,000" in str(ended)) == ("ExpressionTooCostly", True)


async def test_the_items_of_an_each_are_bounded(stage):
    each = one_job({"run": "noop", "each": {"in": "input.items"}})
    async with stage.app(each, limits=SMALL) as app:
        ended = await ending(app, items=list(range(21)))
        assert "20 steps" in str(ended)
        await (await app.start("w", items=list(range(10)))).result(5)


async def test_the_steps_of_a_run_are_bounded(stage):
    jobs = [{"job": f"j{n}", "run": "noop"} for n in range(21)]
    document = {"workflow": "w", "phases": [{"phase": "p", "jobs": jobs}]}
    async with stage.app(document, limits=LimitSettings(steps=20)) as app:
        assert (await ending(app)).error == "TooManySteps"


async def test_the_body_of_an_http_answer_is_bounded(stage):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * int(self.path[1:]))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/${{ input.n }}"
        document = one_job({"http": {"method": "GET", "url": url}})
        async with stage.app(document, limits=SMALL) as app:
            await (await app.start("w", n=500)).result(10)
            ended = await ending(app, n=1_001)
            assert (ended.error, "limits.result" in str(ended)) == ("TooLarge", True)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_a_document_is_bounded(stage):
    async with stage.app(limits=SMALL) as app:
        with pytest.raises(Exception, match="at most 1,000"):
            await app.deploy(f"workflow: w\ndescription: {BIG}\n")


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/runs", {"workflow": "w", "input": {"n": "x" * 70_000}}),
        ("/workflows/w/execute", {"input": {"n": "x" * 70_000}}),
        ("/runs", {"workflow": "w", "input": {"n": BIG}}),
        ("/events", {"type": "GO", "data": BIG}),
        ("/events", {"type": "GO", "data": "x" * 20_000}),
        ("/event-bridge/events/GO", {"data": BIG}),
        ("/workflows", {"workflow": "w", "description": "x" * 5_000}),
        ("/runs/last/cancel", {"why": "x" * 70_000}),
        ("/dead-letters/redrive", {"ids": ["x" * 70_000]}),
    ],
)
async def test_no_request_is_without_a_bound(stage, route, body):
    async with stage.app(NOOP, limits=SMALL) as app, client_of(application(app)) as http:
        answer = await http.post(route, json=body)
        assert (answer.status_code, "limit" in answer.json()["detail"]) == (413, True)


async def test_a_uid_is_bounded(stage):
    async with stage.app(NOOP) as app:
        with pytest.raises(InvalidInput, match="1 to 256"):
            await app.start("w", uid="x" * 257)


async def test_the_log_tells_at_80_percent(stage, monkeypatch):
    told = []
    monkeypatch.setattr(
        bounds.log, "warning", lambda name, **more: told.append(more), raising=False
    )
    async with stage.app(NOOP, limits=SMALL) as app:
        await app.emit("GO", "x" * 700)
        assert told == []
        await app.emit("GO", "x" * 900)
    assert [(one["setting"], one["size"], one["limit"]) for one in told] == [
        ("limits.event", 902, 1_000)
    ]
