"""One case for each row of docs/reference/limits.md: beyond the limit there is a clear error.

``case`` names the row and its setting; the function gets a stage and shows what happens there.
"""

import asyncio
import functools

import pytest

from ostinato import Pattern
from ostinato.app import RunEnded
from ostinato.app.doing import Once
from ostinato.config.settings import LimitSettings
from ostinato.errors import (
    Busy,
    ConflictError,
    DefinitionError,
    NotStorable,
    PatternError,
    TooLarge,
    UsageError,
)
from ostinato.ports import EventQuery, RunQuery
from ostinato.runtime.processes import process
from ostinato.web.asgi import application
from tests.cli import test_receiving
from tests.runtime import heavy
from tests.stage import Gate, one_job, reached
from tests.web.conftest import client_of

SMALL = LimitSettings(
    event=1_000, batch=3, input=1_000, result=1_000, output=1_000, document=1_000, steps=20
)
NOOP = one_job({"run": "noop"})
HOLD = one_job({"wait": {"event": "PAID"}})
CALLED = one_job({"run": "noop", "callback": True})
BIG = "x" * 1_001

CASES = {}


def case(name, setting="fixed"):
    def keep(function):
        CASES[name] = (setting, function)
        return function

    return keep


async def ending(app, name="w", **input):
    with pytest.raises(RunEnded) as ended:
        await (await app.start(name, **input)).result(5)
    return ended.value


def fails(document, name, message, *, limits=SMALL, handlers=None, **input):
    """A case: a run of this document fails, with this in its message."""

    async def fail(stage):
        async with stage.app(document, handlers, limits=limits) as app:
            ended = await ending(app, **input)
            assert (ended.error, message in str(ended)) == (name, True), str(ended)

    return fail


