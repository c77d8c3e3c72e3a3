"""Without a server: lists work, what is given is stored, and a later server does it."""

import json

import pytest

from ostinato.app import App
from ostinato.cli import local
from ostinato.config import Settings
from tests.cli.live import command, serving

HELLO = (
    "workflow: hello\non: [{event: hello}]\nphases: [{phase: one, jobs: [{job: hi, run: echo}]}]\n"
)
STORED = "stored; nothing is running yet: ostinato serve\n"


@pytest.fixture
def deployed(tmp_path, ostinato):
    (tmp_path / "hello.yaml").write_text(HELLO)
    assert ostinato("deploy", "hello.yaml").out == "hello v1\n"
    return ostinato


@pytest.mark.parametrize(
    "arguments",
    [["runs"], ["events"], ["workflows"], ["show", "last"], ["start", "hello"], ["graph", "hello"]],
    ids=" ".join,
)
def test_where_there_is_no_store_none_is_made(ostinato, tmp_path, arguments):
    done = ostinato(*arguments)
    assert done.code == 3
    assert "there is no store here yet" in done.err
    assert list(tmp_path.iterdir()) == []


def test_lists_work(deployed):
    assert json.loads(deployed("workflows", "--json").out)[0]["name"] == "hello"
    assert json.loads(deployed("runs", "--json").out) == []
    assert deployed("runs").err == "no runs\n"
    assert "hi  [echo]" in deployed("graph", "hello").out
    assert deployed("show", "last").code == 2


def test_what_is_started_is_stored_and_done_later(deployed, tmp_path):
    done = deployed("start", "hello", "--input", '{"n": 1}', "--uid", "u-1")
    assert done.code == 0
    assert done.out.endswith(STORED)
    assert deployed("emit", "hello").out.endswith(STORED)
    runs = json.loads(deployed("runs", "--json").out)
    assert len(runs) == 2
    assert all(run["status"] not in ("succeeded", "failed") for run in runs)
    assert "ostinato serve" in deployed("show", "u-1").err
    assert len(json.loads(deployed("events", "--json").out)) == 1
    with serving(tmp_path, "--port", 0, "--json") as server:
        server.facts()
        for run in runs:
            assert command(tmp_path, "watch", run["id"], "--timeout", "20s").returncode == 0


def test_nobody_waits_for_what_nobody_does(deployed):
    done = deployed("start", "hello", "--wait")
    assert (done.code, done.out.endswith(STORED)) == (4, True)
    assert deployed("watch", "last").code == 4


def test_a_run_can_be_cancelled(deployed):
    deployed("start", "hello", "--uid", "u-1")
    assert deployed("cancel", "u-1").code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["start", "nobody"], 2),
        (["show", "nobody"], 2),
        (["cancel", "nobody"], 2),
        (["graph", "nobody"], 2),
        (["start", "hello", "--input", "[]"], 2),
    ],
)
def test_wrong_use_is_exit_2(deployed, arguments, code):
    done = deployed(*arguments)
    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err


def test_an_address_that_nobody_answers_is_not_believed(deployed, tmp_path):
    (tmp_path / "ostinato.db.url").write_text("http://127.0.0.1:9\n")
    assert deployed("runs").code == 0


def test_a_store_that_is_held_without_an_address_is_exit_3(deployed, tmp_path):
    with serving(tmp_path, "--port", 0, "--json") as server:
        server.facts()
        (tmp_path / "ostinato.db.url").unlink()
        done = deployed("runs")
        assert done.code == 3
        assert str(server.process.pid) in done.err
        assert "OSTINATO_URL" in done.err


def test_a_run_is_mended_in_a_store_without_a_server(deployed):
    deployed("start", "hello")
    assert "is paused" in deployed("pause", "last", "--why", "lunch").out
    assert "lets it go on" in deployed("show", "last").out
    assert deployed("pause", "last").code == 1
    assert "is no longer paused" in deployed("resume", "last").out
    done = deployed("skip", "last", "one/hi", "--output", '{"x": 1}', "--json")
    assert json.loads(done.out)["output"] == {"hi": {"x": 1}}
    assert deployed("retry", "last").code == 1
    forked = deployed("fork", "last", "one/hi", "--json")
    assert json.loads(forked.out)["forkedFrom"]
    assert deployed("signal", "last", "GO").code == 1
    assert deployed("skip", "last", "one/hi", "--output", "{").code == 2


WAITS = (
    "workflow: bill\nphases: [{phase: one, jobs: [{job: paid, "
    "wait: {event: PAID, match: {data: {id: ['${ input.id }']}}}}]}]\n"
)


def test_what_is_stuck_is_told_with_what_would_continue_it(ostinato, tmp_path):
    (tmp_path / "bill.yaml").write_text(WAITS)
    ostinato("deploy", "bill.yaml")
    assert ostinato("stuck").err == "nothing is stuck\n"
    with serving(tmp_path, "--port", 0, "--json") as server:
        server.facts()
        done = command(tmp_path, "start", "bill", "--input", '{"id": "a"}', "--uid", "u-1")
        assert done.returncode == 0
        told = command(tmp_path, "stuck").stdout
    assert "bill: 1 run waiting for event since" in told
    assert "(u-1)" in told
    assert '`ostinato emit PAID --data \'{"id": "a"}\'` would continue it' in told
    assert "doubtful: paid: nobody has sent PAID in the last 30 days" in told.replace("one/", "")
    assert ostinato("stuck", "--since", "soon").code == 2


async def test_a_history_is_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "FACTS", 2)
    settings = Settings(store=f"sqlite:///{tmp_path}/s.db")
    async with App(settings) as app:
        await app.deploy(HELLO)
        run = await app.start("hello")
        await run.result(20)
        facts = await app.history(run.id)
    async with local.opened(settings) as client:
        told = await client.history(run.id)
    assert [fact["seq"] for fact in told] == [fact["seq"] for fact in facts]
    assert len(told) > 4
