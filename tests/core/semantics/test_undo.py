"""Undo: what was done is taken back."""

import pytest

from ostinato.core import events as e
from ostinato.core.forks import given_to_fork
from tests.core.semantics.rule import Oops, Rule, holds

CHAIN = """
phases:
  - phase: p
    mode: sequential
    jobs:
      - {job: a, run: echo, with: {n: 1}, undo: back}
      - {job: b, run: echo, with: {n: 2}, undo: back}
      - {job: c, run: open}
"""


def backs(play):
    return [key for key in play.calls if key.endswith(":undo")]


def fails_at(key):
    def run(play):
        play.start().work().fail(key, final=True).obey_stops().work()

    return run


def cancelled(play):
    play.start().work().tell(e.CancelRequested("me", "why")).obey_stops().work()


def cancelled_twice(play):
    play.start().work().tell(e.CancelRequested("me", "why")).obey_stops()
    play.tell(e.CancelRequested("me", "again")).work()


def dies_while_undoing(play):
    play.start().work().fail("p/c", final=True)
    play.ready.clear()
    play.tell(e.TakenOver()).work()


def in_reverse_of_ends(play):
    play.start().complete("p/b").complete("p/a").fail("p/c", final=True).obey_stops().work()
    assert backs(play) == ["p/a:undo", "p/b:undo"]


def held_then_skipped(play):
    fails_at("p/c")(play)
    assert play.view.waiting_for == "repair"
    play.tell(e.SkipRequested("p/b:undo", "me", "did it by hand")).work()


def held_then_retried(play):
    fails_at("p/c")(play)
    play.handlers["back"] = lambda data: data
    play.tell(e.RetryRequested("me", "mended")).work()


def forked(play):
    """What was taken back is not there any more: whoever forks does it anew."""
    fails_at("p/c")(play)
    assert bytes(given_to_fork(play.state)) == b"{}"


def unknown(play):
    play.start().tick().work()


BACK = {"back": lambda data: data}
BOTH = {"p/a": "undone", "p/b": "undone", "p/c": "failed",
        "p/b:undo": "succeeded", "p/a:undo": "succeeded"}  # fmt: skip

