"""``ostinato bulk`` and ``operations``, with a server and without."""

import json

import pytest

from ostinato.cli.operations import _told
from tests.cli.live import command, serving

WAITS = "{workflow: waits, phases: [{phase: p, jobs: [{job: j, wait: 1h}]}]}"


@pytest.fixture
def waiting(tmp_path, ostinato):
    (tmp_path / "waits.yaml").write_text(WAITS)
    ostinato("deploy", "waits.yaml")
    for _ in range(3):
        ostinato("start", "waits")
    return ostinato


def test_a_dry_run_shows_and_changes_nothing(waiting):
    shown = waiting("bulk", "cancel", "--workflow", "waits", "--dry-run")
    assert (shown.code, "cancel: 3 runs" in shown.out) == (0, True)
    none = waiting("bulk", "cancel", "--where", "status=failed", "--dry-run")
    assert (none.code, none.out.strip()) == (0, "no run fits")
    assert waiting("operations").out == ""


def test_without_a_terminal_it_wants_a_yes(waiting):
    asked = waiting("bulk", "cancel", "--workflow", "waits")
    assert (asked.code, "--yes" in asked.err) == (2, True)


def test_what_is_stored_without_a_server_is_done_by_one(waiting, tmp_path):
    begun = waiting("bulk", "cancel", "--workflow", "waits", "--yes", "--why", "old", "--json")
    operation = json.loads(begun.out)
    assert (operation["status"], operation["left"], operation["rate"]) == ("running", 3, 10)
    assert "cancel, running" in waiting("operations", "show", operation["id"]).out
    with serving(tmp_path, "--port", 0, "--json") as server:
        server.facts()
        assert command(tmp_path, "watch", "last", "--timeout", "20s").returncode == 1
    runs = json.loads(waiting("runs", "--json").out)
    assert {run["status"] for run in runs} == {"cancelled"}


def test_it_is_stopped(waiting):
    begun = json.loads(
        waiting("bulk", "cancel", "--where", "workflow=waits", "--yes", "--json").out
    )
    stopped = waiting("operations", "stop", begun["id"])
    assert "stopped; 0 done, 0 refused, 0 passed, 3 left" in stopped.out
    assert "stopped by ostinato operations" in stopped.out
    assert waiting("operations", "stop", begun["id"]).code == 1
    assert begun["id"] in waiting("operations").out


def test_where_is_shown_as_it_is_typed(waiting):
    typed = "--where status=waiting,paused --where workflow=waits"
    begun = json.loads(waiting("bulk", "cancel", *typed.split(), "--yes", "--json").out)
    assert f"where: {typed}\n" in waiting("operations", "show", begun["id"]).out
    where = {"status": ["waiting", "paused"], "text": "a b", "failedSince": 1_800_000_000_000}
    one = {"where": where, "by": "", "why": "", "rate": 10, "stoppedBy": "", "reasons": []}
    counts = dict.fromkeys(("done", "refused", "passed", "left"), 0)
    _, shown, *_ = _told(one | counts | {"id": "o", "action": "cancel", "status": "ended"})
    assert shown == (
        "where: --where status=waiting,paused --where 'text=a b' "
        "--where failedSince=2027-01-15T08:00:00.000Z"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bulk", "cancel", "--where", "stauts=failed"), "known are status"),
        (("bulk", "cancel", "--where", "stauts=failed"), "no filter 'stauts'"),
        (("bulk", "cancel", "--where", "status"), "NAME=VALUE"),
        (("bulk", "cancel", "--workflow", "w", "--rate", "10/d"), "as 10/s"),
        (("operations", "show"), "show ID"),
        (("operations", "halt", "x"), "stop ID"),
    ],
)
def test_wrong_use_is_told(ostinato, arguments, said):
    told = ostinato(*arguments)
    assert (told.code, said in told.err) == (2, True), told.err
