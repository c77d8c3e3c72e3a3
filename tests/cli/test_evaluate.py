"""`ostinato eval`."""

import json

import pytest


@pytest.mark.parametrize(
    ("expression", "data", "value"),
    [
        ("1 + 2", "{}", 3),
        ("input.n * 2", '{"input": {"n": 4}}', 8),
        ("input.missing", '{"input": {}}', None),
        ("${ upper('a') }", "{}", "A"),
        ("[1, 2].map(x, x + 1)", "{}", [2, 3]),
    ],
)
def test_a_value_is_data(ostinato, expression, data, value):
    done = ostinato("eval", expression, "--data", data, "--json")
    assert done.code == 0
    assert json.loads(done.out) == value


def test_people_see_a_text_without_quotes(ostinato):
    assert ostinato("eval", "'a' + 'b'").out == "ab\n"


def test_now_is_known(ostinato):
    assert ostinato("eval", "now() > date('2020-01-01T00:00:00Z')").out == "true\n"


@pytest.mark.parametrize("expression", ["1 +", "1 + 'a'", "nobody.knows(", "1 / 0"])
def test_an_expression_that_fails_is_one_line_and_exit_1(ostinato, expression):
    done = ostinato("eval", expression)
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) <= 2
    assert "Traceback" not in done.err


def test_data_that_is_no_object_is_wrong_use(ostinato):
    done = ostinato("eval", "input", "--data", "[1]")
    assert done.code == 2
    assert '{"input": …}' in done.err


def test_an_expression_that_costs_too_much_ends(ostinato):
    done = ostinato(
        "eval", "l.map(a, l.map(b, l.map(c, a)))", "--data", json.dumps({"l": [1] * 99})
    )
    assert done.code == 1
