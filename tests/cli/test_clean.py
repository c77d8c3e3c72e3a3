"""``ostinato clean``, with a server and without."""

import json

import pytest

from ostinato.cli import words
from ostinato.cli.clean import NOTHING, told
from tests.cli.live import command, serving

ASKED = "workflow: ask\nphases: [{phase: p, jobs: [{job: a, wait: {event: X}}]}]\n"
NONE = {"runs": 0, "events": 0, "deadLetters": 0, "replies": 0, "operations": 0}


@pytest.fixture
def over(tmp_path, ostinato):
    """A run that is over and one that is open, in a store that keeps nothing for long."""
    (tmp_path / "ask.yaml").write_text(ASKED)
    (tmp_path / "ostinato.toml").write_text('[retention]\nruns = "1ms"\n')
    ostinato("deploy", "ask.yaml")
    ostinato("start", "ask", "--uid", "open")
    ostinato("start", "ask", "--uid", "over")
    ended_at = json.loads(ostinato("cancel", "over", "--json").out)["endedAt"]
    while words.now_ms() <= ended_at + 1:
        pass  # until it is old
    return ostinato


def test_what_is_old_goes_without_a_server_and_an_open_run_stays(over):
    done = over("clean")
    assert (done.code, done.out) == (0, "removed 1 run\n")
    assert [run["uid"] for run in json.loads(over("runs", "--json").out)] == ["open"]
    assert over("clean").out == NOTHING + "\n"
    assert json.loads(over("clean", "--json").out) == NONE


@pytest.mark.real
def test_what_is_old_goes_through_a_server(over, tmp_path):
    with serving(tmp_path, "ask.yaml", "--port", 0, "--json") as server:
        server.facts()
        done = command(tmp_path, "clean", "--json")
        assert (done.returncode, json.loads(done.stdout)) == (0, NONE | {"runs": 1})


def test_a_warning_is_no_part_of_the_answer(over, tmp_path):
    with (tmp_path / "ostinato.toml").open("a") as settings:
        settings.write('workflows.nobody = {runs = "1d"}\n')
    done = over("clean", "--json")
    assert json.loads(done.out) == NONE | {"runs": 1}
    assert "retention.unknown_workflow" in done.err


def test_what_went_is_told_by_kind():
    gone = NONE | {"runs": 1200, "deadLetters": 1, "replies": 2}
    assert told(gone) == "removed 1,200 runs, 1 dead letter, 2 remembered answers"
