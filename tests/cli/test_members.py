"""``ostinato members``, with a server and without."""

import json

import pytest

from tests.cli.live import serving

ASKED = "workflow: ask\nphases: [{phase: p, jobs: [{job: a, wait: {event: X}}]}]\n"


@pytest.fixture(autouse=True)
def _document(tmp_path):
    (tmp_path / "ask.yaml").write_text(ASKED)


def test_on_a_file_there_is_one(ostinato, tmp_path):
    ostinato("deploy", "ask.yaml")
    [seat] = json.loads(ostinato("members", "--json").out)["seats"]
    assert seat["holds"]
    assert "holds the store" in ostinato("members").out


def test_whom_to_promote_must_be_said(ostinato):
    done = ostinato("members", "promote")
    assert (done.code, "--url" in done.err) == (2, True)
    assert ostinato("members", "demote").code == 2


@pytest.mark.real
def test_a_server_is_asked(ostinato, tmp_path):
    with serving(tmp_path, "ask.yaml", "--port", 0, "--json") as server:
        url = server.facts()["address"]
        [seat] = json.loads(ostinato("members", "--url", url, "--json").out)["seats"]
        assert (seat["address"], seat["holds"]) == (url, True)
        assert "holds the store" in ostinato("members", "promote", "--url", url).out
