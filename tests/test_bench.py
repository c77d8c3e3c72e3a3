"""`ostinato bench`: what it prints has the members that others read. How fast is not tested."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.cli import run
from ostinato.cli.bench.crowd import KINDS
from ostinato.cli.bench.load import Caller, Refused, answer_in, request
from ostinato.cli.bench.peers import PEERS
from ostinato.cli.bench.rounds import measure
from ostinato.cli.bench.scale import Scale
from ostinato.cli.bench.server import serving
from ostinato.cli.bench.summary import summary
from ostinato.cli.bench.workloads import WORKLOADS
from ostinato.cli.failure import Stop

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-c", "from ostinato.cli import main; main()", "bench", "--rounds", "1"]

TINY = Scale(
    runs=3, waits=4, crowd=5, fans=2, calls=3, starts=150, flows=2, heavy=1, long=1, ended=10,
    waiting=150, idle=0.1, patterns=20, items=20, alarms=2, found=3,
)  # fmt: skip

COSTS = {"commits_per_run", "peak_mib", "sync_ms"}
STEPS = {"steps_per_second", "cpu_us_per_step"} | COSTS
RANKS = {"p50_ms", "p95_ms", "p99_ms"}
RUNS = {"runs_per_second", "cpu_us_per_run"} | COSTS
ACCEPTED = {"accepted_per_second", "server_cpu_us_per_run"} | RUNS | RANKS
SPAN = {"makespan_ms", "max_ms", "cpu_us_per_step"} | COSTS
FIGURES = {
    "W1": STEPS,
    "W1b-50": STEPS,
    "W1b-600": STEPS,
    "W1b-2000": STEPS,
    "W2": {"p50_ms", "max_ms"} | STEPS,
    "W3": {"cpu_us_per_run"} | RANKS | COSTS,
    "W3-http": {"cpu_us_per_run"} | RANKS | COSTS,
    "W4": {"accepted_per_second"} | RUNS,
    "W4-http": ACCEPTED,
    "W4-http-100": ACCEPTED,
    "W5-light": SPAN,
    "W5-heavy": {"times_bare_cpu", "times_bare"} | SPAN - {"max_ms"},
    "length": {"times_step_10", "cpu_us_step_10", "cpu_us_step_1000", "cpu_us_per_step"} | COSTS,
    "memory": {"times_half", "tenth_mib", "half_mib", "last_mib"} | RUNS,
    "waiting": {
        "start_s",
        "start_empty_s",
        "idle_cpu_ms_per_s",
        "idle_cpu_empty_ms_per_s",
        "peak_mib",
        "waiting_runs",
        "sync_ms",
    },
    "items": {
        "times_early",
        "cpu_us_early",
        "cpu_us_late",
        "cpu_us_per_item",
        "kib_first",
        "kib_second",
    }
    | COSTS,
    "timers": {"max_ms", "cpu_us_per_run"} | RANKS | COSTS,
    "found": {"max_ms", "cpu_us_per_event"} | RANKS | COSTS,
    "patterns": {"times_few", "peak_mib", "sync_ms"}
    | {f"cpu_us_{kind}_of_{many}" for kind in KINDS for many in ("few", "many")},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def bench(capsys, *arguments):
    code = run(["bench", "--rounds", "1", "--quick", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_every_workload_says_what_it_gives():
    assert set(FIGURES) == set(WORKLOADS)


@pytest.mark.real
@pytest.mark.parametrize("name", FIGURES)
def test_a_round(name, tmp_path):
    figures = measure(name, TINY, tmp_path)
    assert set(figures) == FIGURES[name]
    assert all(value > 0 for key, value in figures.items() if not key.startswith(("idle", "kib")))
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


@pytest.mark.real
def test_steps_of_one_run_after_the_other_are_a_commit_each(tmp_path):
    assert measure("W5-light", TINY, tmp_path)["commits_per_run"] == 41


@pytest.mark.real
def test_a_round_that_fails_says_why(tmp_path):
    with pytest.raises(Stop, match="NoSuch"):
        measure("NoSuch", TINY, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_as_data(capsys, tmp_path):
    code, out, _ = bench(capsys, "--json", "W1", "W3")
    assert code == 0
    answer = json.loads(out.splitlines()[-1])
    assert answer["rounds"] == 1
    assert answer["machine"]["cpus"] >= 1
    w1 = answer["W1"]
    assert (w1["unit"], w1["ratio"]) == ("steps/s", None)
    assert w1["range"]["ostinato_sqlite"] == [w1["ostinato_sqlite"]] * 2
    assert w1["figures"]["ostinato_sqlite"]["steps_per_second"] == w1["ostinato_sqlite"] > 0
    assert w1["each"]["ostinato_sqlite"] == [w1["figures"]["ostinato_sqlite"]]
    assert answer["W3"]["ostinato_sqlite"] == answer["W3"]["figures"]["ostinato_sqlite"]["p50_ms"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_for_people(capsys):
    code, out, err = bench(capsys)
    assert code == 0
    assert out.startswith("W1: 50 runs of 10 no-op steps")
    assert "ostinato_sqlite" in out
    assert "W1 round 1 of 1" in err


def test_an_unknown_workload_names_those_there_are(capsys):
    code, _, err = bench(capsys, "W9")
    assert code == 2
    assert all(name in err for name in WORKLOADS)


def test_the_help_names_every_workload(capsys):
    _, out, _ = bench(capsys, "--help")
    assert set(WORKLOADS) <= set(out.replace(",", " ").replace(":", " ").replace(".", " ").split())


def test_an_unknown_peer_names_those_there_are(capsys):
    code, _, err = bench(capsys, "--peer", "celery")
    assert code == 2
    assert "dbos" in err


def test_a_peer_needs_a_checkout(capsys):
    code, _, err = bench(capsys, "--peer", "dbos")
    assert code == 2
    assert "make bench" in err


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_a_peer_is_in_the_checkout(peer):
    assert (ROOT / peer.script).is_file()
    assert "--hash=" in (ROOT / peer.environment.pins).read_text()
    assert set(peer.sizes) <= set(WORKLOADS)
    assert all(f'"{name}":' in (ROOT / peer.script).read_text() for name in peer.sizes)


def test_a_ratio_is_taken_within_each_round():
    ours = [{"steps_per_second": value} for value in (100.0, 300.0, 200.0)]
    theirs = [{"steps_per_second": value} for value in (10.0, 10.0, 10.0)]
    rounds = {"ostinato_sqlite": ours, "dbos_sqlite": theirs}
    assert summary(WORKLOADS["W1"], rounds)["ratio"] == 20
    rounds = {"ostinato_sqlite": [{"p50_ms": 2.0}], "dbos_sqlite": [{"p50_ms": 8.0}]}
    assert summary(WORKLOADS["W3"], rounds)["ratio"] == 4  # times faster


def test_quick_is_less_of_the_same():
    assert Scale().quick.runs < Scale().runs
    assert Scale().quick.crowd >= 2_000  # and as many at once


# -- the sender of a load


def test_an_answer_is_found_whole_or_not_at_all():
    whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
    assert [answer_in(bytearray(whole[:size])) for size in range(len(whole))] == [None] * len(whole)
    assert answer_in(bytearray(whole + b"HTTP")) == (202, b"{}", len(whole))
    assert answer_in(bytearray(b"HTTP/1.1 204 No Content\r\n\r\n")) == (204, b"", 27)


@pytest.mark.real
def test_an_answer_that_was_not_wanted_is_told(tmp_path):
    (documents := tmp_path / "documents").mkdir()
    (documents / "hello.yaml").write_text(
        "workflow: hello\nphases: [{phase: one, jobs: [{job: hi, run: noop}]}]\n"
    )
    with serving(tmp_path, documents, []) as server, contextlib.closing(Caller(server)) as caller:
        with pytest.raises(Refused, match="422 instead of 202"):
            caller.call(request("/events", b'{"data": 1}'), 202)
        assert server.count("succeeded") == 0
    assert server.process.returncode == 0


# -- an end before the end


@pytest.mark.real
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("name", ["W1", "W4-http"])
def test_an_interrupted_bench_leaves_nothing(name, number, code, tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "--rounds", "1000", name],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        while not list(tmp_path.glob(".ostinato-bench-*/bench.db")):
            assert process.poll() is None
        assert others(tmp_path)
        process.send_signal(number)
        process.communicate()
    assert process.returncode == code
    assert list(tmp_path.iterdir()) == []
    assert others(tmp_path) == []


def others(place):
    """Processes that were told this place."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.fsencode(place) in (each / "cmdline").read_bytes():
                found.append(each.name)
    return found
