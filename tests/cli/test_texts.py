"""JSON from the command line: text, @file, stdin; what is wrong is shown with its place."""

import io

import pytest

from ostinato.cli.failure import Stop
from ostinato.cli.texts import json_from


def refusal(written):
    with pytest.raises(Stop) as caught:
        json_from(written, "--data")
    assert caught.value.exit_code == 2
    return f"{caught.value} | {caught.value.hint}"


def test_text_file_and_stdin(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text('{"from": "file"}')
    monkeypatch.setattr("sys.stdin", io.StringIO("[3]"))
    assert json_from('{"a": 1}', "--data") == {"a": 1}
    assert json_from("@a.json", "--data") == {"from": "file"}
    assert json_from("-", "--data") == [3]


def test_a_character_of_two_halves_is_one():
    assert json_from(r'["\ud83d\ude00"]', "--data") == ["😀"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{"a": }', "--data: not JSON: line 1 column 7"),
        ('{"a": 1,\n "b" 2}', "line 2 column 6"),
        ("{'a': 1}", "double quotes"),
        ("", "line 1 column 1"),
        ("data.json", "to read a file: @data.json"),
        ("@nowhere.json", "cannot read @nowhere.json"),
        ("[NaN]", "NaN is not JSON"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("[1e400]", "--data: 1e400 is beyond the largest number"),
        ("[-1e400]", "-1e400 is beyond"),
        (r'["\ud83d"]', r"--data: \ud83d alone is half a character"),
        (r'{"\ude00": 1}', r"\ude00 alone is half a character"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(written, told):
    assert told in refusal(written)


def test_a_bad_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    assert "a.json, line 1" in refusal("@a.json")