RULES = [
    Rule(
        "undo-fork",
        "A fork of such a run does anew what was taken back.",
        CHAIN,
        does=BACK,
        play=forked,
        status="failed",
        error="Oops",
        jobs=BOTH,
    ),
    Rule(
        "undo",
        "When the run fails, what succeeded is taken back, newest first, one after the other; its "
        "status is then `undone`, and the step that did it is `key:undo`.",
        CHAIN,
        does=BACK,
        play=fails_at("p/c"),
        status="failed",
        error="Oops",
        jobs=BOTH,
        calls="p/a p/b p/b:undo p/a:undo",
        has=("undo.planned", "job.undone p/b", "job.undone p/a", "run.failed"),
    ),
    Rule(
        "undo-not",
        "A run that succeeds takes nothing back.",
        "[{job: a, run: echo, undo: back}]",
        does=BACK,
        calls="p/a",
    ),
    Rule(
        "undo-cancel",
        "A cancel takes back too …",
        CHAIN,
        does=BACK,
        play=cancelled,
        status="cancelled",
        jobs=BOTH | {"p/c": "cancelled"},
    ),
    Rule(
        "undo-cancel-again",
        "… and a second cancel does not stop that.",
        CHAIN,
        does=BACK,
        play=cancelled_twice,
        status="cancelled",
        jobs=BOTH | {"p/c": "cancelled"},
    ),
    Rule(
        "undo-with",
        "An undo that is a name gets the job's own `with`, as it was …",
        "[{job: a, run: echo, with: {n: '${ input.n }'}, undo: echo}, "
        "{job: b, run: fatal, needs: a}]",
        input={"n": 7},
        status="failed",
        error="Fail",
        outputs={"p/a:undo": {"n": 7}},
    ),
    Rule(
        "undo-with-own",
        "… and one that is a body has its own; it may read `output`.",
        "[{job: a, run: x, undo: {run: echo, with: 'undo ${ output }'}}, "
        "{job: b, run: fatal, needs: a}]",
        does={"x": "it"},
        status="failed",
        error="Fail",
        outputs={"p/a:undo": "undo it"},
    ),
    Rule(
        "undo-recorded",
        "What it will be given is recorded when the job ends: later changes do not count.",
        """
        - {job: v, set: {n: 1}}
        - {job: a, run: echo, needs: v, undo: {run: echo, with: '${ vars.n }'}}
        - {job: w, set: {n: 2}, needs: a}
        - {job: b, run: fatal, needs: w}
        """,
        status="failed",
        error="Fail",
        outputs={"p/a:undo": 1},
    ),
    Rule(
        "undo-any-kind",
        "It may be any kind of job but `end`.",
        "[{job: a, run: echo, undo: {emit: {type: GONE}}}, {job: b, run: fatal, needs: a}]",
        status="failed",
        error="Fail",
        jobs={"p/a": "undone", "p/b": "failed", "p/a:undo": "succeeded"},
    ),
    Rule(
        "undo-order",
        "The order is that of the ends, last first, not that of the document.",
        "[{job: a, run: open, undo: back}, {job: b, run: open, undo: back}, {job: c, run: open}]",
        does=BACK,
        play=in_reverse_of_ends,
        status="failed",
        error="Oops",
    ),
    Rule(
        "undo-scopes",
        "What a phase or an item did is taken back as a whole, in its place.",
        """
        phases:
          - {phase: p, each: {in: '[1, 2]', at_once: 1}, jobs: [
              {job: a, run: echo, undo: back}, {job: b, run: echo, needs: a, undo: back}]}
          - {phase: q, jobs: [{job: c, run: fatal}]}
        """,
        does=BACK,
        status="failed",
        error="Fail",
        calls="p[0]/a p[0]/b p[1]/a p[1]/b q/c p[1]/b:undo p[1]/a:undo p[0]/b:undo p[0]/a:undo",
    ),
    Rule(
        "undo-item",
        "So are the items of a job.",
        "[{job: a, run: echo, with: '${ item }', each: {in: '[1, 2]'}, undo: echo}, "
        "{job: b, run: fatal, needs: a}]",
        status="failed",
        error="Fail",
        outputs={"p/a[0]:undo": 1, "p/a[1]:undo": 2},
    ),
    Rule(
        "undo-unknown",
        "A job whose outcome is not known (`Timeout`, `HeartbeatTimeout`, `Abandoned`) is taken "
        "back as well …",
        "[{job: a, run: open, callback: true, timeout: 5m, undo: back}]",
        does=BACK,
        play=unknown,
        status="failed",
        error="Timeout",
        jobs={"p/a": "undone", "p/a:undo": "succeeded"},
    ),
    Rule(
        "undo-failed",
        "… one that has said that it failed is not, nor one that was skipped.",
        "[{job: a, run: fatal, undo: back}, {job: b, run: echo, when: 1 == 2, undo: back}]",
        does=BACK,
        status="failed",
        error="Fail",
        calls="p/a",
    ),
    Rule(
        "undo-before-on-failure",
        "It comes before `on_failure` and `finally`.",
        "[{job: a, run: echo, undo: back}, {job: b, run: fatal, needs: a}]",
        more="on_failure: [{job: t, run: echo}]\nfinally: [{job: f, run: echo}]",
        does=BACK,
        status="failed",
        error="Fail",
        calls="p/a p/b p/a:undo on_failure/t finally/f",
    ),
    Rule(
        "undo-doing",
        "Meanwhile the run is running, `doing: undo`.",
        "[{job: a, run: echo, undo: open}, {job: b, run: fatal, needs: a}]",
        status="running",
        error="Fail",
    ),
    Rule(
        "undo-retry",
        "A failing undo is tried again like a job …",
        "[{job: a, run: echo, undo: back}, {job: b, run: fatal, needs: a}]",
        does={"back": [Oops("1"), "2"]},
        status="failed",
        error="Fail",
        outputs={"p/a:undo": "2"},
    ),
    Rule(
        "undo-held",
        "… and when it has failed for good the run waits for `repair`; nothing older is taken back "
        "before it.",
        CHAIN,
        does={"back": [Oops("1")] * 9},
        play=lambda play: (
            play.start().work().fail("p/c", final=True).work().tick().work().tick().work()
        ),
        status="waiting",
        error="Oops",
        waits="repair",
        has=("job.held p/b:undo",),
        lacks=("job.undone p/b",),
    ),
    Rule(
        "undo-held-skip",
        "An operator skips it: the job stays as it was, and the next is taken back …",
        CHAIN,
        does={"back": lambda data: back_once(data)},
        play=held_then_skipped,
        status="failed",
        error="Oops",
        jobs=BOTH | {"p/b": "succeeded", "p/b:undo": "skipped"},
    ),
    Rule(
        "undo-held-retry",
        "… or has it tried once more.",
        CHAIN,
        does={"back": lambda data: fatal(data)},
        play=held_then_retried,
        status="failed",
        error="Oops",
        jobs=BOTH,
    ),
    Rule(
        "undo-broken",
        "An undo whose arguments cannot be made waits for `repair` too.",
        "[{job: a, run: echo, undo: {run: back, with: '${ output + 1 }'}}, "
        "{job: b, run: fatal, needs: a}]",
        does=BACK,
        status="waiting",
        error="Fail",
        waits="repair",
    ),
    Rule(
        "undo-takeover",
        "A process that dies while it takes back loses nothing: the undo is begun again.",
        CHAIN,
        does=BACK,
        play=dies_while_undoing,
        status="failed",
        error="Oops",
        jobs=BOTH,
    ),
]


def back_once(data):
    """The newest cannot be taken back."""
    return fatal(data) if data == {"n": 2} else data


def fatal(data):
    from ostinato import Fail

    raise Fail("no way back")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule):
    holds(rule)
