"""``ostinato members``, with a server and without."""

import json

import pytest

from ostinato.cli import members
from tests.cli.live import serving

ASKED = "workflow: ask\nphases: [{phase: p, jobs: [{job: a, wait: {event: X}}]}]\n"


@pytest.fixture(autouse=True)
def _document(tmp_path):
    (tmp_path / "ask.yaml").write_text(ASKED)


def test_on_a_file_without_a_server_there_is_nobody(ostinato, tmp_path):
    ostinato("deploy", "ask.yaml")
    found = json.loads(ostinato("members", "--json").out)
    assert (found["seats"], found["free"]) == ([], 64)
    done = ostinato("members")
    assert "nobody is there" in done.err
    assert "64 of 64 partitions have no process" in done.err
    assert "nobody works: start `ostinato serve`" in done.err


SEATS = [
    {"id": "a", "partitions": 30, "waits": False, "late": False},
    {"id": "b", "partitions": 0, "waits": True, "late": False},
    {"id": "c", "partitions": 0, "waits": False, "late": False},
    {"id": "d", "partitions": 12, "waits": False, "late": True},
    {"id": "e", "partitions": 9, "waits": True, "late": False},
]


def test_what_each_is_and_what_nobody_has(ostinato, monkeypatch):
    more = {"address": "http://x", "version": "1", "since": 0}
    roll = {"now": 2_000, "seats": [seat | more for seat in SEATS], "hub": "a", "free": 13}

    async def asked(settings, *, promote):
        return roll

    monkeypatch.setattr(members, "_asked", asked)
    done = ostinato("members")
    assert [line.split()[3:-2] for line in done.out.splitlines()[1:]] == [
        ["30", "hub"], ["0", "on", "standby"], ["0", "joining"], ["12", "late"], ["9", "stopping"],
    ]  # fmt: skip
    assert "13 of 64 partitions have no process" in done.err


def test_whom_to_promote_must_be_said(ostinato):
    done = ostinato("members", "promote")
    assert (done.code, "--url" in done.err) == (2, True)
    assert ostinato("members", "demote").code == 2


@pytest.mark.real
def test_a_server_is_asked(ostinato, tmp_path):
    with serving(tmp_path, "ask.yaml", "--port", 0, "--json") as server:
        url = server.facts()["address"]
        [seat] = json.loads(ostinato("members", "--url", url, "--json").out)["seats"]
        assert (seat["address"], seat["partitions"]) == (url, 64)
        told = ostinato("members", "promote", "--url", url)
        assert (told.code, "hub" in told.out) == (0, True)
        assert "did not stand by: nothing has changed" in told.err
        head, line = ostinato("members").out.splitlines()
        assert head.split() == ["member", "address", "version", "partitions", "is", "for"]
        assert line.split()[3:5] == ["64", "hub"]
