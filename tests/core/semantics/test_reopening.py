"""Reopening: a run that has failed, or was cancelled, goes on."""

import pytest

from ostinato.core import events as e
from ostinato.core.codec import encode_value
from tests.core.semantics.rule import Oops, Rule, holds

FAILS = """
phases:
  - {phase: p, jobs: [{job: a, run: echo}]}
  - {phase: q, jobs: [{job: b, run: x, retry: 1}, {job: c, run: open},
      {job: d, run: echo, needs: [b, c]}]}
  - {phase: r, jobs: [{job: z, run: echo}]}
"""
ONE_OF_TWO = "[{job: a, run: x, retry: 1, on_error: finish}, " \
    "{job: b, run: y, retry: 1}, {job: c, wait: 1h}]"  # fmt: skip
TWICE = {"x": [Oops("1"), "fine"]}


def fails(play):
    return play.start().work().obey_stops().work()


def reopened(play):
    fails(play).handlers["open"] = lambda data: "c"
    play.tell(e.RetryRequested("me", "mended")).work()


def reopened_skipping(play):
    fails(play).handlers["open"] = lambda data: "c"
    play.tell(e.SkipRequested("q/b", "me", "not needed", encode_value(5))).work()


def reopened_editing(key):
    def play(play):
        fails(play).handlers["open"] = lambda data: "c"
        play.tell(e.RetryRequested("me", "wrong n", key, encode_value({"n": 2}))).work()

    return play


def reopened_for_two(play):
    """Two have failed: an input is of one of them."""
    fails(play).tell(e.RetryRequested("me", "which?", "", encode_value({"n": 2})))
    assert play.state.ended
    play.tell(e.RetryRequested("me", "this", "p/a", encode_value({"n": 2}))).work()
    play.tell(e.RetryRequested("me", "and that")).work()


def reopened_for_one(*told):
    """``told`` after it has failed."""

    def play(play):
        fails(play)
        for event in told:
            play.tell(event).work().obey_stops().work()

    return play


def retry_of(key, *input):
    return e.RetryRequested("me", "this one", key, *map(encode_value, input))


def skip_of(key, output):
    return e.SkipRequested(key, "me", "not needed", encode_value(output))


def optional_is_over(play):
    play.start().work()
    play.tell(e.RetryRequested("me", "once more", "p/a"))
    assert play.state.ended
    play.tell(e.RetryRequested("me", "once more", "q/b")).work()


def reopened_and_fails_again(play):
    fails(play).handlers["open"] = lambda data: "c"
    play.tell(e.RetryRequested("me", "once more")).work().obey_stops().work()


def refused(play):
    fails(play).tell(e.RetryRequested("me", "mended")).work()


def skipped_after_a_retry(play):
    """The item has failed twice by then."""
    play.start().work().tell(e.RetryRequested("me", "once more")).work()
    play.tell(e.SkipRequested("p/a[0]#2", "me", "not needed", encode_value("by hand"), done=True))
    play.work()


def cancelled_and_reopened(play):
    play.start().work().tell(e.CancelRequested())
    play.work().tell(e.RetryRequested("ada", "it was the wrong one")).work()
    play.tick().work()