@functools.cache
def deep(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


async def refused(stage, route, body, status, *says, document=NOOP, limits=SMALL, headers=None):
    async with stage.app(document, limits=limits) as app, client_of(application(app)) as http:
        answer = await http.post(route, json=body, headers=headers)
        detail = answer.json()["detail"]
        assert answer.status_code == status, detail
        assert all(text in detail for text in says), detail
        assert await app.count_runs(RunQuery()) == await app.count_events(EventQuery()) == 0


# what comes in


@case("an event's data", "limits.event")
async def event(stage):
    await refused(
        stage, "/events", {"type": "GO", "data": BIG}, 413, "1,003", "1,000 (limits.event)"
    )
    async with stage.app(limits=SMALL) as app:
        with pytest.raises(TooLarge, match=r"1,003 bytes of JSON.*1,000 \(limits\.event\)"):
            await app.emit("GO", BIG)
        with pytest.raises(TooLarge, match=r"limits\.event"):
            await app.producer().send("GO", BIG)


@case("events in one request", "limits.batch")
async def batch(stage):
    await refused(stage, "/events", [{"type": "GO"}] * 4, 413, "is 4 events", "3 (limits.batch)")


@case("the body of a request with events", "limits.event × 16")
async def body(stage):
    await refused(stage, "/events", {"type": "GO", "data": "x" * 17_000}, 413, "limits.event")


@case("an event's id and type")
async def identity(stage):
    await refused(stage, "/events", {"type": "x" * 257}, 422, "type: 1 to 256")
    async with stage.app() as app:
        with pytest.raises(UsageError, match="id: 1 to 256 characters are needed, this has 257"):
            await app.emit("GO", id="x" * 257)


@case("an event's source and subject")
async def source(stage):
    await refused(stage, "/events", {"type": "GO", "source": "x" * 1_025}, 422, "source: 1 to 1024")


@case("levels of an event's data")
async def levels(stage):
    body = {"type": "GO", "data": deep(151)}
    await refused(stage, "/events", body, 422, "deeper than 150", limits=None)


@case("the input of a run", "limits.input")
async def input(stage):
    body = {"workflow": "w", "input": {"n": BIG}}
    await refused(stage, "/runs", body, 413, "1,009", "1,000 (limits.input)")
    async with stage.app(NOOP, limits=SMALL) as app:
        with pytest.raises(TooLarge, match=r"limits\.input"):
            await app.start("w", n=BIG)


@case("levels of a value")
async def value_levels(stage):
    async with stage.app(NOOP) as app:
        with pytest.raises(NotStorable, match="deeper than 200"):
            await app.start("w", n=deep(201))
        await app.start("w", n=deep(190))


@case("a uid")
async def uid(stage):
    body = {"workflow": "w", "uid": "x" * 257}
    await refused(stage, "/runs", body, 422, "1 to 256 printable characters")


@case("an Idempotency-Key")
async def key(stage):
    headers = {"Idempotency-Key": "x" * 256}
    await refused(stage, "/runs", {"workflow": "w"}, 422, "1 to 255 characters", headers=headers)
    assert Once("runs", "x" * 255, b"").key


@case("a workflow document", "limits.document")
async def document(stage):
    said = {"workflow": "z", "description": BIG, "phases": NOOP["phases"]}
    await refused(stage, "/workflows", said, 422, "1,000 are taken (limits.document)")
    async with stage.app(limits=SMALL) as app:
        with pytest.raises(DefinitionError, match=r"limits\.document"):
            await app.deploy(said)


@case("documents in one request", "limits.document × 4")
async def documents(stage):
    await refused(stage, "/workflows", {"workflow": "x" * 5_000}, 413, "4 times limits.document")


@case("aliases and levels of a document")
async def aliases(stage):
    async with stage.app() as app:
        for text, says in (
            ("a: &x 1\nb: [" + "*x, " * 101 + "]", "more than 100 aliases"),
            ("a: " + "[" * 101 + "]" * 101, "more than 100 levels"),
        ):
            with pytest.raises(DefinitionError, match=says):
                await app.deploy(text)


@case("names in a document")
async def names(stage):
    async with stage.app() as app:
        with pytest.raises(DefinitionError, match="64"):
            await app.deploy(one_job({"run": "noop"}, name="x" * 65))


@case("the name of a handler or topic")
async def topic(stage):
    async with stage.app() as app:
        with pytest.raises(DefinitionError, match="201 characters, at most 200"):
            await app.deploy(one_job({"run": "x" * 201}))


@case("values and levels of a pattern")
async def patterns(stage):
    with pytest.raises(PatternError, match=r"10,?000"):
        Pattern({"a": [str(number) for number in range(10_001)]})
    with pytest.raises(PatternError, match="deeper than 100"):
        Pattern({".".join("a" * 200): ["x"]})


@case("request line and headers")
async def head(stage):
    assert test_receiving.test_a_head_is_bounded


@case("the time in which a request comes in", "receive")
async def receive(stage):
    assert test_receiving.test_what_does_not_come_in_is_ended


@case("any other body")
async def other(stage):
    await refused(stage, "/runs/last/cancel", {"why": "x" * 70_000}, 413, "65,536")


# what a run makes


@case("the result of a job", "limits.result")
async def result(stage):
    job = one_job({"run": "h", "retry": 5})
    calls = []
    handlers = {"h": lambda: calls.append(1) or BIG}
    await fails(job, "TooLarge", "1,000 (limits.result)", handlers=handlers)(stage)
    assert len(calls) == 1


@case("the answer to an http job", "limits.result")
async def http(stage):
    from tests.app.test_bounds import test_the_body_of_an_http_answer_is_bounded

    await test_the_body_of_an_http_answer_is_bounded(stage)


@case("an answer from outside", "limits.result")
async def callback(stage):
    async with stage.app(CALLED, limits=SMALL) as app, client_of(application(app)) as http:
        run = await app.start("w")
        await reached(app, run.id, "job.waiting")
        token = (await run.view()).waits[0].token
        answer = await http.post(f"/callbacks/{token}", json={"output": BIG})
        assert (answer.status_code, "limits.result" in answer.json()["detail"]) == (413, True)
        with pytest.raises(TooLarge, match=r"limits\.result"):
            await app.answer(token, output=BIG)


@case("the output of a run, said in its document", "limits.output")
async def output(stage):
    said = NOOP | {"output": "join(input.l, '')"}
    await fails(said, "TooLarge", "1,000 (limits.output)", l=["x" * 300] * 4,
                limits=LimitSettings(output=1_000))(stage)  # fmt: skip


@case("the outputs of the last phase, where it says none", "limits.output")
async def outputs(stage):
    document = one_job({"run": "h", "each": {"in": "input.l", "as": "item"}})
    async with stage.app(document, {"h": lambda: "x" * 300}, limits=SMALL) as app:
        run = await app.start("w", l=[1, 2, 3, 4])
        assert await run.result(5) is None
        view = await run.view()
        assert (view.status, "limits.output" in view.warnings[0]) == ("succeeded", True)
        assert all(len(bytes(job.output)) == 302 for job in view.jobs)
        await (await app.start("w", l=[1, 2])).result(5)


@case("what a job emits", "limits.event")
async def emitted(stage):
    document = one_job({"emit": {"type": "DONE", "data": "${ input.a }"}})
    async with stage.app(document, limits=LimitSettings(event=1_000)) as app:
        await (await app.start("w", a=BIG)).result(5)
        while not (letters := await app.dead_letters()):
            await asyncio.sleep(0)
        assert b"limits.event" in letters[0].reasons
        assert len(bytes(letters[0].event.data)) == 1_003


for_emit = one_job({"emit": {"type": "${ input.a }"}})
case("type, subject and source of what a job emits")(
    fails(for_emit, "ExpressionError", "emit.type has 300 characters, at most 256", a="x" * 300)
)
case("what an expression makes")(
    fails(
        one_job({"set": {"a": "${ join(input.l.map(x, input.t), '') }"}}),
        "ExpressionTooCostly",
        "1,000,000 bytes",
        limits=None,
        l=[0] * 60,
        t="x" * 20_000,
    )
)
case("what bare paths hand on")(
    fails(
        one_job({"set": {"a": ["${ input.t }"] * 21}}),
        "ExpressionTooCostly",
        "20,000,000 bytes",
        limits=None,
        t="x" * 1_000_000,
    )
)
case("operations of an expression")(
    fails(
        one_job({"set": {"a": "${ input.l.map(x, input.l.map(y, x + y)) }"}}),
        "ExpressionTooCostly",
        "10,000 operations",
        limits=None,
        l=list(range(200)),
    )
)
case("key of a concurrency or rate")(
    fails(
        one_job({"run": "noop", "concurrency": {"key": "input.a", "limit": 1}}),
        "ExpressionError",
        "longer than 1000 characters",
        a="x" * 990,
    )
)
case("items of an each", "limits.steps")(
    fails(
        one_job({"run": "noop", "each": {"in": "input.l", "as": "item"}}),
        "ExpressionError",
        "21 items are more than 20 steps",
        l=list(range(21)),
    )
)
case("steps of a run", "limits.steps")(
    fails(
        {
            "workflow": "w",
            "phases": [
                {
                    "phase": "p",
                    "jobs": [{"job": f"j{number}", "run": "noop"} for number in range(21)],
                }
            ],
        },
        "TooManySteps",
        "20 steps of one run (limits.steps)",
        limits=LimitSettings(steps=20),
    )
)


case("runs that call one another in a chain", "limits.call_depth")(
    fails(
        one_job({"call": "w", "when": "input.more == null"}),
        "CallTooDeep",
        "below 3 runs that call one another (limits.call_depth)",
        limits=LimitSettings(call_depth=3),
    )
)


TWICE = {"call": "w", "when": "input.more == null", "each": {"in": "[1, 2]", "as": "x"}}
case("… open at once", "limits.open_calls")(
    fails(
        one_job(TWICE),
        "TooManyCalls",
        "which it called, or which those did; let it call fewer at once (`at_once`), or raise "
        "limits.open_calls",
        limits=LimitSettings(open_calls=20),
    )
)


@case("runs below one that nobody called, in all", "limits.calls")
async def called(stage):
    """Each that fails calls once more: without a budget that never ends."""
    again = {"catch": [{"on": "*", "do": {"call": "w"}}]}
    job = {"call": "w", "when": "input.more == null"} | again
    limits = LimitSettings(calls=40, call_depth=30)
    async with stage.app(one_job(job), limits=limits) as app:
        ended = await ending(app)
        assert (ended.error, "limits.calls" in str(ended)) == ("TooManyCalls", True), str(ended)
        assert await app.count_runs(RunQuery()) <= 41 + 1


@case("jobs that are ready", "limits.ready")
async def ready(stage):
    gate = Gate()
    limits = LimitSettings(ready=2)
    job = one_job({"run": "gate", "each": {"in": "[1, 2, 3, 4]", "as": "item"}})
    async with stage.app(job, {"gate": gate.__call__}, limits=limits, slots=_one_slot()) as app:
        await app.start("w")
        await gate.begun.wait()
        with pytest.raises(Busy, match=r"limits\.ready"):
            await app.start_run("w", {}, wait=False)
        gate.open.set()


def _one_slot():
    from ostinato.config.settings import SlotSettings

    return SlotSettings(handlers=1)


@case("runs that wait behind one of their uid", "limits.uid_queue")
async def uid_queue(stage):
    document = one_job({"wait": "1h"}, uid={"open": "queue"})
    async with stage.app(document, limits=LimitSettings(uid_queue=1)) as app:
        for _ in range(2):
            await app.start("w", uid="u")
        with pytest.raises(Busy, match=r"limits\.uid_queue"):
            await app.start("w", uid="u")


@case("signals that a run keeps")
async def signals(stage):
    document = one_job({"wait": "1h"}, uid={"open": "signal"})
    async with stage.app(document) as app:
        for _ in range(1_001):
            await app.start("w", uid="u")
        with pytest.raises(ConflictError, match="keeps 1,000 signals"):
            await app.start("w", uid="u")


@case("the time in which a handler's process is ready")
async def process_start(stage):
    app = stage.app(one_job({"run": "h", "retry": {"attempts": 1}}))
    app.handler("h", process=True)(heavy.where)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "START", 0)
        async with app:
            ended = await ending(app)
    assert (ended.error, "had not begun after 0 s" in str(ended)) == ("ProcessDied", True)


@case("the name and text of an error")
async def error(stage):
    def bad():
        raise type("E" * 300, (Exception,), {})("m" * 9_000)

    async with stage.app(one_job({"run": "h", "retry": 1}), {"h": bad}) as app:
        run = await app.start("w")
        await app.wait_ended(run.id, 5)
        failure = (await run.view()).error
        assert (len(failure.name), len(failure.message)) == (201, 2_001)
