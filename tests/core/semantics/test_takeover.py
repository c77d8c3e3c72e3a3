"""Takeover: a process dies, another goes on."""

import pytest

from ostinato.core import events as e
from ostinato.core.codec import NULL
from ostinato.core.decide import outstanding
from tests.core.semantics.rule import Rule, holds

OPEN = "[{job: a, run: open}]"


def die(play, times=1):
    for _ in range(times):
        play.ready.clear()  # what the dead process had in hand
        play.tell(e.TakenOver())
    return play


def dies(times, *, started):
    def run(play):
        play.start()
        for attempt in range(1, times + 1):
            if started:
                play.tell(e.Started("p/a", attempt))
            die(play)

    return run


def suspected(play):
    """It dies many times, but once only while it is at work."""
    play.start().tell(e.Started("p/a", 1))
    die(play, 6)
    assert [(job.attempt, job.deaths) for job in play.ready] == [(7, 1)]


def stops(times):
    """In order: what has not ended is handed over, with a start fact or without."""

    def run(play):
        play.start()
        for attempt in range(1, times + 1):
            play.tell(e.Started("p/a", attempt)).tell(e.HandedOver("p/a", attempt))
            die(play)

    return run


def stops_while_cancelling(play):
    play.start().tell(e.CancelRequested()).tell(e.HandedOver("p/a", 1))


def reports(attempt):
    def run(play):
        die(play.start()).tell(e.Completed("p/a", attempt, NULL))

    return run


def finds_what_is_outstanding(play):
    """What a process that lost its memory must start is what was asked for."""
    play.start()
    asked = [(job.key, job.attempt, job.handler) for job in play.ready]
    assert [(job.key, job.attempt, job.handler) for job in outstanding(play.state)] == asked
    die(play)
    assert [(job.key, job.attempt) for job in outstanding(play.state)] == [("p/a", 2)]


RULES = [
    Rule(
        "takeover",
        "A job that was in hand is begun again as the next attempt, after a fact that says so; "
        "with the same input and no delay.",
        "[{job: a, run: h, with: ['${ job.key }']}]",
        does={"h": lambda data: data},
        play=lambda play: die(play.start()).work(),
        outputs={"p/a": ["p/a"]},
        has=("job.ready p/a", "job.abandoned p/a", "job.started p/a", "job.succeeded p/a"),
        took=0,
    ),
    Rule(
        "takeover-late",
        "The dead process' own report is of another attempt: it changes nothing.",
        OPEN,
        play=reports(1),
        status="running",
        jobs={"p/a": "running"},
    ),
    Rule("takeover-report", "The new one's counts.", OPEN, play=reports(2)),
    Rule(
        "takeover-outstanding",
        "Whoever loads a run finds in it exactly the attempts that are to be started.",
        OPEN,
        play=finds_what_is_outstanding,
        status="running",
    ),
    Rule(
        "takeover-innocent",
        "An attempt without a start fact never counts as a death.",
        OPEN,
        play=lambda play: dies(3, started=False)(play),
        status="running",
        jobs={"p/a": "ready"},
    ),
    Rule(
        "takeover-two",
        "Two deaths with one are borne …",
        OPEN,
        play=dies(2, started=True),
        status="running",
        jobs={"p/a": "ready"},
    ),
    Rule(
        "takeover-three",
        "… at the third the job has failed with `Abandoned`.",
        OPEN,
        play=dies(3, started=True),
        status="failed",
        error="Abandoned",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "takeover-suspect",
        "A job that has died once is ready again, and gets its start fact when it is its turn: "
        "such jobs are at work one at a time, so that one death tells on one of them.",
        OPEN,
        play=suspected,
        status="running",
        jobs={"p/a": "ready"},
        has=("job.started p/a", "job.abandoned p/a", "job.ready p/a", "job.abandoned p/a"),
    ),
    Rule(
        "takeover-stop",
        "A stop in order is no death, however often: a job that has not ended is handed over with "
        "`job.returned`, and begun again.",
        OPEN,
        play=stops(5),
        status="running",
        jobs={"p/a": "running"},
        has=("job.started p/a", "job.returned p/a", "job.abandoned p/a", "job.started p/a"),
    ),
    Rule(
        "takeover-stop-cancelling",
        "A job that was asked to stop is cancelled by it.",
        OPEN,
        play=stops_while_cancelling,
        status="cancelled",
        jobs={"p/a": "cancelled"},
        lacks=("job.returned p/a",),
    ),
    Rule(
        "takeover-optional",
        "Which is a failure as any: `optional` forgives it.",
        "[{job: a, run: open, optional: true}]",
        play=dies(3, started=True),
        jobs={"p/a": "failed"},
    ),
    Rule(
        "takeover-no-attempt",
        "A death takes nothing from `retry`: that counts failures.",
        "[{job: a, run: open, retry: 2}]",
        play=lambda play: die(play.start()).fail("p/a").tick().complete("p/a", 1),
        output={"a": 1},
    ),
    Rule(
        "takeover-waiting",
        "What waits is not touched: timers, events, callbacks, the time between two attempts.",
        "[{job: a, wait: 1h}, {job: b, wait: {event: T}}, {job: c, run: echo, callback: true}, "
        "{job: d, run: bad}]",
        play=lambda play: die(play.start().work()),
        status="waiting",
        waits="timer",
        jobs={"p/a": "waiting", "p/b": "waiting", "p/c": "waiting", "p/d": "waiting"},
        lacks=("job.abandoned p/c",),
    ),
    Rule(
        "takeover-timeout",
        "The `timeout` of a callback and its `heartbeat` go on as they were.",
        "[{job: a, run: open, callback: true, timeout: 20m, heartbeat: 5m, retry: 1}]",
        play=lambda play: die(play.start()).tick(),
        status="failed",
        error="HeartbeatTimeout",
        took=300_000,
    ),
    Rule(
        "takeover-cancelling",
        "A job that was asked to stop is cancelled: its process is gone.",
        OPEN,
        play=lambda play: die(play.start().tell(e.CancelRequested())),
        status="cancelled",
        jobs={"p/a": "cancelled"},
        has=("job.cancelling p/a", "job.abandoned p/a", "job.cancelled p/a"),
    ),
    Rule(
        "takeover-each",
        "In an `each` every item that was in hand.",
        "[{job: a, run: echo, each: {in: '[1, 2]'}, with: '${ item }'}]",
        play=lambda play: die(play.start()).work(),
        output={"a": [1, 2]},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_takeover(rule):
    holds(rule)
