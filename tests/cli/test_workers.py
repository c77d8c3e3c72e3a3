"""`ostinato worker` and `ostinato workers`, and what is said of jobs that nobody does."""

import pytest

from ostinato.cli import words, workers
from ostinato.cli.failure import Stop
from ostinato.cli.worker import topics_in

NOW = 1_800_000_000_000

HANDS = """
from ostinato import App

app = App()
bare = App()


@app.handler("far")
async def far():
    pass
"""
FAR = "{workflow: w, phases: [{phase: p, jobs: [{job: a, run: far}]}]}"


@pytest.fixture
def hands(ostinato, tmp_path):
    (tmp_path / "some_hands.py").write_text(HANDS)
    (tmp_path / "w.yaml").write_text(FAR)
    return ostinato


def test_a_worker_needs_a_server_and_says_how_to_come_by_one(hands):
    for more in ((), ("--store", "sqlite:///other.db")):
        done = hands("worker", "some_hands.py:app", *more)
        assert done.code == 3
        assert "a worker needs a running server" in done.err
        assert "start `ostinato serve`" in done.err
        assert "does not open a store by itself" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("w.yaml",), "'w.yaml' is no module:app"),
        (("some_hands.py:app", "--topics", "near"), "no handler 'near' here; here are far"),
        (("some_hands.py:bare",), "this app has no handlers"),
        (("some_hands.py:app", "--lease", "soon"), "--lease: 'soon' is not a duration"),
        (("some_hands.py:app", "--drain", "soon"), "--drain: 'soon' is not a duration"),
        (("some_hands.py:app", "--url", "far:1"), "url"),
    ],
)
def test_wrong_uses_are_told(hands, arguments, told):
    url = () if "--url" in arguments else ("--url", "http://127.0.0.1:9")
    done = hands("worker", *arguments, *url)
    assert (done.code, told in done.err) == (2, True), done


def test_topics_are_names_with_or_without_a_number():
    assert topics_in("a, b=4,c.d") == {"a": None, "b": 4, "c.d": None}
    for wrong in ("", "a=", "a=0", "a=x", "=3", "a,,b"):
        with pytest.raises(Stop, match="neither NAME nor NAME=NUMBER"):
            topics_in(wrong)


def test_a_worker_that_was_not_heard_of_for_too_long_is_marked():
    one = {"name": "w1", "topics": ["far"], "version": "1", "jobs": 0, "skew": "", "late": False}
    one["seenAt"] = NOW - 41_000
    assert workers._worker(one, NOW)[3] == "41 s ago"
    assert workers._worker(one | {"late": True}, NOW)[3] == "41 s ago, longer than its lease"


def test_what_nobody_asks_for_is_listed(hands):
    hands("deploy", "w.yaml")
    hands("start", "w")
    listed = hands("workers")
    assert listed.code == 0
    assert "no workers" in listed.err
    head, row = listed.out.strip().splitlines()
    assert head.split() == ["topic", "offered", "taken", "oldest", "asked", "for"]
    assert row.split()[:3] == ["far", "1", "0"]
    assert row.endswith("by nobody yet")


def waiting(**wait):
    given = {"kind": "worker", "topic": "far", "since": NOW - 12_000} | wait
    return words.reason(given, NOW, "http://h:1")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, "; nobody has asked for it since the server began; `ostinato worker module:app`"),
        (NOW - 300_000, f"; nobody has asked for it since {words.moment(NOW - 300_000)}; `"),
        (NOW - 4_000, "; workers ask for it, the last one 4 s ago"),
    ],
)
def test_a_job_that_waits_for_a_worker_says_whether_there_is_one(asked, told):
    said = waiting(askedAt=asked)
    assert said.startswith("waits for a worker of topic far since 12 s")
    assert told in said
