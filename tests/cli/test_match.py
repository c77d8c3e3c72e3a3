"""`ostinato match`."""

import io
import json

import pytest

GOLD = '{"data": {"tier": ["gold"], "n": [{"numeric": [">", 5]}]}}'


def test_a_match_is_said_and_exit_0(ostinato):
    done = ostinato("match", GOLD, '{"type": "A", "data": {"tier": "gold", "n": 6}}')
    assert (done.code, done.out, done.err) == (0, "matched\n", "")


def test_no_match_is_explained_and_exit_1(ostinato):
    done = ostinato("match", GOLD, '{"data": {"tier": "basic"}}')
    assert done.code == 1
    assert done.out == (
        "data.n: found nothing, wanted a number > 5\n"
        'data.tier: found "basic", wanted "gold"\n'
    )  # fmt: skip


@pytest.mark.parametrize(("tier", "code"), [("gold", 0), ("basic", 1)])
def test_data_for_scripts(ostinato, tier, code):
    pattern = '{"detail": {"$or": [{"tier": ["gold"]}, {"vip": [true]}]}}'
    done = ostinato("match", pattern, json.dumps({"data": {"tier": tier}}), "--json")
    answer = json.loads(done.out)
    assert done.code == code
    assert answer["matched"] is (code == 0)
    assert answer["alternatives"] == 2
    found = {"path": "detail.tier", "found": '"basic"', "wanted": '"gold"'}
    assert answer["failures"] == ([] if code == 0 else [found])


def test_from_a_file_and_stdin(ostinato, tmp_path, monkeypatch):
    (tmp_path / "pattern.json").write_text(GOLD)
    monkeypatch.setattr("sys.stdin", io.StringIO('{"data": {"tier": "gold", "n": 9}}'))
    assert ostinato("match", "@pattern.json", "-").code == 0


def test_stdin_is_read_once(ostinato):
    done = ostinato("match", "-", "-")
    assert done.code == 2
    assert "both" in done.err


@pytest.mark.parametrize(
    ("policy", "message", "scope", "code"),
    [
        ('{"a": ["x"]}', '{"a": {"Type": "String", "Value": "x"}}', "attributes", 0),
        ('{"a": [5]}', '{"a": {"Type": "String", "Value": "5"}}', "attributes", 1),
        ('{"a": {"b": ["x"]}}', '{"a": {"b": "x"}}', "body", 0),
        ('{"a": {"b": ["x"]}}', "[1]", "body", 1),
        ("{}", "[1]", "body", 0),
        ('"{}"', "{}", "attributes", 0),
    ],
)
def test_filter_policies_of_sns(ostinato, policy, message, scope, code):
    assert ostinato("match", policy, message, "--sns", scope).code == code


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{", "{}"], "PATTERN: not JSON: line 1"),
        (["{}", "{}"], "PATTERN: pattern: an empty object"),
        (['{"data": {"a": [{"prefx": "x"}]}}', "{}"], 'data.a[0]: there is no matcher "prefx"'),
        (['{"a": {"b": ["x"]}}', "{}", "--sns", "attributes"], "attributes are not nested"),
        (['{"a": ["x"]}', "{}", "--sns", "header"], "--sns: scope: 'header' is none"),
        (['{"a": ["x"]}', "{"], "EVENT: not JSON: line 1"),
        (['{"a": ["x"]}', "[1]"], "EVENT: event: an event is an object, not an array"),
        (['{"a": ["x"]}', '{"a": "x"}', "--sns", "attributes"], "EVENT: attributes: a: an"),
        (['{"a": ["x"]}', '{"a": 1, "a": 2}'], "EVENT: the key 'a' stands twice"),
        (['{"a": [NaN]}', "{}"], "PATTERN: NaN is not JSON"),
        (['{"a": ["x"]}', "[" * 10_000], "EVENT: nested too deeply"),
    ],
)
def test_what_is_no_pattern_or_no_event_is_wrong_use(ostinato, arguments, told):
    done = ostinato("match", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) <= 2
