"""Elsewhere: jobs that workers do."""

import pytest
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.facts import Failure
from tests.core.semantics.rule import Rule, holds

ONE = "[{job: a, run: far, with: {n: 1}, retry: 1}]"
LONG = "[{job: a, run: far, timeout: 5s, retry: 1}]"


def offered(play, *here):
    """Only these handlers are here."""
    play.graph.here = {"h", *here}
    return play.start()


def take(play, attempt=1, worker="w1"):
    return play.tell(e.Taken("p/a", attempt, worker, play.now))


def lose(play, times=1, *, started=True):
    for _ in range(times):
        if started:
            take(play)
        play.tell(e.LeaseLost("p/a", 1, "w1", play.now))
    return play


def asks(play):
    offered(play)
    (offer,) = play.offered.values()
    assert (offer.topic, bytes(offer.input), play.ready) == ("far", b'{"n":1}', [])
    assert play.state.waiting_for == "worker"


def at_work(play):
    take(offered(play))
    assert play.state.waiting_for is None
    assert play.state.steps["p/a"].worker == "w1"


def done(play):
    take(offered(play)).tell(e.Completed("p/a", 1, Raw(b"2")))


def tried_again(play):
    take(offered(play)).tell(e.Failed("p/a", 1, Failure("Oops", "no")))
    play.tick()
    take(play, 2).tell(e.Completed("p/a", 2, Raw(b"2")))


def late(play):
    offered(play)
    play.now += 60_000
    take(play)
    play.now += 4_999
    lose(play)
    play.now += 1
    take(play)
    play.now += 5_000
    play.tell(e.LeaseLost("p/a", 1, "w1", play.now - 5_000))


def given_back(play):
    offered(play)
    for _ in range(5):
        take(play).tell(e.HandedOver("p/a", 1))
    play.tell(e.HandedOver("p/a", 1))


def taken_over(play):
    offered(play).tell(e.TakenOver())
    take(play).tell(e.TakenOver())
    play.tell(e.Completed("p/a", 1, Raw(b"2")))


def gone_from_here(play):
    play.start().tell(e.Started("p/a", 1))
    play.graph.here = set()
    play.tell(e.TakenOver())
    assert [*play.offered] == [("p/a", 2)]


def come_here(play):
    offered(play)
    play.graph.here = {"far"}
    play.tell(e.TakenBack("p/a", 1))
    assert [(one.key, one.gently) for one in play.recalled] == [("p/a", True)]
    assert [(one.key, one.attempt) for one in play.ready] == [("p/a", 2)]


def taken_meanwhile(play):
    take(offered(play))
    play.graph.here = {"far"}
    play.tell(e.TakenBack("p/a", 1))


def cancelled(*told):
    def run(play):
        take(offered(play)).tell(e.CancelRequested())
        assert [(one.key, one.gently) for one in play.recalled] == [("p/a", False)]
        for one in told:
            play.tell(one)

    return run


LOST = e.LeaseLost("p/a", 1, "w1", 0)

RULES = [
    Rule(
        "elsewhere",
        "A job whose handler is not here is offered to workers, under the name as topic; the run "
        "waits for a worker.",
        ONE,
        play=asks,
        status="waiting",
        waits="worker",
        jobs={"p/a": "ready"},
        has=("job.offered p/a",),
        lacks=("job.ready p/a",),
    ),
    Rule(
        "elsewhere-taken",
        "Who has it, and since when, is its start fact: while it is at work the run is running.",
        ONE,
        play=at_work,
        status="running",
        jobs={"p/a": "running"},
        has=("job.offered p/a", "job.taken p/a"),
    ),
    Rule("elsewhere-done", "What the worker says is its outcome.", ONE, play=done, output={"a": 2}),
    Rule(
        "elsewhere-again",
        "A failed attempt is tried again as everywhere: the next one is offered when it is due.",
        "[{job: a, run: far}]",
        play=tried_again,
        output={"a": 2},
        has=("job.taken p/a", "job.retried p/a", "job.offered p/a", "job.taken p/a"),
    ),
    Rule(
        "elsewhere-lost",
        "A worker that is not heard of in time loses the attempt: the same is offered again.",
        ONE,
        play=lambda play: lose(offered(play), 2, started=False),
        status="waiting",
        waits="worker",
        jobs={"p/a": "ready"},
        has=("job.taken p/a", "job.abandoned p/a", "job.taken p/a", "job.abandoned p/a"),
    ),
    Rule(
        "elsewhere-three",
        "Three such deaths are a failure: `Abandoned`.",
        ONE,
        play=lambda play: lose(offered(play), 3),
        status="failed",
        error="Abandoned",
    ),
    Rule(
        "elsewhere-timeout",
        "A `timeout` counts from the moment that a worker took it.",
        LONG,
        play=late,
        status="failed",
        error="Timeout",
        has=("job.abandoned p/a", "job.failed p/a"),
    ),
    Rule(
        "elsewhere-back",
        "A worker may give a job back, however often: that is no death, and no failure.",
        ONE,
        play=given_back,
        status="waiting",
        waits="worker",
        jobs={"p/a": "ready"},
        has=("job.taken p/a", "job.returned p/a"),
    ),
    Rule(
        "elsewhere-takeover",
        "A process of the engine that dies takes nothing from workers: they go on.",
        ONE,
        play=taken_over,
        output={"a": 2},
        lacks=("job.abandoned p/a",),
    ),
    Rule(
        "elsewhere-gone",
        "A job whose handler is gone when its process is taken over is offered.",
        ONE,
        play=gone_from_here,
        status="waiting",
        waits="worker",
        has=("job.ready p/a", "job.abandoned p/a", "job.offered p/a"),
    ),
    Rule(
        "elsewhere-come",
        "When a handler of its name comes, what nobody has taken is begun here.",
        ONE,
        play=come_here,
        status="running",
        jobs={"p/a": "ready"},
        has=("job.offered p/a", "job.ready p/a"),
    ),
    Rule(
        "elsewhere-kept",
        "What a worker has by then stays with it.",
        ONE,
        play=taken_meanwhile,
        status="running",
        jobs={"p/a": "running"},
    ),
    Rule(
        "elsewhere-cancel",
        "A cancel takes the offer back, and tells the worker that has it: the job ends when that "
        "one says so …",
        ONE,
        play=cancelled(e.Stopped("p/a", 1)),
        status="cancelled",
    ),
    Rule(
        "elsewhere-silent", "… or is not heard of.", ONE, play=cancelled(LOST), status="cancelled"
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_elsewhere(rule):
    holds(rule)


def test_a_job_that_is_here_is_none_of_these():
    holds(Rule("", "", ONE, does={"h": 1}, play=lambda play: offered(play, "far"),
               status="running", lacks=("job.offered p/a",)))  # fmt: skip
