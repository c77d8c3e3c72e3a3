"""How a run ends: output, failure, time-outs, cancel, `on_failure`, `finally`."""

import pytest

from ostinato.core import events as e
from ostinato.core.codec import NULL, encode_value
from ostinato.core.decide.ending import GRACE
from ostinato.core.facts import Failure
from tests.core.semantics.rule import Rule, holds

TELL = """
on_failure:
  - {job: tell, run: echo, with: ["${ run.error.name }", "${ run.error.job }"]}
"""
TIDY = "finally: [{job: tidy, run: echo, with: ['${ run.error }', '${ jobs.a.status }']}]"
WAITING_TIDY = "finally: [{job: tidy, wait: {event: T}}]"


def cancel(play):
    return play.tell(e.CancelRequested("me", "no longer wanted"))


def cancelled(play):
    return cancel(play.start()).obey_stops().work()


def stopped_first(play):
    """The cancel reaches the handler while it runs; it obeys."""
    play.start().tell(e.Started("p/a", 1))
    assert [stop.key for stop in cancel(play).stopped] == ["p/a"]
    play.obey_stops()


def ends_first(play):
    cancel(play.start()).complete("p/a", "done")


def fails_first(play):
    cancel(play.start()).fail("p/a")


def ignores(play):
    cancel(play.start())
    assert play.view.status == "running"
    assert play.tick().now - play.view.started_at == GRACE
    play.tell(e.Completed("p/a", 1, encode_value("too late")))


def returns_to_nobody(play):
    cancel(play.start()).tell(e.Completed("p/a", 1, NULL))


def twice(play):
    cancel(cancel(play.start()))
    assert play.types.count("run.cancelling") == 1
    play.obey_stops()


def finally_cancelled(play):
    cancel(play.start().work())


def finally_cancelled_later(play):
    cancel(cancel(play.start()).obey_stops())


def on_failure_cancelled(play):
    cancel(play.start().work())


def back_and_forth(play):
    """The clock of the machine goes back; the run's does not."""
    play.start()
    play.now += 5000
    play.complete("p/a")
    play.now -= 9000
    play.work()


