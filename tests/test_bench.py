"""`ostinato bench`: what it prints has the members that others read. How fast is not tested."""

import base64
import contextlib
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg
import pytest

from ostinato.app.wiring import server_process
from ostinato.cli import run
from ostinato.cli.bench.binary import Binary
from ostinato.cli.bench.crowd import KINDS
from ostinato.cli.bench.environment import Unobtainable
from ostinato.cli.bench.fleet import until_ready
from ostinato.cli.bench.load import Caller, Refused, answer_in, request
from ostinato.cli.bench.meter import family_cpu
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
    waiting=150, idle=0.1, patterns=20, items=20, alarms=2, found=3, busy=60, brisk=60, fleet=1,
    quiet=0.1,
)  # fmt: skip

COSTS = {"commits_per_run", "peak_mib", "sync_ms"}
STEPS = {"steps_per_second", "cpu_us_per_step"} | COSTS
RANKS = {"p50_ms", "p95_ms", "p99_ms"}
RUNS = {"runs_per_second", "cpu_us_per_run"} | COSTS
ACCEPTED = {"accepted_per_second", "server_cpu_us_per_run"} | RUNS | RANKS
SPAN = {"makespan_ms", "max_ms", "cpu_us_per_step"} | COSTS
FLEET = {"times_one", *STEPS, *(f"{name}_of_one" for name in STEPS - {"peak_mib", "sync_ms"})}
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
    "W5-worker": SPAN,
    "W5-worker-1": SPAN,
    "fleet-busy": FLEET,
    "fleet-noop": FLEET,
    "idle": {
        "queries_per_second",
        "lease_queries_per_second",
        "queries_per_second_with_workers",
        "queries_per_second_a_worker",
        "cpu_ms_per_s",
        "peak_mib",
        "sync_ms",
    },
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
@pytest.mark.parametrize("name", [name for name in FIGURES if not WORKLOADS[name].server])
def test_a_round(name, tmp_path):
    figures = measure(name, TINY, tmp_path)
    assert set(figures) == FIGURES[name]
    assert all(value > 0 for key, value in figures.items() if not key.startswith(("idle", "kib")))
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


ON_SERVER = ["W1", "W2", *(name for name, each in WORKLOADS.items() if each.server)]


@pytest.mark.real
@pytest.mark.parametrize("name", ON_SERVER)
def test_a_round_on_a_database_server(name, tmp_path, new_database):
    figures = measure(name, TINY, tmp_path, new_database())
    assert set(figures) == FIGURES[name]
    assert list(tmp_path.iterdir()) == []


class Standing:
    """A server that is ready at the look with this number."""

    def __init__(self, at):
        self.looks = at

    def ready(self):
        self.looks -= 1
        return self.looks < 0


def test_servers_that_stand_by_are_not_measured():
    """Those that take no work would be sent a share of it."""
    until_ready([Standing(0), Standing(2)], 60)
    with pytest.raises(RuntimeError, match="1 of 2 servers stand by"):
        until_ready([Standing(0), Standing(2)], 0)


@pytest.mark.real
def test_the_cpu_of_a_database_server_counts_with_its_connections(new_database):
    url = new_database()
    server = server_process(url)
    assert server is not None
    before = family_cpu(server)
    with psycopg.connect(url) as db:
        db.execute("SELECT count(*) FROM generate_series(1, 300000)")
        during = family_cpu(server)
        assert during > before
    assert family_cpu(server) >= before


def test_what_is_about_a_database_server_needs_one(capsys):
    code, _, err = bench(capsys, "idle")
    assert code == 2
    assert "--store postgresql://" in err


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
    assert all(name in err for name in PEERS)


def test_a_peer_needs_a_checkout(capsys):
    code, _, err = bench(capsys, "--peer", "dbos")
    assert code == 2
    assert "make bench" in err


def test_a_peer_that_measures_a_database_needs_one(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    code, _, err = bench(capsys, "--peer", "pgbench")
    assert code == 2
    assert "--store" in err


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_a_peer_is_in_the_checkout(peer):
    assert (ROOT / peer.script).is_file()
    if peer.pinned:
        assert "--hash=" in (ROOT / peer.environment.pins).read_text()
    assert set(peer.sizes) <= set(WORKLOADS)
    script = (ROOT / peer.script).read_text()
    assert all(f'"{name}":' in script for name in peer.sizes) or len(peer.sizes) == 1


def test_a_program_that_is_not_the_pinned_one_is_not_run(tmp_path, monkeypatch):
    """npm hands out something; its digest is another."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho other > $4/package.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program = Binary(ROOT / "benchmarks/peers/restate-server.json", tmp_path / "made")
    with pytest.raises(Unobtainable, match="another one than was pinned"):
        program.make()
    assert not program.program.exists()


def test_a_program_comes_out_of_its_package(tmp_path, monkeypatch):
    packed = tmp_path / "made.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        (tmp_path / "tool").write_text("#!/bin/sh\necho 1.2.3\n")
        archive.add(tmp_path / "tool", "package/bin/tool")
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\ncp {packed} $4/package.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    pin = {"package": "p", "version": "1", "sha512": digest, "program": "package/bin/tool"}
    (pins := tmp_path / "pins.json").write_text(
        json.dumps({f"{sys.platform}-{platform.machine()}": pin})
    )
    made = Binary(pins, tmp_path / "there")
    made.make()
    npm.unlink()
    made.make()  # it is there
    said = subprocess.run([made.program], capture_output=True, text=True, check=True)
    assert said.stdout == "1.2.3\n"


def test_no_program_where_none_is_pinned(tmp_path):
    (pins := tmp_path / "pins.json").write_text("{}")
    with pytest.raises(Unobtainable, match="no program is pinned for"):
        Binary(pins, tmp_path / "there").make()


def test_a_ratio_is_taken_within_each_round():
    ours = [{"steps_per_second": value} for value in (100.0, 300.0, 200.0)]
    theirs = [{"steps_per_second": value} for value in (10.0, 10.0, 10.0)]
    rounds = {"ostinato_sqlite": ours, "dbos_sqlite": theirs, "restate": theirs[:2] + ours[:1]}
    assert summary(WORKLOADS["W1"], rounds)["ratio"] == 20
    assert summary(WORKLOADS["W1"], rounds)["ratios"] == {"dbos_sqlite": 20, "restate": 10}
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
