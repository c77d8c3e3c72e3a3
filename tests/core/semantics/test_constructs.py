"""Catch, `repeat`, `end`, `race`, `enough`, `on_error`."""

import pytest

from ostinato.core import events as e
from tests.core.semantics.rule import Oops, Rule, holds

CAUGHT = "[{job: a, run: bad, retry: 1, catch: [{on: Oops, output: '{\"why\": error.message}'}]}]"
INSTEAD = (
    "[{job: a, run: bad, retry: 1, catch: [{on: '*', do: {run: echo, with: '${ error.name }'}}]}]"
)
SIBLINGS = "[{job: a, run: open}, {job: b, run: open}, {job: c, run: open}]"
TIDY = "finally: [{job: tidy, run: echo}]"
TELL = "on_failure: [{job: tell, run: echo}]"


def phase(text, jobs=SIBLINGS):
    return f"phases: [{{phase: p, {text}, jobs: {jobs}}}]"


def first_wins(play):
    play.start().complete("p/b", 1).obey_stops().work()


def loser_fails_first(play):
    play.start().fail("p/a", final=True).complete("p/b").obey_stops()


def all_lose(play):
    play.start().fail("p/a", final=True).fail("p/b", final=True).fail("p/c", final=True)


def two_of_three(play):
    play.start().complete("p/a").complete("p/c").obey_stops()


def too_few(play):
    play.start().complete("p/a").fail("p/b", final=True).fail("p/c", final=True)
    play.obey_stops()


def fails_beside(play):
    play.start().fail("p/a", final=True).obey_stops()
    for key in [job.key for job in play.ready]:
        play.complete(key)


def held(play):
    play.start().fail("p/a", final=True).complete("p/b")


def caught_wait(play):
    play.start().tick()


def times_out_twice(play):
    play.start().tick()
    play.complete("p/a", "late but right")


def cancelled_between(play):
    play.start().work()
    play.tell(e.CancelRequested("me", "why"))


def crashes_between(play):
    play.start().work()
    play.tell(e.TakenOver()).tick().work()