RULES = [
    Rule(
        "output-map",
        "`output` is the run's result: a map …",
        "[{job: a, run: echo, with: 3}]",
        "output: {three: jobs.a.output, ok: jobs.a.output > 2}",
        output={"three": 3, "ok": True},
    ),
    Rule(
        "output-expression",
        "… or one expression.",
        "[{job: a, run: echo, with: 3}]",
        "output: jobs.a.output * 2",
        output=6,
    ),
    Rule(
        "output-default",
        "Without it, a map of the last phase's job outputs; skipped and failed ones are null.",
        """
        phases:
          - {phase: one, jobs: [{job: z, run: echo}]}
          - phase: two
            jobs:
              - {job: a, run: echo, with: 1}
              - {job: b, run: echo, when: 1 == 2}
              - {job: c, run: fatal, optional: true}
        """,
        output={"a": 1, "b": None, "c": None},
    ),
    Rule(
        "output-error",
        "An error in `output` fails the run with `ExpressionError`.",
        "[{job: a, run: echo}]",
        "output: input.x + 1\n" + TELL,
        input={"x": "text"},
        status="failed",
        error="ExpressionError",
        jobs={"p/a": "succeeded", "on_failure/tell": "succeeded"},
    ),
    Rule(
        "output-only-success",
        "A run that did not succeed has no output.",
        "[{job: a, run: echo, with: 1}]",
        "finally: [{job: z, run: fatal}]",
        status="failed",
        error="Fail",
        warnings=1,
        output=None,
    ),
    Rule(
        "input-event",
        "Without an input of its own a run's input is its event's data.",
        "[{job: a, run: echo, with: ['${ input.n }', '${ event.type }']}]",
        play=lambda play: play.start(event={"type": "T", "data": {"n": 1}}).work(),
        outputs={"p/a": [1, "T"]},
    ),
    Rule(
        "input-none",
        "Without either it is {}.",
        "[{job: a, run: echo, with: '${ input }'}]",
        outputs={"p/a": {}},
    ),
    Rule(
        "run-names",
        "`run` has id, uid, workflow, version, status, error and startedAt.",
        "[{job: a, run: echo, with: ['${ run.id }', '${ run.uid }', '${ run.workflow }', "
        "'${ run.version }', '${ run.status }', '${ run.error }', '${ run.startedAt }']}]",
        play=lambda play: play.start(uid="u").work(),
        outputs={"p/a": ["run", "u", "w", 1, "running", None, 1_800_000_000_000]},
    ),
    Rule(
        "fail-stops",
        "When a job fails for good, nothing new starts and what is open is cancelled: what waits "
        "at once, what runs when it obeys.",
        """
        phases:
          - phase: one
            jobs:
              - {job: a, run: fatal}
              - {job: b, wait: 1h}
              - {job: c, run: open}
              - {job: d, wait: {event: T}}
              - {job: f, run: bad}
              - {job: g, run: open, callback: true}
              - {job: h, run: echo, needs: [c]}
          - {phase: two, jobs: [{job: i, run: echo}]}
        """,
        play=lambda play: [
            play.start().tell(e.Failed("one/f", 1, Failure("X", "x"))),
            play.tell(e.Completed("one/g", 1, NULL)),
            play.tell(e.Failed("one/a", 1, Failure("Fail", "no"), final=True)),
            play.obey_stops(),
        ],
        status="failed",
        error="Fail",
        jobs={
            "one/a": "failed",
            "one/b": "cancelled",
            "one/c": "cancelled",
            "one/d": "cancelled",
            "one/f": "cancelled",
            "one/g": "cancelled",
        },
    ),
    Rule(
        "fail-names",
        "The run's error is the job's, with its name.",
        "[{job: a, run: fatal}]",
        TELL,
        status="failed",
        error="Fail",
        outputs={"on_failure/tell": ["Fail", "a"]},
    ),
    Rule(
        "fail-sibling-fails",
        "One that fails meanwhile is cancelled; the first failure is the run's error.",
        "[{job: a, run: fatal}, {job: b, run: bad, retry: 1}]",
        status="failed",
        error="Fail",
        jobs={"p/a": "failed", "p/b": "cancelled"},
        play=lambda play: play.start().work().obey_stops(),
    ),
    Rule(
        "fail-sibling-succeeds",
        "A running sibling that ends while it is asked to stop has ended as it says.",
        "[{job: a, run: open}, {job: b, run: open}]",
        play=lambda play: play.start().fail("p/a", "Fail", final=True).complete("p/b", 1),
        status="failed",
        error="Fail",
        jobs={"p/a": "failed", "p/b": "succeeded"},
    ),
    Rule(
        "fail-phase-failed",
        "The phase in which it happened has failed, those around it too.",
        """
        phases:
          - phase: p
            each: {in: '[1]'}
            jobs: [{job: a, run: fatal}, {job: b, wait: 1h}]
        """,
        status="failed",
        error="Fail",
        play=lambda play: [
            play.run(),
            [phase.status for phase in play.view.phases] == ["failed"] * 2 or 1 / 0,
        ],
        has=("job.failed p[0]/a", "phase.failing p[0]", "phase.failing p", "phase.failing"),
    ),
    Rule(
        "phase-timeout",
        "A phase's `timeout` is wall time; past it the run fails with `Timeout` …",
        "phases: [{phase: p, timeout: 5m, jobs: [{job: a, wait: 1h}]}]",
        TELL,
        status="failed",
        error="Timeout",
        took=300_000,
        jobs={"p/a": "cancelled", "on_failure/tell": "succeeded"},
    ),
    Rule(
        "phase-timeout-kept",
        "… unless it has ended before …",
        "phases: [{phase: p, timeout: 5m, jobs: [{job: a, wait: 1m}]}, "
        "{phase: q, jobs: [{job: b, wait: 1h}]}]",
        took=3_660_000,
    ),
    Rule(
        "phase-timeout-each",
        "… with `each`, for all items together.",
        "phases: [{phase: p, timeout: 5m, each: {in: '[1, 2]', at_once: 1, tolerate: 100%}, "
        "jobs: [{job: a, wait: 4m}]}]",
        status="failed",
        error="Timeout",
        took=300_000,
        jobs={"p[0]/a": "succeeded", "p[1]/a": "cancelled"},
    ),
    Rule(
        "run-timeout",
        "A run's `timeout` is wall time of its work; `on_failure` and `finally` come after it.",
        "[{job: a, wait: 1h}]",
        "timeout: 5m\n" + TELL + "finally: [{job: z, wait: 10m}]",
        status="failed",
        error="Timeout",
        took=900_000,
        jobs={"p/a": "cancelled", "on_failure/tell": "succeeded", "finally/z": "succeeded"},
    ),
    Rule(
        "on-failure",
        "`on_failure` runs in sequence when the run has failed, after everything has stopped …",
        "[{job: a, run: fatal}]",
        "on_failure: [{job: x, run: echo}, {job: y, run: echo, with: '${ jobs.x.status }'}]",
        status="failed",
        error="Fail",
        calls="p/a on_failure/x on_failure/y",
        outputs={"on_failure/y": "succeeded"},
        has=("phase.ended p", "phase.opened on_failure", "phase.ended on_failure", "run.failed"),
    ),
    Rule(
        "on-failure-success",
        "… and never when it has not.",
        "[{job: a, run: echo}]",
        TELL,
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "on-failure-fails",
        "Its own failure is a warning; the run keeps its error, and what is left of it is not run.",
        "[{job: a, run: fatal}]",
        "on_failure: [{job: x, run: bad, retry: 1}, {job: y, run: echo}]",
        status="failed",
        error="Fail",
        warnings=1,
        jobs={"p/a": "failed", "on_failure/x": "failed"},
    ),
    Rule(
        "on-failure-each",
        "Its jobs have all that jobs have: `when`, `each`, `optional`, waits.",
        "[{job: a, run: fatal}]",
        "on_failure: [{job: x, run: echo, each: {in: '[1, 2]'}, with: '${ item }'}, "
        "{job: y, run: bad, optional: true, retry: 1}, {job: z, wait: 1m}]",
        status="failed",
        error="Fail",
        took=60_000,
        outputs={"on_failure/x[1]": 2},
    ),
    Rule(
        "finally",
        "`finally` runs in sequence at every end: after success …",
        "[{job: a, run: echo, with: 1}]",
        TIDY,
        output={"a": 1},
        outputs={"finally/tidy": [None, "succeeded"]},
        has=("run.finishing", "phase.opened finally", "run.succeeded"),
    ),
    Rule(
        "finally-failure",
        "… after failure and `on_failure` …",
        "[{job: a, run: fatal}]",
        TELL + TIDY,
        status="failed",
        error="Fail",
        calls="p/a on_failure/tell finally/tidy",
    ),
    Rule(
        "finally-cancel",
        "… and after a cancel.",
        "[{job: a, run: open}]",
        TIDY,
        play=cancelled,
        status="cancelled",
        outputs={"finally/tidy": [None, "cancelled"]},
    ),
    Rule(
        "finally-fails",
        "When it fails, a run that had succeeded has failed with that error …",
        "[{job: a, run: echo}]",
        "finally: [{job: x, run: bad, retry: 1}, {job: y, run: echo}]",
        status="failed",
        error="Oops",
        warnings=1,
        jobs={"p/a": "succeeded", "finally/x": "failed"},
    ),
    Rule(
        "finally-fails-after-failure",
        "… and one that had failed keeps its own.",
        "[{job: a, run: fatal}]",
        "finally: [{job: x, run: bad, retry: 1}]",
        status="failed",
        error="Fail",
        warnings=1,
    ),
    Rule(
        "cancel-ready",
        "A cancel before a job began: it never does, once that is confirmed.",
        "[{job: a, run: open}, {job: b, run: echo, needs: [a]}]",
        play=cancelled,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "cancel-obeys",
        "A running job is asked to stop, and is cancelled when it says so.",
        "[{job: a, run: open}]",
        play=stopped_first,
        status="cancelled",
        jobs={"p/a": "cancelled"},
        has=("job.cancelling p/a", "job.cancelled p/a", "run.cancelled"),
    ),
    Rule(
        "cancel-asked",
        "Until then it is shown as running.",
        "[{job: a, run: open}]",
        play=lambda play: cancel(play.start()),
        status="running",
        jobs={"p/a": "running"},
    ),
    Rule(
        "cancel-ends-first",
        "When it ends first it has succeeded; the run is cancelled all the same.",
        "[{job: a, run: open}]",
        play=ends_first,
        status="cancelled",
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "cancel-fails-first",
        "When it fails first it is cancelled: nobody can tell the two apart.",
        "[{job: a, run: open}]",
        play=fails_first,
        status="cancelled",
        jobs={"p/a": "cancelled"},
        lacks=("job.retried p/a",),
    ),
    Rule(
        "cancel-ignored",
        "It has 10 s; after them it is cancelled, whatever it says later.",
        "[{job: a, run: open}]",
        play=ignores,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "cancel-callback",
        "A handler with a callback that returns after a cancel is cancelled: nobody will wait …",
        "[{job: a, run: open, callback: true, timeout: 1h}]",
        play=returns_to_nobody,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "cancel-later",
        "… and so is one that returns `Later()`.",
        "[{job: a, run: open}]",
        play=lambda play: cancel(play.start()).tell(e.Deferred("p/a", 1)),
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "cancel-answered",
        "An answer that comes within the 10 s counts.",
        "[{job: a, run: open, callback: true, timeout: 1h, heartbeat: 1m}]",
        play=lambda play: cancel(play.start()).tell(e.Answered("p/a", encode_value(1))),
        status="cancelled",
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "cancel-heard",
        "A sign of life within them changes nothing.",
        "[{job: a, run: open, callback: true, timeout: 1h, heartbeat: 1s}]",
        play=lambda play: cancel(play.start()).tell(e.Heard("p/a", 1)).tick(),
        status="cancelled",
        took=GRACE,
    ),
    Rule(
        "cancel-waits",
        "Waits, callbacks and jobs between two attempts are cancelled at once.",
        "[{job: a, wait: 1h}, {job: b, wait: {event: T, timeout: 1h}}, {job: c, run: bad}, "
        "{job: d, run: echo, callback: true, timeout: 1h}]",
        play=lambda play: cancel(play.start().work()),
        status="cancelled",
        jobs={"p/a": "cancelled", "p/b": "cancelled", "p/c": "cancelled", "p/d": "cancelled"},
    ),
    Rule(
        "cancel-each",
        "In an `each` no further item begins.",
        "[{job: a, run: open, each: {in: '[1, 2, 3]', at_once: 2}}]",
        play=cancelled,
        status="cancelled",
        jobs={"p/a[0]": "cancelled", "p/a[1]": "cancelled"},
    ),
    Rule(
        "cancel-no-on-failure",
        "`on_failure` is not run.",
        "[{job: a, run: open}]",
        TELL,
        play=cancelled,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "cancel-failing",
        "A run that is failing can be cancelled: then it is cancelled, and keeps its error.",
        "[{job: a, run: fatal}, {job: b, run: open}]",
        TELL,
        play=lambda play: cancel(play.start().work()).obey_stops(),
        status="cancelled",
        error="Fail",
        jobs={"p/a": "failed", "p/b": "cancelled"},
    ),
    Rule(
        "cancel-on-failure",
        "A cancel in `on_failure` stops it; `finally` still runs.",
        "[{job: a, run: fatal}]",
        "on_failure: [{job: x, wait: 1h}]\nfinally: [{job: z, run: echo}]",
        play=lambda play: [play.start().work().tell(e.CancelRequested()).work()],
        status="cancelled",
        error="Fail",
        jobs={"p/a": "failed", "on_failure/x": "cancelled", "finally/z": "succeeded"},
    ),
    Rule(
        "cancel-finally",
        "A cancel in `finally` stops that too: there is always a way out.",
        "[{job: a, run: echo}]",
        WAITING_TIDY,
        play=finally_cancelled,
        status="cancelled",
        jobs={"p/a": "succeeded", "finally/tidy": "cancelled"},
    ),
    Rule(
        "cancel-finally-again",
        "So does a second cancel, when `finally` runs because of the first.",
        "[{job: a, run: open}]",
        WAITING_TIDY,
        play=finally_cancelled_later,
        status="cancelled",
        jobs={"p/a": "cancelled", "finally/tidy": "cancelled"},
    ),
    Rule(
        "cancel-twice",
        "Else a second cancel changes nothing.",
        "[{job: a, run: open}]",
        play=twice,
        status="cancelled",
    ),
    Rule(
        "cancel-incident",
        "A run that needs repair can be cancelled.",
        "[{job: a, run: open}]",
        play=lambda play: cancel(play.start().tell(e.Broken("x"))).obey_stops(),
        status="cancelled",
    ),
    Rule(
        "incident",
        "A run whose rules could not be applied is waiting for `repair`; nothing of it is lost.",
        "[{job: a, run: open}]",
        play=lambda play: play.start().tell(e.Broken("bug")).tell(e.Broken("again")),
        status="waiting",
        waits="repair",
        jobs={"p/a": "ready"},
    ),
    Rule(
        "incident-goes-on",
        "What can go on goes on.",
        "[{job: a, run: open}]",
        play=lambda play: play.start().tell(e.Broken("bug")).complete("p/a"),
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "time",
        "A run's time never goes back, whatever the machine's clock does.",
        "[{job: a, run: open}, {job: b, run: echo, needs: [a], with: '${ now() }'}]",
        play=back_and_forth,
        outputs={"p/b": "2027-01-15T08:00:05.000Z"},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_endings(rule):
    holds(rule)
