"""Calls whose workflow is named: unknown ones, and circles."""

import pytest

from ostinato.definitions import check, read
from ostinato.definitions.calls import finding
from ostinato.definitions.check import check_texts
from ostinato.errors import DefinitionError
from tests.definitions.samples import numbered


def document(name, *jobs, **phase):
    listed = [{"job": f"j{number}", **job} for number, job in enumerate(jobs)]
    return read({"workflow": name, "phases": [{"phase": "p", "jobs": listed, **phase}]})


def said(*documents):
    """The errors and warnings of the first."""
    errors, warnings = check(documents[0], find=finding(documents))
    return [str(one) for one in errors], [str(one) for one in warnings]


SURE = [
    ("a → a", [document("a", {"call": "a"})]),
    ("a → b → a", [document("a", {"call": "b"}), document("b", {"call": "a"})]),
    (
        "a → b → c → a",
        [document("a", {"call": "b"}), document("b", {"call": "c"}), document("c", {"call": "a"})],
    ),
    ("a-1 → b → a-1", [document("a-1", {"call": "b"}), document("b", {"call": "a_1"})]),
    ("a → a", [document("a", {"call": "a", "when": "true", "each": {"in": "[1, 2]"}})]),
    ("a → a", [document("a", {"call": "a"}, when="1 < 2", each={"in": "['x']"})]),
]


@pytest.mark.parametrize(("chain", "documents"), SURE, ids=range(len(SURE)))
def test_a_circle_that_every_run_makes_is_an_error(chain, documents):
    errors, warnings = said(*documents)
    names = " → ".join(f"`{name}`" for name in chain.split(" → "))
    (error,) = errors
    assert error.startswith(f"phases[0].jobs[0].call: {names} calls itself in every run")
    assert "give one of the calls a `when`" in error
    assert warnings == []


BACK = document("b", {"call": "a"})
MAYBE = {
    "when": document("a", {"call": "b", "when": "input.n > 0"}),
    "each": document("a", {"call": "b", "each": {"in": "input.children"}}),
    "a when that never holds": document("a", {"call": "b", "when": "false"}),
    "an each of nothing": document("a", {"call": "b", "each": {"in": "[]"}}),
    "each, which may fail": document("a", {"call": "b", "each": {"in": "[1]", "tolerate": 1}}),
    "a phase's when": document("a", {"call": "b"}, when="input.n > 0"),
    "a phase's each": document("a", {"call": "b"}, each={"in": "input.children"}),
    "a race": document("a", {"call": "b"}, {"run": "noop"}, mode="race"),
    "optional": document("a", {"call": "b", "optional": True}),
    "catch": document("a", {"run": "noop", "catch": [{"on": "*", "do": {"call": "b"}}]}),
    "undo": document("a", {"run": "noop", "undo": {"call": "b"}}),
}


@pytest.mark.parametrize("caller", MAYBE.values(), ids=MAYBE)
def test_one_that_something_can_end_is_a_warning(caller):
    errors, warnings = said(caller, BACK)
    assert errors == []
    assert len([one for one in warnings if "`a` → `b` → `a` calls itself; see" in one]) == 1


def test_no_circle_is_nothing_to_tell():
    down = document("b", {"call": "c"}, {"call": "c"})
    assert said(
        document("a", {"call": "b"}, {"call": "c"}), down, document("c", {"run": "noop"})
    ) == ([], [])


def test_a_circle_that_begins_below_is_not_told_above():
    top = document("top", {"call": "a"})
    assert said(top, document("a", {"call": "b"}), BACK) == ([], [])


def test_a_version_that_is_named_stays_as_it_is():
    assert said(document("a", {"call": {"workflow": "a", "version": 1}})) == ([], [])


def test_a_name_that_is_made_while_it_runs_is_not_looked_for():
    assert said(document("a", {"call": "${ input.name }"})) == ([], [])


def test_a_workflow_that_is_not_there_is_a_warning():
    errors, (warning,) = said(document("a", {"call": "nobody"}))
    assert errors == []
    assert "no workflow is called `nobody` here" in warning
    assert "by the time this job begins" in warning


@pytest.mark.parametrize("given", [None, 5, "text", [1]])
def test_the_input_of_a_run_is_a_map(given):
    with pytest.raises(DefinitionError, match="a map, the input of the run, is expected"):
        document("a", {"call": "b", "with": given})


REFUSED = [
    ({"call": 5}, "a text is expected"),
    ({"call": ""}, "this one is empty"),
    ({"call": {}}, "`workflow` is missing"),
    ({"call": {"workflow": "b", "version": 0}}, "a whole number from 1"),
    ({"call": {"workflow": "b", "version": "newest"}}, "a whole number from 1"),
    ({"call": {"workflow": "b", "with": {}}}, "`with` belongs to"),
    ({"call": "b", "callback": True}, "`callback` does nothing beside `call`"),
    ({"call": "b", "heartbeat": "5s"}, "`heartbeat` does nothing"),
    ({"call": "b", "run": "noop"}, "`run` and `call`"),
]


@pytest.mark.parametrize(("job", "message"), REFUSED, ids=numbered(REFUSED))
def test_what_means_nothing_is_refused(job, message):
    with pytest.raises(DefinitionError) as caught:
        document("a", job)
    assert message in str(caught.value)


A = "workflow: a\nphases: [{phase: p, jobs: [{job: j, call: b}]}]\n"
B = "workflow: b\nphases: [{phase: p, jobs: [{job: j, call: a}]}]\n"


def test_files_that_are_checked_together_know_each_other():
    first, second = check_texts([("a.yaml", A), ("b.yaml", B)])
    assert "`a` → `b` → `a`" in first["errors"][0]["message"]
    assert second["errors"] == []  # one circle is told once
    below, above = check_texts([("b.yaml", B), ("a.yaml", A)])
    assert "`b` → `a` → `b`" in below["errors"][0]["message"]
    assert above["errors"] == []
    (alone,) = check_texts([("a.yaml", A)])
    assert (alone["errors"], len(alone["warnings"])) == ([], 1)
