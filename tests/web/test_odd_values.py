"""What JSON can hold goes through every door and store as it came; what it cannot is refused."""

import json

import pytest

from ostinato import App
from ostinato.config import Settings
from ostinato.web.asgi import application
from tests.stage import one_job, reached
from tests.web.conftest import client_of

ECHO = one_job({"run": "echo", "with": "${ input }"}, on=[{"event": "GO"}])
CALLED = one_job({"run": "noop", "callback": True}, name="called")
HOLD = one_job({"wait": {"event": "PAID"}}, name="hold")

GOOD = {
    "a NUL": b'"a\\u0000b"',
    "a NUL in a name": b'{"a\\u0000":1}',
    "a number beyond 64 bits": b"123456789012345678901234567890",
    "2^64 - 1": b"18446744073709551615",
    "the least double": b"5e-324",
    "minus nothing": b"-0.0",
    "a pair of surrogates": b'"\\ud83d\\ude00"',
    "145 levels": b"[" * 145 + b"]" * 145,
    "a quarter of a megabyte": b'"' + b"x" * 250_000 + b'"',
}
BAD = {
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels of maps": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "250 levels": b"[" * 250 + b"]" * 250,
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "beyond a double": b"1e400",
    "5,000 digits": b"1" * 5_000,
    "half a surrogate pair": b'"\\ud800"',
    "not UTF-8": b'"\xff"',
    "a naked NUL": b'"a\x00b"',
}


@pytest.fixture(params=["memory", "sqlite"])
async def served(request, tmp_path):
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/o.db"
    async with App(Settings(store=store)) as app:
        for document in (ECHO, CALLED, HOLD):
            await app.deploy(document)
        async with client_of(application(app)) as http:
            yield app, http


async def waiting(app, name):
    run = await app.start(name)
    await reached(app, run.id, "job.waiting")
    return run


async def send(app, http, way, value):
    """The answer, and the run that it was about."""
    run = None
    if way == "event":
        answer = await http.post("/events", content=b'{"type":"GO","data":{"a":%b}}' % value)
    elif way == "events":
        answer = await http.post("/events", content=b'[{"type":"GO","data":{"a":%b}}]' % value)
    elif way == "route":
        answer = await http.post("/event-bridge/events/GO", content=b'{"a":%b}' % value)
    elif way == "start":
        body = b'{"workflow":"w","input":{"a":%b}}' % value
        answer = await http.post("/runs", content=body)
    elif way == "execute":
        answer = await http.post("/workflows/w/execute", content=b'{"input":{"a":%b}}' % value)
    elif way == "callback":
        run = await waiting(app, "called")
        token = (await run.view()).waits[0].token
        answer = await http.post(f"/callbacks/{token}", content=b'{"output":%b}' % value)
    elif way == "signal":
        run = await waiting(app, "hold")
        body = b'{"type":"PAID","data":%b}' % value
        answer = await http.post(f"/runs/{run.id}/signal", content=body)
    else:
        run = await waiting(app, "hold")
        body = b'{"job":"p/j","output":%b}' % value
        answer = await http.post(f"/runs/{run.id}/skip", content=body)
    return answer, run


WAYS = ["event", "events", "route", "start", "execute", "callback", "signal", "skip"]


@pytest.mark.parametrize("way", WAYS)
async def test_what_json_cannot_hold_is_refused(served, way):
    app, http = served
    for name, value in BAD.items():
        answer, _ = await send(app, http, way, value)
        assert answer.status_code in (400, 422), (name, answer.text)
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize("way", ["start", "callback", "skip", "signal"])
async def test_what_json_can_hold_comes_back_as_it_went(served, way):
    app, http = served
    for name, value in GOOD.items():
        answer, run = await send(app, http, way, value)
        assert answer.status_code < 300, (name, answer.text)
        run_id = answer.json()["id"] if run is None else run.id
        await app.wait_ended(run_id, 10)
        output = (await http.get(f"/runs/{run_id}")).json()["jobs"][0]["output"]
        member = {"start": "a", "signal": "data"}.get(way)
        found = output if member is None else output[member]
        assert json.dumps(found) == json.dumps(json.loads(value)), name


async def test_an_event_comes_back_as_it_went(served):
    app, http = served
    for name, value in GOOD.items():
        data = b'{"a":%b}' % value
        answer = await http.post("/events", content=b'{"type":"GO","data":%b}' % data)
        assert answer.status_code == 202, (name, answer.text)
        (run,) = answer.json()["runs"]
        assert (await app.wait_ended(run, 10)).status == "succeeded"
        kept = await app.event(answer.json()["id"])
        assert bytes(kept.event.data) == data
