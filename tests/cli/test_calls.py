"""Runs that call runs, as the command line shows them."""

from ostinato.cli import show, stuck
from ostinato.cli.output import Line

NOW = 1_800_000_000_000
HELD = {"key": "p/bad", "kind": "repair", "since": NOW}
WAITS = {"key": "p/c", "kind": "call", "since": NOW, "run": "r2"}


def lines(parts):
    return [part.text for part in parts if isinstance(part, Line)]


def test_show_names_who_called_it_and_whom_it_has_called():
    children = [
        {"step": f"p/c[{n}]", "attempt": 1, "run": f"r{n}", "workflow": "child"} for n in range(7)
    ]
    run = {
        "id": "r", "workflow": "w", "version": 1, "status": "waiting", "startedAt": NOW,
        "input": {}, "parent": {"run": "above", "step": "q/x"}, "children": children, "waits": [],
    }  # fmt: skip
    told = lines(show.picture(run, ""))
    assert "called by: step q/x of run above" in told
    (called,) = [line for line in told if line.startswith("has called: ")]
    assert called.startswith("has called: 2 runs, …, child as r2 (p/c[2])")
    assert called.endswith("child as r6 (p/c[6])")


def test_stuck_shows_the_chain_down_to_what_the_last_run_waits_for():
    below = {
        "run": "r2", "workflow": "held", "status": "waiting", "waitingFor": "repair",
        "since": NOW, "waits": [HELD],
    }  # fmt: skip
    run = {"id": "r1", "uid": None, "waits": [WAITS], "doubts": [], "below": [below]}
    group = {"workflow": "w", "waitingFor": "call", "count": 1, "since": NOW, "runs": [run]}
    told = lines(stuck.picture({"waiting": [group], "failures": [], "overdue": []}, ""))
    assert any("p/c: waiting for its run r2 since" in line for line in told)
    assert any(line.strip().startswith("r2 of held: waiting for repair since") for line in told)
    assert any("p/bad: failed for good, waiting for a person" in line for line in told)
