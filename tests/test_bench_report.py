"""The page that `make bench` writes, from a recorded answer."""

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest

from benchmarks import report, targets
from ostinato.cli.bench.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
MADE = ROOT / "docs/benchmarks"


def engine(*firsts, name="steps_per_second", **more):
    return [{name: value, "peak_mib": 60.0, "sync_ms": 0.2, **more} for value in firsts]


def workload(unit, ratio, **rounds):
    """As `ostinato bench --json` prints it, for an odd number of rounds."""
    middle = {
        who: sorted(each, key=lambda one: next(iter(one.values()))) for who, each in rounds.items()
    }
    figures = {who: each[len(each) // 2] for who, each in middle.items()}
    first = {who: [next(iter(one.values())) for one in each] for who, each in middle.items()}
    return {
        "about": "so many runs",
        "unit": unit,
        **{who: next(iter(one.values())) for who, one in figures.items()},
        "ratio": ratio,
        "range": {who: [each[0], each[-1]] for who, each in first.items()},
        "figures": figures,
        "each": rounds,
    }


ANSWER = {
    "W1": workload(
        "steps/s",
        101.0,
        ostinato_sqlite=engine(30_000.0, 20_000.0, 25_000.0, cpu_us_per_step=30.0),
        dbos_sqlite=engine(200.0, 300.0, 250.0, cpu_us_per_step=3_000.0),
    ),
    "W3-http": workload(
        "ms p50", None, ostinato_sqlite=engine(2.75, name="p50_ms", p99_ms=5.5, commits_per_run=2.0)
    ),
    "rounds": 3,
    "quick": False,
    "machine": {
        "ostinato": "0.1.0", "commit": "abc1234", "python": "3.11.7", "system": "Linux 6 x86_64",
        "cpu": "a CPU", "cpus": 2, "memory_gib": 24, "date": "2027-01-15", "load": 0.1,
        "load_after": 1.2, "sync_ms": 0.2, "dbos": "3.4.0",
    },
}  # fmt: skip


ON_SERVER = {
    "W1": workload(
        "steps/s",
        80.0,
        ostinato_postgresql=engine(30_000.0, cpu_us_per_step=34.0),
        dbos_postgresql=engine(375.0, cpu_us_per_step=4_000.0),
        restate=engine(1_500.0, cpu_us_per_step=900.0),
        pgbench_postgresql=engine(
            10_000.0, name="commits_per_second", commits_per_second_of_one=3_000.0
        ),
    )
    | {"ratios": {"dbos_postgresql": 80.0, "restate": 20.0, "pgbench_postgresql": 3.0}},
    "W5-worker": workload(
        "ms makespan",
        None,
        ostinato_postgresql=engine(130.0, name="makespan_ms", cpu_us_per_step=3_000.0),
    )
    | {"ratios": {}},
    "rounds": 3,
    "quick": False,
    "machine": ANSWER["machine"]
    | {"store": "PostgreSQL 18.4, fsync=on", "restate": "1.7.12 with its SDK 1.3.0"},
}


def rows(page):
    return [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| W")]


def test_a_row_has_both_engines_and_their_costs():
    w1, served = rows(report.page(ANSWER))[:2]
    assert w1 == [
        "W1", "steps/s", "25,000 [20,000–30,000]", "250 [200–300]", "**101**",
        "30 / 3,000 a step", "–", "60 / 60", "0.2 / 0.2",
    ]  # fmt: skip
    assert served == ["W3-http", "ms p50", "2.75 [2.75–2.75]", "–", "–", "–", "2", "60", "0.2"]


def test_on_a_database_server_each_peer_has_its_ratio():
    page = report.page(ON_SERVER)
    assert rows(page)[:2] == [
        [
            "W1", "steps/s", "30,000 [30,000–30,000]", "375 [375–375]", "**80**",
            "1,500 [1,500–1,500]", "**20**", "34 / 4,000 / 900 a step", "–", "60 / 60 / 60",
            "0.2 / 0.2 / 0.2",
        ],
        [
            "W5-worker", "ms makespan", "130 [130–130]", "–", "–", "–", "–", "3,000 a step", "–",
            "60", "0.2",
        ],
    ]  # fmt: skip
    for fact in (
        "PostgreSQL 18.4, fsync=on",
        "Restate 1.7.12",
        "10,000 [10,000–10,000] single-row",
    ):
        assert fact in page


def test_targets_on_a_database_server_are_others():
    judged = {(each.workload, each.text): met for each, _, met in targets.judged(ON_SERVER)}
    assert judged == {
        ("W1", "steps/s, × DBOS"): True,
        ("W1", "steps/s, × Restate"): True,
        ("W1", "µs CPU a step, PostgreSQL's included"): True,
        ("W1", "steps/s ÷ the commits/s of 8 clients"): True,
        ("W5-worker", "ms makespan"): False,
    }


def test_the_page_says_on_what_and_when():
    page = report.page(ANSWER)
    for fact in ("2027-01-15", "Ostinato 0.1.0 (abc1234)", "DBOS 3.4.0", "2 × a CPU", "make bench"):
        assert fact in page


@pytest.mark.parametrize(
    ("load", "sync", "busy"), [(1.2, 0.2, False), (2.5, 0.2, True), (1.2, 4.0, True)]
)
def test_a_busy_machine_is_told(load, sync, busy):
    answer = deepcopy(ANSWER)
    answer["machine"]["load_after"] = load
    for one in answer["W1"]["each"]["ostinato_sqlite"] + answer["W1"]["each"]["dbos_sqlite"]:
        one["sync_ms"] = sync
    assert ("not times" in report.page(answer)) is busy


def test_targets_are_judged_where_there_is_a_figure():
    judged = {(each.workload, each.text): met for each, _, met in targets.judged(ANSWER)}
    assert judged == {
        ("W1", "steps/s, × DBOS"): True,
        ("W1", "µs CPU a step"): True,
        ("W3-http", "ms p50"): False,
        ("W3-http", "p99 ÷ p50"): True,
    }
    assert "3 of 4 are met here" in report.page(ANSWER)
    assert "| W3-http | ms p50 | ≤ 2.5 | 2.75 | **no** |" in report.page(ANSWER)


def test_without_the_peer_there_is_no_ratio_and_no_verdict_on_it():
    answer = deepcopy(ANSWER)
    for part in ("range", "figures", "each"):
        del answer["W1"][part]["dbos_sqlite"]
    answer["W1"] |= {"dbos_sqlite": None, "ratio": None}
    del answer["machine"]["dbos"]
    assert rows(report.page(answer))[0][3:6] == ["–", "–", "30 a step"]
    assert "steps/s, × DBOS" not in {each.text for each, *_ in targets.judged(answer)}


@pytest.mark.parametrize("target", targets.TARGETS + targets.ON_SERVER)
def test_a_target_is_of_a_workload(target):
    assert target.workload in WORKLOADS
    assert target.met(target.bound)
    assert target.met(target.bound + 1) == target.least


def test_page_and_rounds_are_written(tmp_path):
    report.write(ANSWER, tmp_path / "new")
    assert (tmp_path / "new/sqlite.md").read_text() == report.page(ANSWER)
    assert json.loads((tmp_path / "new/sqlite.json").read_text()) == ANSWER


def test_the_page_on_postgresql_is_of_its_rounds():
    answer = json.loads((MADE / "postgresql.json").read_text())
    assert answer["rounds"] >= 3
    assert not answer["quick"]
    assert rows((MADE / "postgresql.md").read_text()) == rows(report.page(answer))


def test_what_is_committed_belongs_together():
    answer = json.loads((MADE / "sqlite.json").read_text())
    assert report.measured(answer) == [name for name, one in WORKLOADS.items() if not one.server]
    assert answer["rounds"] >= 5
    assert not answer["quick"]
    page = (MADE / "sqlite.md").read_text()
    assert rows(page) == rows(report.page(answer))
    drawn = (MADE / "sqlite.svg").read_text()
    drawn_names = set(re.findall(r">(W\d[\w-]*)<", drawn))
    named = {name for name in report.measured(answer) if name.startswith("W")}
    assert named - drawn_names == {"W5-heavy"}


def test_the_plot_has_its_pins():
    pins = report.PLOT.pins.as_posix()
    assert "matplotlib==" in (ROOT / pins).read_text()
    assert pins in (ROOT / "Makefile").read_text()
