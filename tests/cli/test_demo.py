"""``ostinato demo`` as a user starts it, and its reckoning on records that are wrong."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from ostinato import App
from ostinato.cli import run
from ostinato.cli.demo.clock import Clock
from ostinato.cli.demo.orders import ORDERS
from ostinato.cli.demo.picture import Picture
from ostinato.cli.demo.record import Record, reckoning
from ostinato.cli.demo.screen import WIDTH, Screen
from ostinato.cli.demo.server import Server
from ostinato.cli.demo.story import Witness
from ostinato.cli.demo.tenants import builder

DEMO = [sys.executable, "-m", "ostinato", "demo", "--fast"]


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def pids(text):
    return {int(pid) for pid in re.findall(r"process (\d+)", text)}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    where = tmp_path_factory.mktemp("demo")
    done = subprocess.run(DEMO, cwd=where, capture_output=True, text=True, timeout=55)
    return where, done


@pytest.mark.real
class TestTheDemo:
    def test_every_expectation_holds(self, played):
        _, done = played
        assert done.returncode == 0, done.stdout + done.stderr
        assert "✗" not in done.stdout
        assert "All of it holds" in done.stdout

    @pytest.mark.parametrize(
        "line",
        [
            r"an order comes in: acme \(basic\) as CloudEvent",
            r"an order comes in: globex \(standard\) as EventBridge",
            r"an order comes in: umbrella \(premium\) as \{type, data\}",
            r"the event of umbrella comes again: no second run",
            r"globex +prepare/quota failed, to be tried again: QuotaServiceBusy: 503",
            r'acme +deploy skipped: input.planConfig.tier != "basic" is false',
            r"umbrella +build/build waits for the builder to call back",
            r"hooli +run failed: Unexpected: expected output.status == \"succeeded\"",
            r"in \d s process \d+ is killed with SIGKILL",
            r"dead for \d+\.\d s; nothing lost; [1-9]\d* jobs taken up again",
            r"recorded twice +0 +0 +✓",
            r"lost +0 +0 +✓",
            r"steps/s in the burst +[\d,]+",
        ],
    )
    def test_it_shows(self, played, line):
        assert re.search(line, played[1].stdout)

    def test_no_process_stays_behind(self, played):
        assert len(pids(played[1].stdout)) == 2
        assert all(map(gone, pids(played[1].stdout)))

    def test_the_commands_that_it_names_work(self, played):
        where, done = played
        commands = re.findall(r"^ (\S.* --store .*)$", done.stdout, re.MULTILINE)
        assert len(commands) == 3
        for command in commands:
            shown = subprocess.run(
                ["sh", "-c", command], cwd=where, capture_output=True, text=True, timeout=20
            )
            assert shown.returncode == 0, shown.stderr
            assert "hooli" in shown.stdout or "umbrella" in shown.stdout

    def test_the_data_stays(self, played):
        assert (played[0] / "ostinato-demo/demo.db").stat().st_size > 0


@pytest.mark.real
def test_a_broken_expectation_is_told_and_exits_1(tmp_path, monkeypatch, capsys):
    """With a builder that builds anything, nobody fails: that is not what was announced."""
    monkeypatch.setattr(builder, "SIZES", ("M", "XXL"))
    assert run(["demo", "--fast", "--data", str(tmp_path / "d")]) == 1
    told = capsys.readouterr().out
    assert re.search(r"failed, then on_failure +0 +1 +✗ NOT SO", told)
    assert "fault of ours" in told


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_server_too(tmp_path, number):
    with subprocess.Popen(
        DEMO, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        line = next(line for line in process.stdout or () if "is killed with SIGKILL" in line)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert all(map(gone, pids(line)))


def test_a_server_that_does_not_start_is_quoted(tmp_path, monkeypatch, capsys):
    broken = [sys.executable, "-c", "raise SystemExit('no room here')"]
    monkeypatch.setattr(Server, "_arguments", lambda self: broken)
    assert run(["demo", "--data", str(tmp_path / "d")]) == 1
    assert "the server did not start: no room here" in capsys.readouterr().err


async def test_a_folder_where_a_server_is_at_work_is_left_alone(tmp_path):
    async with App(store=f"sqlite:///{tmp_path}/demo.db"):
        done = await asyncio.to_thread(
            subprocess.run, [*DEMO, "--data", str(tmp_path)], capture_output=True, text=True
        )
    assert done.returncode == 1
    assert "a server is at work there" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["demo", "--data", str(tmp_path / "file")]) == 1
    assert "take another place: ostinato demo --data DIR" in capsys.readouterr().err


# the reckoning


def told():
    return Witness(accepted={"order-acme": ["r1"]}, duplicate=True, seen={"r1": {(0, "job.ready")}})


def fact(seq, kind, key="p/j"):
    return {"seq": seq, "at": seq, "type": kind, "key": key}


RIGHT = Record(
    events={"order-acme": ("TENANT_PROVISIONING", ["r1"])},
    runs={"r1": "succeeded"},
    workflows={"r1": "tenant-provisioning"},
    histories={"r1": [fact(0, "job.ready"), fact(1, "job.succeeded")]},
)


def found(record, what):
    return next(line.found for line in reckoning(record, told()) if line.what == what)


def test_a_right_record_has_nothing_lost_and_nothing_twice():
    assert (found(RIGHT, "lost"), found(RIGHT, "recorded twice")) == (0, 0)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"events": {}}, "lost"),
        ({"runs": {"r1": "running"}}, "lost"),
        ({"histories": {"r1": [fact(0, "job.ready")]}}, "lost"),
        ({"histories": {"r1": [fact(1, "job.succeeded")]}}, "lost"),
        (
            {"histories": {"r1": [*RIGHT.histories["r1"], fact(2, "job.failed")]}},
            "recorded twice",
        ),
        (
            {"events": {**RIGHT.events, "other": ("TENANT_PROVISIONING", ["r1"])}},
            "recorded twice",
        ),
    ],
)
def test_a_wrong_record_is_seen(wrong, what):
    assert found(replace(RIGHT, **wrong), what) == 1


# the screen


def test_the_screen_fits_80_columns_and_24_lines():
    pictures = [Picture(order, note="x" * 100) for order in ORDERS]
    screen = Screen(pictures, Clock())
    screen.server = "process 1234567 at http://127.0.0.1:65535"
    for picture in pictures:
        picture.jobs["on_failure/tell-failed"] = "succeeded"
        for seq in range(5):
            screen.fact(picture, fact(seq, "job.succeeded", "k" * 100))
    lines = screen.drawn().split("\n")
    assert len(lines) <= 22
    assert max(line.cell_len for line in lines) <= WIDTH < 80
