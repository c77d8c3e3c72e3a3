"""``ostinato schedules``: on a store that nobody holds, and on a server."""

import json

import pytest

from tests.cli.live import command, serving

DOCUMENT = """
workflow: nightly
on: [{schedule: "0 3 * * *", zone: Europe/Berlin, jitter: 5m}]
phases: [{phase: one, jobs: [{job: hi, run: noop}]}]
"""


@pytest.fixture
def deployed(tmp_path, ostinato):
    (tmp_path / "nightly.yaml").write_text(DOCUMENT)
    assert ostinato("deploy", "nightly.yaml").code == 0
    return ostinato


def test_the_list_says_what_comes_next(deployed):
    lines = deployed("schedules").out.splitlines()
    assert lines[0].split() == ["id", "says", "status", "next", "last", "run"]
    assert lines[1].startswith("nightly/on/0  0 3 * * * Europe/Berlin  active  20")
    (one,) = json.loads(deployed("schedules", "--json").out)
    assert one["id"] == "nightly/on/0"


def test_without_any_it_says_how_to_have_one(ostinato, tmp_path):
    (tmp_path / "plain.yaml").write_text(DOCUMENT.replace("on: [", "# on: ["))
    ostinato("deploy", "plain.yaml")
    assert "a trigger `schedule:` or `every:`" in ostinato("schedules").err


def test_show_lists_the_coming_instants(deployed):
    shown = deployed("schedules", "show", "nightly", "--next", 3).out
    assert shown.count("next: ") == 3
    assert "overlap skip, catch up last, jitter up to 5 min" in shown


def test_pause_and_resume(deployed):
    paused = deployed("schedules", "pause", "nightly", "--why", "we move").out
    assert "by ostinato schedules: we move" in paused
    assert "`ostinato schedules resume nightly/on/0` lets it go on" in paused
    resumed = deployed("schedules", "resume", "nightly").out
    assert "active" in resumed
    assert resumed == deployed("schedules", "show", "nightly").out
    assert resumed.count("next: ") == 5


def test_one_that_is_paused_stays_so_when_it_is_fired(deployed):
    assert "paused" not in deployed("schedules", "fire", "nightly").err
    deployed("schedules", "pause", "nightly")
    fired = deployed("schedules", "fire", "nightly")
    assert fired.out.startswith("run ")
    assert "paused and stays so" in fired.err
    assert "`ostinato schedules resume nightly` lets it go on" in fired.err
    assert "paused" in deployed("schedules", "show", "nightly").out


def test_a_back_fill_is_shown_before_it_is_done(deployed):
    asked = ["schedules", "backfill", "nightly", "--from", "2026-03-28", "--to", "2026-03-31"]
    dry = deployed(*asked, "--dry-run").out.splitlines()
    assert dry[0] == "nightly/on/0: 3 would start, 0 known before"
    assert len(dry) == 4
    done = deployed(*asked).out
    assert done.endswith("stored; nothing is running yet: ostinato serve\n")
    assert deployed(*asked).out.startswith("nightly/on/0: 0 started, 3 known before")
    assert len(json.loads(deployed("runs", "--json").out)) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["stop", "nightly"], 2, "known are list, show, pause"),
        (["pause"], 2, "needs the name of a schedule"),
        (["list", "nightly"], 2, "takes no name"),
        (["show", "nobody"], 2, "there is no schedule 'nobody'"),
        (["backfill", "nightly"], 2, "needs --from"),
        (
            ["backfill", "nightly", "--from", "yesterday"],
            2,
            "--from: 'yesterday' is not",
        ),
        (["backfill", "nightly", "--from", "2026-01-01", "--to", "x"], 2, "--to: 'x' is not"),
        (["backfill", "nightly", "--from", "2026-01-01", "--to", "2999-01-01"], 2, "in the past"),
    ],
    ids=str,
)
def test_wrong_use(deployed, arguments, code, said):
    done = deployed("schedules", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_on_a_server(deployed, tmp_path):
    with serving(tmp_path, "--port", 0, "--json") as server:
        server.facts()
        fired = command(tmp_path, "schedules", "fire", "nightly")
        run = fired.stdout.split()[1]
        assert command(tmp_path, "watch", run, "--timeout", "20s").returncode == 0
        shown = command(tmp_path, "schedules", "show", "nightly").stdout
        assert f"last: run {run} for " in shown
        paused = command(tmp_path, "schedules", "pause", "nightly", "--json").stdout
        assert json.loads(paused)["pausedBy"] == "local operator"
        (one,) = json.loads(command(tmp_path, "schedules", "--json").stdout)
        assert one["status"] == "paused"
        assert command(tmp_path, "schedules", "show", "nobody").returncode == 2
