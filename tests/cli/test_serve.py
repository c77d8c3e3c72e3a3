"""`ostinato serve` as a real process: what it tells, how it ends, what it refuses."""

import asyncio
import json
import os
import signal
import socket
import time
import urllib.request
from pathlib import Path

import httpx2
import pytest

from ostinato.app import App
from ostinato.cli import server
from ostinato.cli.server import _bound
from ostinato.config import Settings
from tests.cli.live import command, serving
from tests.powerless import without_powers

pytestmark = pytest.mark.real

HELLO = (
    "workflow: hello\non: [{event: hello}]\nphases: [{phase: one, jobs: [{job: hi, run: echo}]}]\n"
)
BROKEN = "workflow: hello\nphases: [{phase: one, jobs: [{job: hi, rnu: echo}]}]\n"
APP = """\
from ostinato import App

app = App()


@app.handler("greet")
def greet(name: str) -> str:
    return f"Hello, {name}!"
"""
STUCK = """\
import threading
from pathlib import Path

from ostinato import App

app = App()


@app.handler("stay")
def stay() -> None:
    Path("begun").touch()
    threading.Event().wait()
"""
GREETED = (
    "workflow: greeted\nphases: [{phase: one, jobs: [{job: hi, run: greet, with: {name: Ada}}]}]\n"
)
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def here(tmp_path):
    (tmp_path / "hello.yaml").write_text(HELLO)
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/greeted.yaml").write_text(GREETED)
    return tmp_path


def get(url, key=None):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310
        return answer.status


def test_it_prints_four_facts(here):
    with serving(here, "hello.yaml", "--port", 0) as server:
        lines = [server.line() for _ in range(5)]
        told = dict(line.split(maxsplit=1) for line in lines)
        assert list(told) == ["ostinato", "address", "page", "data", "stop"]
        assert told["page"].startswith(told["address"].strip())
        assert told["data"].strip() == str(here / "ostinato.db")
        assert f"kill {server.process.pid}" in told["stop"]
        assert "rm ostinato.db*" in told["stop"]
        assert get(told["address"].strip() + "/readyz") == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(here, number):
    with serving(here, "hello.yaml", "--port", 0, "--json") as server:
        facts = server.facts()
        assert facts["pid"] == server.process.pid
        address = here / "ostinato.db.url"
        assert address.read_text().strip() == facts["address"]
        code, _, err = server.end(number)
        assert (code, err) == (0, "")
        assert not address.exists()


def test_a_stream_does_not_hold_up_the_end(here):
    (here / "hello.yaml").write_text(HELLO.replace("run: echo", "wait: 1h"))
    with serving(here, "hello.yaml", "--port", 0, "--json") as server:
        url = server.facts()["address"]
        run = json.loads(command(here, "start", "hello", "--json").stdout)
        with urllib.request.urlopen(f"{url}/runs/{run['id']}/stream") as stream:  # noqa: S310
            assert stream.readline()
            assert server.end()[0] == 0


async def test_a_request_that_holds_up_the_end_is_told_to_ask_again(here, monkeypatch):
    loop = asyncio.get_running_loop()
    begun, address = asyncio.Event(), loop.create_future()
    monkeypatch.setattr(server, "_REQUESTS_END_WITHIN", 0)
    monkeypatch.setattr(server, "_tell", lambda app, url, json: address.set_result(url))
    app = App(Settings(store="memory:", port=0))

    async def never(*_, **__):
        begun.set()
        await asyncio.Event().wait()

    app.accept = never
    served = asyncio.create_task(server.serving(app))
    async with httpx2.AsyncClient(base_url=await address, trust_env=False) as http:
        asked = asyncio.create_task(http.post("/events", json={"type": "GO"}))
        await begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        answer = await asked
    await served
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "ask another" in answer.json()["detail"]


def test_a_second_signal_no_longer_waits_for_jobs_at_work(here):
    (here / "slow.py").write_text(
        STUCK.replace("def stay", "async def stay")
        .replace("threading.Event().wait()", "await asyncio.Event().wait()")
        .replace("import threading", "import asyncio")
    )
    (here / "slow.yaml").write_text(
        "workflow: slow\nphases: [{phase: one, jobs: [{job: hi, run: stay}]}]\n"
    )
    with serving(
        here, "slow.yaml", "slow:app", "--port", 0, "--json", OSTINATO_DRAIN="10m"
    ) as server:
        server.facts()
        assert command(here, "start", "slow").returncode == 0
        while not (here / "begun").exists():
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        while (here / "ostinato.db.url").exists():  # taken away as the stop begins
            time.sleep(0.01)
        code, _, err = server.end(signal.SIGTERM)
        assert code == 130
        assert "without waiting for jobs at work" in err


def test_a_thread_that_never_ends_does_not_hold_up_the_end(here):
    (here / "stuck.py").write_text(STUCK)
    (here / "stuck.yaml").write_text(
        "workflow: stuck\nphases: [{phase: one, jobs: [{job: hi, run: stay}]}]\n"
    )
    with serving(
        here, "stuck.yaml", "stuck:app", "--port", 0, "--json", OSTINATO_DRAIN="100ms"
    ) as server:
        server.facts()
        assert command(here, "start", "stuck").returncode == 0
        while not (here / "begun").exists():
            time.sleep(0.01)
        code, _, err = server.end()
    assert code == 0
    assert err.count("threads.left") == 1
    assert "ostinato-handler:stay" in err


