"""Commands that talk to a running server: what they show, and how they end."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

from tests.cli.live import COMMAND, PATIENCE, command, serving

pytestmark = pytest.mark.real

FLOWS = """\
workflow: hello
description: Says hello.
on: [{event: hello, input: event.data}]
input_schema: {type: object, properties: {name: {type: string}}}
phases: [{phase: one, jobs: [{job: hi, run: echo, with: {name: "${ input.name }"}}]}]
---
workflow: broken
phases: [{phase: one, jobs: [{job: no, run: fail, with: {message: "out of paper"}}]}]
---
workflow: paid
phases:
  - phase: one
    jobs:
      - job: settled
        wait: {event: PAYMENT_SETTLED, match: {data: {id: ["${ input.id }"]}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    (folder / "flows.yaml").write_text(FLOWS)
    with serving(folder, "flows.yaml", "--port", 0, "--json") as server:
        server.facts()
        yield folder


@pytest.fixture
def live(folder):
    def live(*arguments, **environ):
        return command(folder, *arguments, **environ)

    return live


def data(done):
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_start_tells_the_run_and_how_to_follow_it(live):
    done = live("start", "hello", "--input", '{"name": "Ada"}')
    assert done.returncode == 0
    assert re.match(r"run \w+ of hello started\n", done.stdout)


def test_start_and_wait_ends_as_the_run_does(live):
    done = live("start", "hello", "--input", '{"name": "Ada"}', "--wait")
    assert done.returncode == 0
    assert '{"hi": {"name": "Ada"}}' in done.stdout
    done = live("start", "broken", "--wait")
    assert done.returncode == 1
    assert "out of paper" in done.stdout
    done = live("start", "paid", "--input", '{"id": "p-0"}', "--timeout", "100ms")
    assert done.returncode == 4
    assert '`ostinato emit PAYMENT_SETTLED --data \'{"id": "p-0"}\'`' in done.stdout


def test_a_uid_makes_one_open_run(live):
    start = ("start", "paid", "--input", '{"id": "p-1"}', "--uid", "u-1", "--json")
    first, second = data(live(*start)), data(live(*start))
    assert first["id"] == second["id"]
    assert second["duplicate"] is True
    assert "was there already" in live(*start[:-1]).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["start", "nobody"], "nobody"),
        (["start", "hello", "--input", "{"], "line 1 column 2"),
        (["start", "hello", "--input", '{"name": 3}'], "name"),
        (["start", "hello", "--input", "[]"], ""),
        (["start", "hello", "--timeout", "soon"], "--timeout"),
        (["show", "nobody"], "there is no run 'nobody'"),
        (["watch", "nobody"], "there is no run 'nobody'"),
        (["cancel", "nobody"], "there is no run 'nobody'"),
        (["graph", "nobody"], "nobody"),
        (["runs", "--status", "sleepy"], "sleepy"),
        (["runs", "--limit", "0"], "limit"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(live, arguments, told):
    done = live(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_emit_tells_the_runs_and_knows_a_duplicate(live):
    done = live("emit", "hello", "--data", '{"name": "Bob"}', "--id", "e-1")
    assert done.returncode == 0
    (run,) = re.findall(r"^run (\w+)$", done.stdout, re.MULTILINE)
    again = data(live("emit", "hello", "--data", '{"name": "Bob"}', "--id", "e-1", "--json"))
    assert (again["duplicate"], again["runs"]) == (True, [run])


def test_an_event_that_fits_no_schema_is_a_dead_letter(live):
    done = live("emit", "hello", "--data", '{"name": 3}')
    assert done.returncode == 0
    assert "dead letter" in done.stderr


def test_lists_are_tables_and_data(live):
    live("emit", "LISTED", "--data", '{"a": 1}')
    live("start", "hello", "--wait")
    runs = data(live("runs", "--json", "--workflow", "hello", "--limit", "1"))
    assert [run["workflow"] for run in runs] == ["hello"]
    assert live("runs").stdout.split()[:3] == ["id", "workflow", "status"]
    assert data(live("events", "--type", "LISTED", "--json"))[0]["data"] == {"a": 1}
    assert "LISTED" in live("events").stdout
    names = {each["name"] for each in data(live("workflows", "--json"))}
    assert names == {"hello", "broken", "paid"}
    assert "Says hello." in live("workflows").stdout


def test_show_says_why_a_run_waits_and_what_would_continue_it(live):
    run = data(live("start", "paid", "--input", '{"id": "p-2"}', "--uid", "u-2", "--json"))
    name = run["id"]
    assert live("show", "u-2", "--json").returncode == 0
    assert data(live("show", name[:-1], "--json"))["id"] == name
    live("start", "hello", "--wait", "--timeout", "20s")
    shown = live("show", name).stdout
    assert "waiting for PAYMENT_SETTLED since" in shown
    mend = r"`ostinato (emit \S+) --data '(.*)'` would continue it"
    ((emit, fitting),) = re.findall(mend, shown)
    live(*emit.split(), "--data", fitting)
    assert live("watch", name, "--timeout", "20s").returncode == 0
    history = data(live("show", name, "--history", "--json"))
    assert history[-1]["type"] == "run.succeeded"
    assert [fact["seq"] for fact in history] == list(range(len(history)))


def test_watch_follows_to_the_end(live):
    run = data(live("start", "broken", "--json"))
    done = live("watch", run["id"])
    assert done.returncode == 1
    assert "run.failed" in done.stdout
    done = live("watch", run["id"], "--json")
    assert json.loads(done.stdout.splitlines()[0])["seq"] == 0
    assert done.returncode == 1


def test_watch_ends_at_its_timeout_with_4(live):
    run = data(live("start", "paid", "--input", '{"id": "p-3"}', "--json"))
    assert live("watch", run["id"], "--timeout", "100ms").returncode == 4


def test_ctrl_c_leaves_the_run_running(live, folder):
    run = data(live("start", "paid", "--input", '{"id": "p-4"}', "--json"))
    process = subprocess.Popen(
        [*COMMAND, "watch", run["id"]],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert "run.started" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "the run goes on" in err
    assert data(live("show", run["id"], "--json"))["status"] == "waiting"


def test_cancel(live):
    run = data(live("start", "paid", "--input", '{"id": "p-5"}', "--json"))
    assert live("cancel", run["id"], "--why", "no longer wanted").returncode == 0
    assert live("watch", run["id"]).returncode == 1
    assert data(live("show", run["id"], "--json"))["status"] == "cancelled"
    done = live("cancel", run["id"])
    assert done.returncode == 1
    assert "already" in done.stderr


def test_deploy_gives_a_new_version_only_for_new_content(live, tmp_path):
    path = tmp_path / "more.yaml"
    path.write_text("workflow: more\nphases: [{phase: one, jobs: [{job: a, run: noop}]}]\n")
    assert live("deploy", path).stdout == "more v1\n"
    assert live("deploy", path).stdout == "more v1\n"
    path.write_text("workflow: more\nphases: [{phase: one, jobs: [{job: b, run: noop}]}]\n")
    assert data(live("deploy", path, "--json"))[0]["version"] == 2
    assert "b  [noop]" in live("graph", "more").stdout
    live("emit", "cleanup")


def test_deploy_of_several_is_all_or_none(live, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "workflow: first\nphases: [{phase: one, jobs: [{job: a, run: noop}]}]\n"
    )
    (tmp_path / "b.yaml").write_text("workflow: second\n")
    done = live("deploy", tmp_path)
    assert done.returncode == 1
    assert "b.yaml" in done.stderr
    assert "first" not in live("workflows").stdout
    (tmp_path / "b.yaml").unlink()
    (tmp_path / "c.json").write_text(
        '{"workflow": "third", "phases": [{"phase": "one", "jobs": [{"job": "a", "run": "noop"}]}]}'
    )
    assert live("deploy", tmp_path).stdout == "first v1\nthird v1\n"


def test_a_server_that_is_not_there_is_exit_3(live):
    done = live("runs", "--url", "http://127.0.0.1:9")
    assert done.returncode == 3
    assert "http://127.0.0.1:9" in done.stderr
    assert "--url" in done.stderr


# On a terminal


def on_terminal(folder, *arguments, **environ):
    """What a terminal of 80 columns is shown, and the exit code."""
    main, end = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    env |= {"COLUMNS": "80", "TERM": "xterm-256color", **environ}
    process = subprocess.Popen([*COMMAND, *arguments], cwd=folder, stdout=end, stderr=end, env=env)
    os.close(end)
    shown = b""
    while True:
        try:
            read = os.read(main, 4096)
        except OSError:  # how a terminal says that its last writer has gone
            break
        if not read:
            break
        shown += read
    os.close(main)
    return shown.decode(), process.wait(timeout=PATIENCE)


ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.mark.parametrize("arguments", [["runs"], ["events"], ["workflows"], ["show", "last"]])
def test_a_terminal_gets_colours_within_80_columns(folder, live, arguments):
    live("start", "paid", "--input", '{"id": "p-6"}', "--uid", "a-long-name-of-some-customer")
    shown, code = on_terminal(folder, *arguments)
    assert code == 0
    assert "\x1b[1m" in shown
    lines = ESCAPE.sub("", shown).splitlines()
    assert max(map(len, lines)) <= 80
    plain, _ = on_terminal(folder, *arguments, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain)


def test_a_terminal_gets_whole_ids(folder, live):
    run = data(live("start", "hello", "--json"))
    assert run["id"] in on_terminal(folder, "runs")[0]


def test_watch_redraws_on_a_terminal(folder, live):
    run = data(live("start", "hello", "--wait", "--json"))
    shown, code = on_terminal(folder, "watch", run["id"])
    assert code == 0
    assert "succeeded" in shown
