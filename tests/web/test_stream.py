"""Following a run, against a real server where a connection must end."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn

from ostinato.web import stream
from ostinato.web.asgi import application
from tests.web.conftest import token_of


def events(text):
    """The fields of each event; comments are none."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        if lines:
            found.append({name: value for name, _, value in lines})
    return found


async def test_every_fact_is_an_event_with_its_number(http):
    run = (await http.post("/runs?wait=5s", json={"workflow": "hello"})).json()
    answer = await http.get(f"/runs/{run['id']}/stream")
    facts = (await http.get(f"/runs/{run['id']}/history")).json()
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert [json.loads(one["data"]) for one in found] == facts
    assert [one["id"] for one in found] == [str(fact["seq"]) for fact in facts]
    assert [one["event"] for one in found] == [fact["type"] for fact in facts]


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_listener_that_comes_back_hears_the_rest(http, how):
    run = (await http.post("/runs?wait=5s", json={"workflow": "hello"})).json()
    path = f"/runs/{run['id']}/stream"
    if how == "header":
        answer = await http.get(path, headers={"last-event-id": "1"})
    else:
        answer = await http.get(path, params={"after": 1})
    assert events(answer.text)[0]["id"] == "2"


async def test_when_nothing_more_can_come_the_answer_is_204(http):
    run = (await http.post("/runs?wait=5s", json={"workflow": "hello"})).json()
    answer = await http.get(f"/runs/{run['id']}/stream", headers={"last-event-id": "9999"})
    assert answer.status_code == 204


@pytest.mark.parametrize("last", ["x", "1.5"])
async def test_a_number_that_is_none_is_refused(http, last):
    await http.post("/runs", json={"workflow": "hello"})
    answer = await http.get("/runs/last/stream", headers={"last-event-id": last})
    assert answer.status_code == 422


class Server(uvicorn.Server):
    """Says when it listens; leaves the signals to the tests."""

    def __init__(self, door):
        config = uvicorn.Config(door, port=0, lifespan="off", log_config=None)
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.listening.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self):
        return self.servers[0].sockets[0].getsockname()[1]


@asynccontextmanager
async def serving(door):
    server = Server(door)
    task = asyncio.ensure_future(server.serve())
    await server.listening.wait()
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as http:
        yield http, server
    server.should_exit = True
    await asyncio.wait_for(task, 10)


@pytest.mark.real
async def test_a_run_is_heard_while_it_goes_on(app):
    async with serving(application(app)) as (http, _):
        run = (await http.post("/runs", json={"workflow": "slow"})).json()
        token, types = await token_of(app, run["id"]), []
        async with http.stream("GET", f"/runs/{run['id']}/stream") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    types.append(line.removeprefix("event: "))
                    if types[-1] == "job.waiting":
                        assert (await http.post(f"/callbacks/{token}")).status_code == 204
        assert types[-1] == "run.succeeded"


@pytest.mark.real
async def test_a_server_that_stops_lets_go_of_its_listeners(app):
    door = application(app)
    async with serving(door) as (http, server):
        run = (await http.post("/runs", json={"workflow": "slow"})).json()
        async with http.stream("GET", f"/runs/{run['id']}/stream") as answer:
            async for line in answer.aiter_lines():
                if line == "event: job.waiting":
                    door.stop()
                    server.should_exit = True


@pytest.mark.real
async def test_a_silent_run_is_kept_alive_and_a_gone_listener_forgotten(app, monkeypatch):
    monkeypatch.setattr(stream, "QUIET", 0.01)
    async with serving(application(app)) as (http, _):
        run = (await http.post("/runs", json={"workflow": "slow"})).json()
        async with http.stream("GET", f"/runs/{run['id']}/stream") as answer:
            async for line in answer.aiter_lines():
                if line == ": still here":
                    break


@pytest.mark.real
async def test_a_body_shorter_than_announced_is_no_event(app):
    async with serving(application(app)) as (http, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b'POST /events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{"type": "T"}'
        )
        writer.write_eof()
        await reader.read()
        writer.close()
        assert (await http.get("/events/count")).json() == {"count": 0}