def test_documents_directories_and_applications_together(here):
    with serving(here, "hello.yaml", "flows", "shop:app", "--port", 0, "--json") as server:
        server.facts()
        names = {each["name"] for each in json.loads(command(here, "workflows", "--json").stdout)}
        assert {"hello", "greeted"} <= names
        done = command(here, "start", "greeted", "--wait", "--timeout", "20s", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["output"] == {"hi": "Hello, Ada!"}


def test_flags_reach_an_application(here):
    store = here / "other.db"
    with serving(here, "shop.py", "--port", 0, "--store", f"sqlite:///{store}", "--json") as server:
        facts = server.facts()
        assert facts["data"] == str(store)
        assert store.exists()


def test_work_goes_on_after_a_kill(here):
    with serving(here, "hello.yaml", "--port", 0, "--json") as server:
        server.facts()
        run = json.loads(command(here, "start", "hello", "--wait", "--json").stdout)
        server.process.kill()
        server.process.wait()
    assert (here / "ostinato.db.url").exists()  # nobody could take it away
    done = command(here, "show", run["id"], "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "succeeded"
    with serving(here, "--port", 0, "--json") as server:
        server.facts()
        assert command(here, "start", "hello", "--wait").returncode == 0


# What is refused, with its mend


def refused(folder, *arguments, **environ):
    with serving(folder, *arguments, **environ) as server:
        code, out, err = server.ended()
    assert out == ""
    assert "Traceback" not in err
    return code, err


async def test_no_part_of_an_answer_waits_for_the_one_before_to_be_acknowledged():
    loop, accepted = asyncio.get_running_loop(), asyncio.Queue()

    class Connection(asyncio.Protocol):
        def connection_made(self, transport):
            accepted.put_nowait(transport)

    with _bound(Settings(port=0)) as listener:
        server = await loop.create_server(Connection, sock=listener)
        with socket.create_connection(listener.getsockname()):
            transport = await accepted.get()
            at_once = transport.get_extra_info("socket").getsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY
            )
            transport.close()
        server.close()
        await server.wait_closed()
    assert at_once


def test_a_port_in_use(here):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, err = refused(here, "hello.yaml", "--port", port)
    assert code == 1
    assert f"127.0.0.1:{port}" in err
    assert "--port 0" in err
    assert not (here / "ostinato.db").exists()  # nothing was begun


def test_a_second_server_on_the_same_file(here):
    with serving(here, "hello.yaml", "--port", 0, "--json") as server:
        facts = server.facts()
        code, err = refused(here, "hello.yaml", "--port", 0)
        assert code == 1
        assert str(server.process.pid) in err
        assert "--store sqlite:///" in err
        same_port = facts["address"].rpartition(":")[2]
        code, err = refused(here, "hello.yaml", "--port", same_port)
        assert code == 1
        assert facts["address"] in err
        assert get(facts["address"] + "/readyz") == 200
        assert (here / "ostinato.db.url").exists()


def test_a_store_where_nothing_can_be_written(here):
    code, err = refused(here, "--port", 0, "--store", "sqlite:////proc/ostinato.db")
    assert code == 1
    assert "/proc/ostinato.db" in err
    assert "--store sqlite:///" in err


def test_a_read_only_directory(here):
    here.chmod(0o555)
    try:
        code, err = without_powers(lambda: refused(here, "hello.yaml", "--port", 0))
    finally:
        here.chmod(0o755)
    assert code == 1
    assert "--store sqlite:///" in err


def test_a_broken_document_is_told_like_check_does(here):
    code, err = refused(here, "hello.yaml", "broken.yaml", "--port", 0)
    assert code == 1
    assert "broken.yaml:2:" in err
    assert not (here / "ostinato.db").exists()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nowhere.yaml", "no such file"),
        ("nowhere:app", "no module 'nowhere'"),
        ("shop:nothing", "has no 'nothing'"),
        ("shop:greet.__name__", "not an ostinato.App"),
        ("shop", "shop:app"),
    ],
)
def test_a_source_that_is_not_there(here, source, told):
    code, err = refused(here, source, "--port", 0)
    assert code == 2
    assert told in err


def test_an_application_that_cannot_be_imported(here):
    (here / "bad.py").write_text("1 / 0")
    code, err = refused(here, "bad:app", "--port", 0)
    assert code == 1
    assert "ZeroDivisionError" in err


def test_another_address_needs_a_key(here):
    code, err = refused(here, "hello.yaml", "--port", 0, "--host", "0.0.0.0")  # noqa: S104
    assert code == 2
    assert "OSTINATO_AUTH__KEYS_FILE" in err


def test_with_a_key_another_address_is_served(here):
    (here / "keys").write_text(SECRET)
    keys = {"OSTINATO_AUTH__KEYS_FILE": str(here / "keys")}
    with serving(here, "hello.yaml", "--port", 0, "--host", "0.0.0.0", "--json", **keys) as server:  # noqa: S104
        url = server.facts()["address"]
        assert get(url + "/healthz") == 200
        done = command(here, "workflows", "--json")
        assert done.returncode == 2
        assert "OSTINATO_KEY" in done.stderr
        done = command(here, "workflows", "--json", OSTINATO_KEY=SECRET)
        assert [each["name"] for each in json.loads(done.stdout)] == ["hello"]


def test_without_arguments_what_was_deployed_before_is_served(here):
    assert command(here, "deploy", "hello.yaml").returncode == 0
    with serving(here, "--port", 0, "--json") as server:
        server.facts()
        assert command(here, "start", "hello", "--wait").returncode == 0


def test_the_store_may_be_in_memory(here):
    with serving(here, "hello.yaml", "--port", 0, "--store", "memory:", "--json") as server:
        facts = server.facts()
        assert "memory" in facts["data"]
        done = command(here, "start", "hello", "--wait", OSTINATO_URL=facts["address"])
        assert done.returncode == 0, done.stderr
    assert not list(Path(here).glob("*.db*"))
