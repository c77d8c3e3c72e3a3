"""``ostinato dead-letters`` and ``redrive``, with a server and without."""

import json

import pytest

from tests.cli.live import command, serving

STRICT = """\
workflow: strict
on: [{event: GO}]
input_schema: {type: object, required: [name]}
phases: [{phase: one, jobs: [{job: hi, run: echo}]}]
"""
MENDED = STRICT.replace("event: GO", "event: GO, input: \"{'name': 'nobody'}\"")


@pytest.fixture
def dead(tmp_path, ostinato):
    (tmp_path / "strict.yaml").write_text(STRICT)
    (tmp_path / "mended.yaml").write_text(MENDED)
    ostinato("deploy", "strict.yaml")
    ostinato("emit", "GO")
    return ostinato


def letters(ostinato, *more):
    return json.loads(ostinato("dead-letters", "--json", *more).out)


def test_letters_are_listed_and_shown_with_what_to_do(dead):
    (letter,) = letters(dead)
    listed = dead("dead-letters").out
    assert letter["id"] in listed
    assert "strict/on/0" in listed
    assert "name" in listed
    shown = dead("dead-letters", "show", letter["id"])
    assert f"ostinato redrive {letter['id']}" in shown.out
    assert '"type": "GO"' in shown.out
    assert letters(dead, "--kind", "outgoing") == letters(dead, "--text", "nothing") == []
    assert letters(dead, "--since", "1h") == [letter]


def test_a_letter_is_redriven_without_a_server_and_its_run_is_done_later(dead, tmp_path):
    (letter,) = letters(dead)
    stays = dead("redrive", letter["id"])
    assert (stays.code, "stays" in stays.out) == (1, True)
    dead("deploy", "mended.yaml")
    assert "would" in dead("redrive", "--all", "--dry-run").out
    done = dead("redrive", "--trigger", "strict/on/0")
    assert done.code == 0
    assert "nothing is running yet" in done.out
    assert letters(dead) == []
    assert letters(dead, "--redriven")[0]["redrivenBy"] == "ostinato redrive"
    with serving(tmp_path, "--port", 0, "--json") as server:
        server.facts()
        assert command(tmp_path, "watch", "last", "--timeout", "20s").returncode == 0


@pytest.mark.real
def test_letters_are_redriven_through_a_server(dead, tmp_path):
    for number in range(3):
        dead("emit", "GO", "--data", json.dumps({"n": number}))
    with serving(tmp_path, "mended.yaml", "--port", 0, "--json") as server:
        server.facts()
        done = command(tmp_path, "redrive", "--all", "--rate", "3", "--json")
        assert done.returncode == 0, done
        assert [one["outcome"] for one in json.loads(done.stdout)] == ["redriven"] * 4
        assert json.loads(command(tmp_path, "dead-letters", "--json").stdout) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["redrive"],
        ["redrive", "x", "--all"],
        ["redrive", "x"],
        ["dead-letters", "show"],
        ["dead-letters", "spam"],
        ["dead-letters", "show", "x"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_told(dead, arguments):
    assert dead(*arguments).code == 2
