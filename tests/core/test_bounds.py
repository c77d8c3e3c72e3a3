"""A run has bounds, and says so when it meets them."""

from __future__ import annotations

import pytest

from ostinato.core import events as e
from ostinato.core.graph import FINALLY, ON_FAILURE, Graph, Node
from ostinato.core.model import Job, Kind, Retry, Run
from ostinato.definitions import compile, load
from ostinato.testing.play import Play


def bad(given):
    raise ValueError(given)


HANDLERS = {"echo": lambda given: given, "bad": bad}


def play(text: str, most_steps: int) -> Play:
    graph = compile(load(text)[0])
    graph.most_steps = most_steps
    return Play(graph, HANDLERS)


def test_a_run_of_too_many_steps_fails_and_on_failure_still_runs():
    text = """
    workflow: w
    phases:
      - phase: p
        mode: sequential
        jobs: [{job: a, run: echo}, {job: b, run: echo}, {job: c, run: echo}]
    on_failure: [{job: tell, run: echo}]
    """
    played = play(text, 2).run({})
    assert played.view.error is not None
    assert played.view.error.name == "TooManySteps"
    assert played.jobs == {
        "p/a": "succeeded",
        "p/b": "succeeded",
        "on_failure/tell": "succeeded",
    }


def test_an_each_over_too_many_items_never_begins():
    text = """
    workflow: w
    phases:
      - phase: p
        jobs: [{job: a, run: echo, each: {in: input.items, as: item}}]
    """
    played = play(text, 3).run({"items": [1, 2, 3, 4]})
    assert played.view.error is not None
    assert "4 items are more than 3 steps" in played.view.error.message
    assert played.jobs == {"p/a": "failed"}


def test_how_often_a_process_may_die_is_a_setting():
    graph = compile(load("{workflow: w, phases: [{phase: p, jobs: [{job: a, run: x}]}]}")[0])
    graph.most_deaths = 1
    played = Play(graph).start({}).tell(e.TakenOver()).tell(e.TakenOver())
    assert played.jobs == {"p/a": "failed"}
    assert played.view.error is not None
    assert played.view.error.name == "Abandoned"


@pytest.mark.parametrize("name", [ON_FAILURE, FINALLY])
def test_a_loop_in_the_last_of_a_run_ends_too(name):
    """No document can write it; a graph can."""
    graph = Graph("w")
    graph.add(Node(Kind.JOB, "bad", job=Job(action=Run("bad"), retry=Retry(attempts=1))))
    scope = graph.add(Node(Kind.SCOPE, name))
    first, second = (
        graph.add(Node(Kind.JOB, job, job=Job(action=Run("echo"))), scope) for job in "ab"
    )
    graph.flow(first, second)
    graph.flow(second, second)
    graph.seal().most_steps = 5
    played = Play(graph, HANDLERS).run()
    assert played.status == "failed"
    assert len(played.jobs) == {ON_FAILURE: 10, FINALLY: 15}[name]
    assert "TooManySteps" in str(played.view.warnings)