RULES = [
    Rule(
        "reopen",
        "A run that has failed goes on from what failed: it, and what was cancelled with it, is "
        "done once more, as `b#2`; what was done stays.",
        FAILS,
        does=TWICE,
        play=reopened,
        jobs={
            "p/a": "succeeded",
            "q/b": "failed",
            "q/c": "cancelled",
            "q/b#2": "succeeded",
            "q/c#2": "succeeded",
            "q/d": "succeeded",
            "r/z": "succeeded",
        },
        has=("run.failed", "run.reopened", "phase.reopened q", "run.succeeded"),
    ),
    Rule(
        "reopen-skip",
        "Or it goes on without what failed.",
        FAILS,
        does=TWICE,
        play=reopened_skipping,
        outputs={"q/b#2": 5},
        jobs={
            "p/a": "succeeded",
            "q/b": "failed",
            "q/c": "cancelled",
            "q/b#2": "skipped",
            "q/c#2": "succeeded",
            "q/d": "succeeded",
            "r/z": "succeeded",
        },
    ),
    Rule(
        "reopen-edit",
        "… or does it with another input …",
        FAILS,
        does={"x": [Oops("1"), lambda data: data]},
        play=reopened_editing("q/b"),
        outputs={"q/b#2": {"n": 2}},
        has=("run.reopened", "run.repaired", "job.ready q/b#2"),
    ),
    Rule(
        "reopen-edit-one",
        "… which needs no name where one job has failed. The input of an item is that item's.",
        "[{job: b, run: x, retry: 1, on_error: finish, each: {in: '[1, 2, 3]', as: n}}]",
        does={"x": ["1", Oops("2"), "3", lambda data: data]},
        play=reopened_editing(""),
        outputs={"p/b[0]": "1", "p/b[1]#2": {"n": 2}, "p/b[2]": "3"},
    ),
    Rule(
        "reopen-edit-unbegun",
        "An input is refused where `each.in` or `when` has failed: it would be of no use.",
        """
        - {job: a, run: echo, each: {in: 'input.none.list'}, on_error: finish}
        - {job: b, run: echo, when: 1 / 0 == 1}
        """,
        play=reopened_for_one(retry_of("", 5), retry_of("p/a", [5]), retry_of("p/b", 5)),
        status="failed",
        error="ExpressionError",
        lacks=("run.reopened",),
    ),
    Rule(
        "reopen-edit-two",
        "Where several have failed it has to be said of which it is. The other "
        "one waits for repair.",
        "[{job: a, run: x, retry: 1, on_error: finish}, {job: b, run: x, retry: 1}]",
        does={"x": [Oops("1"), Oops("2"), lambda data: data, lambda data: "b"]},
        play=reopened_for_two,
        outputs={"p/a#2": {"n": 2}, "p/b#2": "b"},
        has=("run.reopened", "run.repaired", "job.held p/b#2", "run.repaired", "run.succeeded"),
    ),
    Rule(
        "reopen-one",
        "Who names a step means that one: another that has failed is not done, and waits for "
        "repair; what was cancelled with them is done once more.",
        ONE_OF_TWO,
        does={"x": [Oops("1"), "a"], "y": [Oops("1"), "b"]},
        play=reopened_for_one(e.CancelRequested(), retry_of("p/a")),
        calls="p/a p/b p/a#2",
        jobs={
            "p/a": "failed",
            "p/b": "failed",
            "p/c": "cancelled",
            "p/a#2": "succeeded",
            "p/b#2": "waiting",
            "p/c#2": "waiting",
        },
        status="waiting",
        waits="repair",
        has=("run.reopened", "run.repaired", "job.held p/b#2"),
    ),
    Rule(
        "reopen-one-skip",
        "So it is when one is skipped.",
        "[{job: a, run: x, retry: 1, on_error: finish}, {job: b, run: y, retry: 1}]",
        does={"x": [Oops("1"), "a"], "y": [Oops("1"), "b"]},
        play=reopened_for_one(skip_of("p/a", 5), retry_of("p/b#2")),
        outputs={"p/a#2": 5, "p/b#2": "b"},
        calls="p/a p/b p/b#2",
    ),
    Rule(
        "reopen-one-item",
        "So it is with the items of an `each`.",
        "[{job: a, run: x, retry: 1, on_error: finish, each: {in: '[1, 2]'}}]",
        does={"x": [Oops("1"), Oops("2"), "a", "b"]},
        play=reopened_for_one(retry_of("p/a[1]"), retry_of("")),
        outputs={"p/a[1]#2": "a", "p/a[0]#2": "b"},
        has=("job.held p/a[0]#2", "job.succeeded p/a[1]#2", "job.succeeded p/a[0]#2"),
    ),
    Rule(
        "reopen-one-again",
        "When it fails once more, the other one is as it was: cancelled while it waited for "
        "repair, it waits for it again.",
        "[{job: a, run: x, retry: 1, on_error: finish}, {job: b, run: y, retry: 1}]",
        does={"x": [Oops("1"), Oops("2"), "a"], "y": [Oops("1"), "b"]},
        play=reopened_for_one(retry_of("p/a"), e.CancelRequested(), retry_of("p/a#2")),
        calls="p/a p/b p/a#2 p/a#3",
        jobs={
            "p/a": "failed",
            "p/b": "failed",
            "p/a#2": "failed",
            "p/b#2": "cancelled",
            "p/a#3": "succeeded",
            "p/b#3": "waiting",
        },
        status="waiting",
        waits="repair",
    ),
    Rule(
        "reopen-one-unbegun",
        "What has failed by its `when` or its `each.in` cannot wait: then no step may be named.",
        "[{job: a, run: x, retry: 1, on_error: finish}, "
        "{job: b, run: echo, when: 1 / 0 == 1, on_error: finish}]",
        does={"x": [Oops("1"), "a"]},
        play=reopened_for_one(retry_of("p/a")),
        status="failed",
        error="ExpressionError",
        lacks=("run.reopened",),
    ),
    Rule(
        "reopen-optional",
        "What the run went on without is not done once more: that wants a fork.",
        "phases: [{phase: p, jobs: [{job: a, run: x, retry: 1, optional: true}]}, "
        "{phase: q, jobs: [{job: b, run: x, retry: 1}]}]",
        does={"x": [Oops("1"), Oops("2"), "fine"]},
        play=optional_is_over,
        jobs={"p/a": "failed", "q/b": "failed", "q/b#2": "succeeded"},
    ),
    Rule(
        "reopen-again",
        "It may fail once more; `on_failure` and `finally` then run once more too, as `finally#2`.",
        FAILS,
        more="finally: [{job: f, run: echo}]",
        does={"x": Oops("always")},
        play=reopened_and_fails_again,
        status="failed",
        error="Oops",
        has=("phase.opened finally", "run.reopened", "phase.opened finally#2", "run.failed"),
    ),
    Rule(
        "reopen-needs",
        "A job that waited for what failed and for what did not runs once both are done.",
        "[{job: a, run: echo}, {job: b, run: x, retry: 1}, {job: c, run: echo, needs: [a, b]}]",
        does=TWICE,
        play=refused,
        jobs={"p/a": "succeeded", "p/b": "failed", "p/b#2": "succeeded", "p/c": "succeeded"},
    ),
    Rule(
        "reopen-each",
        "In an `each` the items that failed, and those that never began.",
        "[{job: a, run: x, retry: 1, each: {in: '[1, 2, 3]', at_once: 1}}]",
        does={"x": ["1", Oops("2"), "again", "3"]},
        play=refused,
        output={"a": ["1", "again", "3"]},
        calls="p/a[0] p/a[1] p/a[1]#2 p/a[2]",
    ),
    Rule(
        "reopen-each-skip",
        "An item that failed again after a retry can be skipped, or counted as done, as `a[0]#3`.",
        "[{job: a, run: x, retry: 1, each: {in: '[1]'}}]",
        does={"x": Oops("always")},
        play=skipped_after_a_retry,
        output={"a": ["by hand"]},
        jobs={"p/a[0]": "failed", "p/a[0]#2": "failed", "p/a[0]#3": "succeeded"},
    ),
    Rule(
        "reopen-each-phase",
        "In a phase with `each` the items in which something failed.",
        "phases: [{phase: p, each: {in: '[1, 2]'}, jobs: [{job: a, run: echo}, "
        "{job: b, run: x, retry: 1, needs: a}]}]",
        does={"x": ["1", Oops("2"), "again"]},
        play=refused,
        output={"a": [None, None], "b": ["1", "again"]},
        calls="p[0]/a p[1]/a p[0]/b p[1]/b p[1]/b#2",
    ),
    Rule(
        "reopen-finally",
        "A `finally` that failed a run that had succeeded is all that is done once more.",
        "[{job: a, run: echo}]",
        more="finally: [{job: f, run: x, retry: 1}]",
        does=TWICE,
        play=refused,
        output={"a": None},
        calls="p/a finally/f finally/f#2",
        warnings=1,
    ),
    Rule(
        "reopen-undone",
        "A run that was taken back cannot go on: fork it, or start it again.",
        "[{job: a, run: echo, undo: echo}, {job: b, run: fatal, needs: a}]",
        play=refused,
        status="failed",
        error="Fail",
        lacks=("run.reopened",),
    ),
    Rule(
        "reopen-cancelled",
        "One that was cancelled goes on as one that has failed, unless it was taken back.",
        "[{job: a, run: echo}, {job: b, wait: 1h, needs: a}]",
        more="finally: [{job: f, run: echo}]",
        play=cancelled_and_reopened,
        jobs={
            "p/a": "succeeded",
            "p/b": "cancelled",
            "finally/f": "succeeded",
            "p/b#2": "succeeded",
            "finally#2/f": "succeeded",
        },
    ),
    Rule(
        "reopen-succeeded",
        "Nor can one that has succeeded.",
        "[{job: a, run: echo}]",
        play=refused,
        lacks=("run.reopened",),
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule):
    holds(rule)
