"""`ostinato bench`: what it prints has the members that others read. How fast is not tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato.cli import run
from ostinato.cli.peers import PEERS
from ostinato.cli.workloads import WORKLOADS, Scale

ROOT = Path(__file__).resolve().parent.parent
FIGURES = {
    "W1": {"steps_per_second", "cpu_us_per_step", "commits"},
    "W3": {"p50_ms", "p95_ms", "p99_ms"},
    "W4": {"runs_per_second", "cpu_us_per_run", "commits", "accepted_per_second"},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def bench(capsys, *arguments):
    code = run(["bench", "--rounds", "1", "--quick", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_w1_as_data(capsys, tmp_path):
    code, out, _ = bench(capsys, "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["rounds"] == 1
    assert answer["machine"]["cpus"] >= 1
    w1 = answer["W1"]
    assert (w1["unit"], w1["ratio"]) == ("steps/s", None)
    assert w1["range"]["ostinato_sqlite"] == [w1["ostinato_sqlite"]] * 2
    assert w1["figures"]["ostinato_sqlite"]["steps_per_second"] == w1["ostinato_sqlite"] > 0
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_there(capsys, name):
    code, out, _ = bench(capsys, "--json", name)
    assert code == 0
    figures = json.loads(out)[name]["figures"]["ostinato_sqlite"]
    assert set(figures) == FIGURES[name]
    assert all(value > 0 for value in figures.values())


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
    assert "--hash=" in (ROOT / peer.pins).read_text()
    assert set(peer.sizes) <= set(WORKLOADS)


def test_a_ratio_is_taken_within_each_round():
    from ostinato.cli.bench import _summary

    ours = [{"steps_per_second": value} for value in (100.0, 300.0, 200.0)]
    theirs = [{"steps_per_second": value} for value in (10.0, 10.0, 10.0)]
    assert _summary("W1", {"ostinato_sqlite": ours, "dbos_sqlite": theirs})["ratio"] == 20
    ours, theirs = [{"p50_ms": 2.0}], [{"p50_ms": 8.0}]
    assert _summary("W3", {"ostinato_sqlite": ours, "dbos_sqlite": theirs})["ratio"] == 4


def test_quick_is_less_of_the_same():
    assert Scale().quick.runs < Scale().runs


@pytest.mark.real
def test_as_a_command(tmp_path):
    command = [sys.executable, "-c", "from ostinato.cli import main; main()"]
    command += ["bench", "--rounds", "1", "--quick", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["W1"]["ostinato_sqlite"] > 0
