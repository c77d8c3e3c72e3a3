"""How a run and its history are shown."""

import msgspec
import pytest

from ostinato.core import events as e
from ostinato.core.outline import outline
from ostinato.core.state import JOB_STATUSES
from ostinato.core.views import history_view, run_view
from ostinato.testing.play import NOON, Play
from tests.core.semantics.rule import graph_of, handlers

TEXT = """
phases:
  - phase: one
    each: {in: '[1, 2]', at_once: 1}
    jobs: [{job: a, run: echo, with: "${ item }"}]
  - {phase: two, when: 1 == 2, jobs: [{job: b, run: echo}]}
  - phase: three
    jobs:
      - {job: c, wait: {event: PAID, match: {data: {id: [7]}}, timeout: 5m}}
      - {job: d, run: open}
      - {job: f, run: bad, optional: true, retry: 1}
"""
PUBLIC = set(JOB_STATUSES)


@pytest.fixture
def play():
    return Play(graph_of(TEXT), handlers({})).start({"x": 1}).work()


def shown(play):
    return msgspec.json.decode(msgspec.json.encode(run_view(play.state)))


def test_a_run_shows_each_step_once(play):
    jobs = {job["key"]: job for job in shown(play)["jobs"]}
    assert list(jobs) == ["one[0]/a", "one[1]/a", "two/b", "three/c", "three/d", "three/f"]
    assert jobs["one[1]/a"] == {
        "key": "one[1]/a",
        "job": "a",
        "phase": "one",
        "status": "succeeded",
        "attempts": 1,
        "startedAt": NOON,
        "endedAt": NOON,
        "input": 2,
        "output": 2,
    }
    assert jobs["two/b"]["reason"] == "1 == 2 is false"
    assert jobs["three/f"]["error"] == {"name": "Oops", "message": "bad"}


def test_phases_are_phases_and_neither_items_nor_jobs():
    text = """
phases:
  - {phase: one, each: {in: '[1, 2]'}, jobs: [{job: a, run: echo}]}
  - {phase: two, when: 1 == 2, jobs: [{job: b, run: echo}]}
  - {phase: three, jobs: [{job: c, run: echo, each: {in: '[1, 2]'}}]}
finally: [{job: d, run: echo}]
"""
    play = Play(graph_of(text), handlers({})).run()
    phases = {phase["key"]: phase["status"] for phase in shown(play)["phases"]}
    assert phases == {
        "one": "succeeded", "two": "skipped", "three": "succeeded", "finally": "succeeded",
    }  # fmt: skip


def test_a_run_says_what_it_waits_for(play):
    run = shown(play)
    assert (run["status"], run["waitingFor"]) == ("running", None)
    assert run["waits"] == [
        {
            "key": "three/c",
            "kind": "event",
            "since": NOON,
            "dueAt": NOON + 300_000,
            "types": ["PAID"],
            "match": {"data": {"id": [7]}},
        }
    ]
    play.complete("three/d")
    run = shown(play)
    assert (run["status"], run["waitingFor"]) == ("waiting", "event")


def test_no_inner_word_is_shown(play):
    play.tell(e.CancelRequested())
    assert {job["status"] for job in shown(play)["jobs"]} <= PUBLIC
    assert {node["status"] for node in outline(play.graph, play.state)["nodes"]} <= PUBLIC


def test_history_numbers_its_facts_and_names_their_jobs(play):
    facts = list(history_view(0, NOON, play.facts))
    assert [fact["seq"] for fact in facts] == list(range(len(facts)))
    ready = next(fact for fact in facts if fact["type"] == "job.ready" and fact["job"] == "a")
    assert ready.pop("input") == msgspec.Raw(b"1")
    assert ready == {
        "seq": ready["seq"],
        "at": NOON,
        "type": "job.ready",
        "key": "one[0]/a",
        "job": "a",
        "attempt": 1,
    }


def test_an_outline_has_nodes_flows_and_how_they_stand(play):
    drawn = outline(play.graph, play.state)
    status = {node["path"]: node["status"] for node in drawn["nodes"]}
    assert status["one"] == "succeeded"
    assert status["two/b"] == "skipped"
    assert status["three/c"] == "waiting"
    assert [(flow["from"], flow["to"]) for flow in drawn["flows"]] == [
        ("one", "two"),
        ("two", "three"),
    ]