RULES = [
    Rule(
        "catch-output",
        "The first `catch` that fits the error's name stands in for the job; it may read `error`.",
        CAUGHT,
        outputs={"p/a": {"why": "bad"}},
        has=("job.caught p/a", "job.succeeded p/a"),
    ),
    Rule(
        "catch-do",
        "With `do` it does something else, under the same key, as the next attempt.",
        INSTEAD,
        outputs={"p/a": "Oops"},
        calls="p/a p/a",
        has=("job.caught p/a", "job.ready p/a", "job.succeeded p/a"),
    ),
    Rule(
        "catch-error-stays",
        "`jobs.x.error` still tells what was caught.",
        """
        - {job: a, run: bad, retry: 1, catch: [{on: '*', output: 1}]}
        - {job: b, run: echo, needs: [a], with: '${ jobs.a.error.name } ${ jobs.a.status }'}
        """,
        outputs={"p/b": "Oops succeeded"},
    ),
    Rule(
        "catch-set",
        "What stands in for a `set` is the map of its variables; anything else sets none.",
        """
        - {job: a, set: {n: '${ 1 / 0 }'}, catch: [{on: '*', output: {n: 2}}]}
        - {job: b, set: {n: '${ 1 / 0 }'}, needs: a, catch: [{on: '*', output: null}]}
        - {job: c, set: {n: '${ 1 / 0 }'}, needs: b, catch: [{on: '*', output: error.name}]}
        - {job: d, run: echo, needs: c, with: '${ vars.n }'}
        """,
        outputs={"p/b": None, "p/c": "ExpressionError", "p/d": 2},
    ),
    Rule(
        "catch-for-good",
        "A job is caught when it has failed for good, not before.",
        "[{job: a, run: x, retry: 2, catch: [{on: '*', output: 1}]}]",
        does={"x": [Oops("1"), "2"]},
        outputs={"p/a": "2"},
        lacks=("job.caught p/a",),
    ),
    Rule(
        "catch-none",
        "What no catch fits fails the job.",
        "[{job: a, run: bad, retry: 1, catch: [{on: Timeout, output: 1}]}]",
        status="failed",
        error="Oops",
    ),
    Rule(
        "catch-order",
        "Of several that fit the first counts.",
        "[{job: a, run: bad, retry: 1, catch: [{on: O*, output: 1}, {on: '*', output: 2}]}]",
        outputs={"p/a": 1},
    ),
    Rule(
        "catch-once",
        "What stands in is not caught again: its failure is the job's.",
        "[{job: a, run: bad, retry: 1, catch: [{on: '*', do: {run: fatal}}]}]",
        status="failed",
        error="Fail",
    ),
    Rule(
        "catch-retry",
        "It has a `retry` of its own.",
        "[{job: a, run: bad, retry: 1, catch: [{on: '*', do: {run: x, retry: 2}}]}]",
        does={"x": [Oops("1"), "2"]},
        outputs={"p/a": "2"},
    ),
    Rule(
        "catch-wait",
        "So what happens when a wait times out is written as its catch.",
        "[{job: a, wait: {event: T, timeout: 5m}, catch: [{on: Timeout, output: \"'nobody'\"}]}]",
        outputs={"p/a": "nobody"},
        took=300_000,
    ),
    Rule(
        "catch-answer",
        "What stands in may wait itself.",
        "[{job: a, wait: {event: T, timeout: 5m}, catch: [{on: '*', do: {run: open}}]}]",
        play=times_out_twice,
        outputs={"p/a": "late but right"},
    ),
    Rule(
        "catch-item",
        "An item of an `each` is caught by itself.",
        "[{job: a, run: x, retry: 1, each: {in: '[1, 2]'}, catch: [{on: '*', output: item}]}]",
        does={"x": [Oops("1"), "fine"]},
        output={"a": [1, "fine"]},
    ),
    Rule(
        "catch-broken",
        "An error in the catch's own expressions fails the job.",
        "[{job: a, run: bad, retry: 1, catch: [{on: '*', output: error.message + 1}]}]",
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "repeat",
        "`repeat` does the job again, `every` so long after its answer, until the condition over "
        "`output` is true.",
        "[{job: a, run: x, repeat: {until: output > 2, every: 30s}}]",
        does={"x": [1, 2, 3]},
        outputs={"p/a": 3},
        calls="p/a p/a p/a",
        took=60_000,
    ),
    Rule(
        "repeat-waits",
        "Between two times the run is waiting, `waitingFor: repeat`.",
        "[{job: a, run: x, repeat: {until: output > 2, every: 30s}}]",
        does={"x": [1, 2, 3]},
        play=lambda play: play.start().work(),
        status="waiting",
        waits="repeat",
    ),
    Rule(
        "repeat-limit",
        "After `limit` times it has failed with `RepeatLimit`.",
        "[{job: a, run: echo, repeat: {until: output == 1, every: 1s, limit: 2}}]",
        status="failed",
        error="RepeatLimit",
        calls="p/a p/a",
    ),
    Rule(
        "repeat-fails",
        "A failure counts for `retry`, and each time has its own.",
        "[{job: a, run: x, retry: {attempts: 2, delay: 1s, jitter: 0}, "
        "repeat: {until: output == 1, every: 30s}}]",
        does={"x": [Oops("1"), 0, Oops("2"), 1]},
        outputs={"p/a": 1},
        took=32_000,
    ),
    Rule(
        "repeat-error",
        "An error in `until` fails the job, without a retry.",
        "[{job: a, run: echo, repeat: {until: output, every: 1s}}]",
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "repeat-cancel",
        "A cancel between two times ends it at once.",
        "[{job: a, run: echo, repeat: {until: output == 1, every: 1s}}]",
        play=cancelled_between,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "repeat-takeover",
        "A death between two times takes nothing from it.",
        "[{job: a, run: x, repeat: {until: output > 1, every: 1s}}]",
        does={"x": [1, 2]},
        play=crashes_between,
        outputs={"p/a": 2},
    ),
    Rule(
        "end-succeeded",
        "`end: succeeded` ends the run there: what is open is cancelled, nothing new starts, and "
        "`output` is made of what there is.",
        "[{job: b, run: open}, {job: a, end: succeeded}]",
        play=lambda play: play.start().obey_stops(),
        more="output: '{\"b\": jobs.b.status}'",
        output={"b": "cancelled"},
        jobs={"p/b": "cancelled", "p/a": "succeeded"},
        has=("run.halting p/a", "run.succeeded"),
    ),
    Rule(
        "end-failed",
        "`end: failed` fails it with `Ended`; `on_failure` and `finally` follow …",
        "phases: [{phase: p, jobs: [{job: a, end: failed}]}, "
        "{phase: q, jobs: [{job: b, run: echo}]}]",
        more=f"{TELL}\n{TIDY}",
        status="failed",
        error="Ended",
        calls="on_failure/tell finally/tidy",
    ),
    Rule(
        "end-cancelled",
        "… and `end: cancelled` cancels it.",
        "phases: [{phase: p, jobs: [{job: a, end: cancelled}]}, "
        "{phase: q, jobs: [{job: b, run: echo}]}]",
        more=f"{TELL}\n{TIDY}",
        status="cancelled",
        calls="finally/tidy",
    ),
    Rule(
        "end-then-cancel",
        "Who cancels it while what was open is still ending has cancelled it.",
        "[{job: b, run: open}, {job: a, end: succeeded}]",
        play=lambda play: play.start().tell(e.CancelRequested("me", "enough")).obey_stops(),
        status="cancelled",
        has=("run.halting p/a", "run.cancelling"),
    ),
    Rule(
        "end-when",
        "Who wants to end it only sometimes writes `when`.",
        "[{job: a, end: failed, when: 1 == 2}, {job: b, run: echo}]",
        jobs={"p/a": "skipped", "p/b": "succeeded"},
    ),
    Rule(
        "end-catch",
        "It may stand in for a job that has failed.",
        "[{job: a, run: fatal, catch: [{on: '*', do: {end: succeeded}}]}]",
    ),
    Rule(
        "end-finally",
        "In `on_failure` and `finally` it ends that list; `failed` fails it.",
        "[{job: a, run: echo}]",
        more="finally: [{job: x, end: succeeded}, {job: y, run: echo}]",
        jobs={"p/a": "succeeded", "finally/x": "succeeded"},
    ),
    Rule(
        "end-finally-failed",
        "So a `finally` may fail a run that had succeeded.",
        "[{job: a, run: echo}]",
        more="finally: [{job: x, end: failed}, {job: y, run: echo}]",
        status="failed",
        error="Ended",
        warnings=1,
    ),
    Rule(
        "race",
        "With `mode: race` the first job to succeed ends the phase; the others are cancelled.",
        phase("mode: race"),
        play=first_wins,
        jobs={"p/a": "cancelled", "p/b": "succeeded", "p/c": "cancelled"},
        has=("job.succeeded p/b", "phase.satisfied p", "phase.ended p"),
        output={"a": None, "b": 1, "c": None},
    ),
    Rule(
        "race-fails",
        "One that fails is out of it …",
        phase("mode: race"),
        play=loser_fails_first,
        jobs={"p/a": "failed", "p/b": "succeeded", "p/c": "cancelled"},
    ),
    Rule(
        "race-all-fail",
        "… and when no one can win any more the run fails with the last failure.",
        phase("mode: race"),
        play=all_lose,
        status="failed",
        error="Oops",
        jobs={"p/a": "failed", "p/b": "failed", "p/c": "failed"},
    ),
    Rule(
        "enough",
        "`enough: n` ends the phase when n of its jobs have succeeded.",
        phase("enough: 2"),
        play=two_of_three,
        jobs={"p/a": "succeeded", "p/b": "cancelled", "p/c": "succeeded"},
    ),
    Rule(
        "enough-too-few",
        "Failures are forgiven as long as n can still succeed.",
        phase("enough: 2"),
        play=too_few,
        status="failed",
        error="Oops",
        jobs={"p/a": "succeeded", "p/b": "failed", "p/c": "failed"},
    ),
    Rule(
        "enough-skipped",
        "When all others were skipped, those that have succeeded are enough.",
        phase("enough: 2", "[{job: a, run: echo}, {job: b, run: echo, when: 1 == 2}]"),
        jobs={"p/a": "succeeded", "p/b": "skipped"},
    ),
    Rule(
        "enough-each",
        "With `each` it counts within each item.",
        "phases: [{phase: p, each: {in: '[1, 2]'}, enough: 1, jobs: "
        "[{job: a, run: echo}, {job: b, wait: 1h}]}]",
        jobs={
            "p[0]/a": "succeeded", "p[0]/b": "cancelled",
            "p[1]/a": "succeeded", "p[1]/b": "cancelled",
        },
        took=0,
    ),
    Rule(
        "on-error-cancel",
        "`on_error: cancel` is the rule: running siblings are cancelled.",
        phase("on_error: cancel"),
        play=fails_beside,
        status="failed",
        error="Oops",
        jobs={"p/a": "failed", "p/b": "cancelled", "p/c": "cancelled"},
    ),
    Rule(
        "on-error-finish",
        "`on_error: finish` lets them end; nothing new starts.",
        phase("on_error: finish"),
        play=fails_beside,
        status="failed",
        error="Oops",
        jobs={"p/a": "failed", "p/b": "succeeded", "p/c": "succeeded"},
    ),
    Rule(
        "on-error-hold",
        "`on_error: hold` stops for an operator: the job waits, `waitingFor: repair`, its siblings "
        "go on.",
        phase("on_error: hold", "[{job: a, run: open}, {job: b, run: open}]"),
        play=held,
        status="waiting",
        waits="repair",
        jobs={"p/a": "waiting", "p/b": "succeeded"},
        has=("job.held p/a",),
    ),
    Rule(
        "on-error-hold-not",
        "An error in `when` or `each.in` is not held: nothing has begun that could go on.",
        "[{job: a, run: echo, when: input, on_error: hold}]",
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "on-error-nearest",
        "The nearest word counts: the job's, its phase's, the workflow's.",
        phase("on_error: hold", "[{job: a, run: open, on_error: finish}, {job: b, run: open}]"),
        more="on_error: cancel",
        play=fails_beside,
        status="failed",
        error="Oops",
        jobs={"p/a": "failed", "p/b": "succeeded"},
    ),
    Rule(
        "on-error-optional",
        "An optional job is forgiven, and one that is caught has not failed.",
        "[{job: a, run: fatal, optional: true}, "
        "{job: b, run: fatal, catch: [{on: '*', output: 1}]}]",
        more="on_error: hold",
        jobs={"p/a": "failed", "p/b": "succeeded"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule):
    holds(rule)
