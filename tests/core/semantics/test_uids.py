"""Runs of one uid: who waits for whom, and what an open run hears of a second start."""

import pytest
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.codec import encode_value
from tests.core.semantics.rule import Rule, holds

LINE = "uid:w:u"
ONE = "[{job: a, run: echo}]"
HEARS = "[{job: a, wait: {event: T}}]"
BUSY = "[{job: x, run: open}, {job: a, wait: {event: T}, needs: x}]"


def behind(play):
    """In the line of its uid."""
    return play.tell(e.Start("run", "seed", "u", Raw(b'{"tenant": "t"}'), behind=LINE))


def in_turn(play):
    behind(play).work()


def with_its_own_limit(play):
    [asked] = behind(play).turns.values()
    assert [(want.name, want.overflow) for want in asked.wants] == [
        (LINE, "line"), ("concurrency:w:t", "queue"),
    ]  # fmt: skip


def left_the_line(play):
    behind(play).tell(e.CancelRequested())
    assert play.turns == {}


def followed(play):
    play.start(uid="u").tell(e.Followed(LINE)).tell(e.Followed(LINE))
    assert play.places == {"": (LINE,)}
    play.work()


def followed_too_late(play):
    play.run()
    play.tell(e.Followed(LINE))


def sent(play, number=1, type="T"):
    event = {"id": str(number), "source": "s", "type": type, "data": {"n": number}}
    return play.tell(e.Signalled(encode_value(event), "uid", "again", keep=True))


def heard_at_once(play):
    sent(play.start())
    assert play.state.signals == ()


def kept(play):
    sent(sent(sent(play.start(), type="OTHER"), 2), 2)
    assert len(play.state.signals) == 2
    play.complete("p/x")
    assert len(play.state.signals) == 1


def one_each(play):
    sent(sent(play.start(), 1), 2)
    play.complete("p/x")


def too_many(play):
    play.start()
    for number in range(1, 1_003):
        sent(play, number)
    assert len(play.state.signals) == 1_000


def cancelled_and_resumed(play):
    play.start().tell(e.CancelRequested())
    play.obey_stops().tell(e.RetryRequested("uid", "again"))
    play.complete("p/a#2")


def never_began_and_resumed(play):
    behind(play).tell(e.CancelRequested())
    play.tell(e.RetryRequested("uid", "again")).work()


RULES = [
    Rule(
        "uid-line",
        "A run behind another of its uid (`open: queue`) is `pending`, `waitingFor: uid`.",
        ONE,
        play=behind,
        status="pending",
        waits="uid",
        jobs={},
    ),
    Rule(
        "uid-line-turn",
        "It begins when its turn comes.",
        ONE,
        play=in_turn,
        has=("run.queued", "run.admitted", "phase.opened p"),
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "uid-line-limit",
        "It waits for its workflow's `concurrency` and `rate` with that, and holds none before.",
        ONE,
        "concurrency: {key: input.tenant, limit: 1}",
        play=with_its_own_limit,
        status="pending",
        waits="uid",
    ),
    Rule(
        "uid-line-cancel",
        "One that is cancelled leaves the line at once.",
        ONE,
        play=left_the_line,
        status="cancelled",
        jobs={},
    ),
    Rule(
        "uid-followed",
        "Who is open when the first one queues has its place from then on, until its end.",
        ONE,
        play=followed,
        has=("run.followed", "run.succeeded"),
    ),
    Rule(
        "uid-followed-late",
        "A run that is over is waited for by nobody.",
        ONE,
        play=followed_too_late,
        lacks=("run.followed",),
    ),
    Rule(
        "uid-signal",
        "`open: signal`: every wait that the event fits goes on.",
        HEARS,
        play=heard_at_once,
        has=("run.repaired", "job.succeeded p/a"),
    ),
    Rule(
        "uid-signal-kept",
        "Without such a wait it is kept, once, for the next one that it fits.",
        BUSY,
        play=kept,
        has=("run.signalled", "job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "uid-signal-each",
        "Each of several continues one wait, the oldest first.",
        "[{job: x, run: open}, {job: a, wait: {event: T}, needs: x}, "
        "{job: b, wait: {event: T}, needs: a}, {job: c, set: {n: '${ jobs.a.output.data.n }'}, "
        "needs: b}]",
        play=one_each,
        outputs={"p/c": {"n": 1}},
    ),
    Rule(
        "uid-signal-most",
        "A run keeps 1,000; more are refused.",
        BUSY,
        play=too_many,
        status="running",
    ),
    Rule(
        "uid-resume",
        "`again: resume` opens a run that was cancelled as one that failed: what was lost is done.",
        "[{job: a, run: open}]",
        play=cancelled_and_resumed,
        has=("job.cancelled p/a", "run.cancelled", "run.reopened", "job.succeeded p/a#2"),
    ),
    Rule(
        "uid-resume-line",
        "Also one that was cancelled before its turn had come; it does not wait again.",
        ONE,
        play=never_began_and_resumed,
        jobs={"p/a": "succeeded"},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_uids(rule):
    holds(rule)
