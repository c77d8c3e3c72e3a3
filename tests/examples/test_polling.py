"""Polling: a service that takes its time, asked over HTTP, by a clock that is turned by hand."""

import http.server
import json
import threading

import pytest

from tests.examples.playing import job, lines, played, sent
from tests.stage import Clock, Memory, Stage, reached

LATE = 10_000


class Exports(http.server.BaseHTTPRequestHandler):
    """``pending`` answers before the state that it ends in."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.say(202, {"id": "e1"})

    def do_GET(self):
        self.server.asked.append(self.headers["Authorization"])
        if len(self.server.asked) <= self.server.pending:
            self.say(200, {"state": "making"})
        else:
            self.say(200, {"state": self.server.state, "rows": 7})

    def say(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *told):
        pass


@pytest.fixture
def service():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exports) as server:
        server.asked, server.pending, server.state = [], 2, "ready"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock()
    return made


@pytest.fixture
async def app(stage, monkeypatch):
    async with played("polling", stage, monkeypatch, secrets={"EXPORTS": "s3cret"}) as (app, _):
        yield app


async def wanted(app, service):
    data = {"report": "q3", "service": f"http://127.0.0.1:{service.server_port}"}
    (run,) = (await app.emit("EXPORT_WANTED", data)).runs
    return run


async def test_it_asks_until_it_is_there(app, stage, service):
    run = await wanted(app, service)
    for times in (1, 2):
        await reached(app, run, "job.repeated", "export/ready", times)
        assert len(service.asked) == times
        stage.jump(app, 30)
    view = await app.wait_ended(run, 10)
    assert (view.status, bytes(view.output)) == ("succeeded", b'{"rows":7}')
    assert service.asked == ["Bearer s3cret"] * 3
    assert await sent(app, "EXPORT_READY") == [{"report": "q3", "rows": 7}]


async def test_what_has_failed_is_not_asked_again(app, service):
    service.pending, service.state = 0, "failed"
    view = await app.wait_ended(await wanted(app, service), 10)
    assert (view.status, view.error.name) == ("failed", "Unexpected")
    assert len(service.asked) == 1
    (told,) = await sent(app, "EXPORT_FAILED")
    assert "failed" in told["why"]


async def test_after_two_hours_it_gives_up(app, stage, service):
    service.pending = LATE
    run = await wanted(app, service)
    for times in range(1, 240):
        await reached(app, run, "job.repeated", "export/ready", times)
        stage.jump(app, 30)
    view = await app.wait_ended(run, 10)
    assert (view.status, len(service.asked)) == ("cancelled", 240)
    assert (await job(app, run, "export/ready")).error.name == "RepeatLimit"
    assert await sent(app, "EXPORT_LATE") == [{"report": "q3"}]


def test_the_document_is_short():
    assert lines("polling") < 60
