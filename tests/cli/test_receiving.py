"""A request that does not come in is ended, and so is a head without end; the others are served."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.cli.live import PATIENCE, serving

EVENT = b'{"type": "GO"}'
HEAD = (
    b"POST /events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n" % len(EVENT)
)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, "--port", 0, "--json", OSTINATO_RECEIVE="300ms") as server:
        yield urlsplit(server.facts()["address"]).port


@pytest.fixture
def talk(port):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        yield connection


def answer(connection, count=1):
    """Status and body of the last of so many answers."""
    got = connection.makefile("rb")
    for _ in range(count):
        status = int(got.readline().split()[1])
        headers = {}
        while (line := got.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = got.read(int(headers.get("content-length", 0)))
    return status, json.loads(body)


@pytest.mark.parametrize("sent", [HEAD + EVENT[:5], HEAD, HEAD[:40]], ids=["half", "none", "head"])
def test_what_does_not_come_in_is_ended(talk, sent):
    talk.sendall(sent)
    status, body = answer(talk)
    assert (status, body["error"]["name"]) == (408, "RequestTimeoutError")
    assert "(receive)" in body["detail"]
    assert talk.recv(1) == b""


def test_who_sends_nothing_is_hung_up_on(talk):
    assert talk.recv(1) == b""


def test_what_comes_in_parts_is_served_and_the_next_one_has_its_own_time(talk):
    for part in (HEAD[:40], HEAD[40:], EVENT[:3], EVENT[3:]):
        talk.sendall(part)
    assert answer(talk)[0] == 202
    talk.sendall(HEAD + EVENT + HEAD[:9])
    assert answer(talk)[0] == 202
    status, _ = answer(talk)
    assert status == 408


def test_a_head_is_bounded(talk):
    talk.sendall(b"GET /ping HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 70_000)
    status, body = answer(talk)
    assert (status, "65,536" in body["detail"]) == (431, True)


def test_a_head_of_60_kb_is_taken(talk):
    head = b"GET /ping HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 60_000 + b"\r\n\r\n"
    talk.sendall(head)
    assert answer(talk)[0] == 200
