"""``ostinato emit`` says what became of an event."""

import json

import pytest

WAITS = """\
workflow: {name}
on: [{{event: {event}, uid: {{key: event.data.id, open: {rule}}}}}]
phases: [{{phase: p, jobs: [{{job: j, wait: 1h}}]}}]
"""
STRICT = """\
workflow: strict
on: [{event: STRICT}]
input_schema: {type: object, required: [name]}
phases: [{phase: p, jobs: [{job: j, run: noop}]}]
"""


@pytest.fixture
def deployed(tmp_path, ostinato):
    same = WAITS.format(name="same", event="SAME", rule="same")
    only = WAITS.format(name="only", event="ONLY", rule="refuse")
    (tmp_path / "w.yaml").write_text("---\n".join((same, only, STRICT)))
    ostinato("deploy", "w.yaml")
    return ostinato


def test_a_run_that_was_there_is_told(deployed):
    said = ("--data", '{"id": "o-1"}')
    first = deployed("emit", "SAME", *said).out
    assert "was there already" not in first
    (line,) = [line for line in first.splitlines() if line.startswith("run ")]
    assert f"{line} (it was there already)\n" in deployed("emit", "SAME", *said).out
    answer = json.loads(deployed("emit", "SAME", *said, "--json").out)
    assert answer["joined"] == answer["runs"] == [line.removeprefix("run ")]


def test_an_event_for_which_runs_wait_is_not_told_as_a_failure(deployed):
    told = deployed("emit", "HEARD").out
    assert "runs that wait for it go on; it begins none, as no trigger fits it" in told


def test_an_event_that_fits_and_is_refused_is_told_so(deployed):
    said = ("emit", "ONLY", "--data", '{"id": "o-1"}')
    deployed(*said)
    done = deployed(*said)
    assert "only/on/0 started nothing: " in done.err
    assert "'o-1'" in done.err
    assert "; dead letter " in done.err
    assert "fit" not in done.err


def test_an_event_that_does_not_fit_says_what_is_missing(deployed):
    done = deployed("emit", "STRICT")
    assert "strict/on/0 started nothing: " in done.err
    assert "name" in done.err
