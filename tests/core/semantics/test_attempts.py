"""Attempts: `expect`, `retry`, time-outs."""

import msgspec
import pytest

from ostinato import Fail
from ostinato.core import events as e
from ostinato.core.codec import NULL, encode_value
from ostinato.core.facts import Failure
from tests.core.semantics.rule import Rule, holds

OWN_FAIL = type("Fail", (Exception,), {})
OK = [OSError("one"), OSError("two"), "fine"]


def retried(text, more=""):
    """A job ``a`` that does ``h``, without jitter, retried as ``text`` says."""
    return f"[{{job: a, run: h, retry: {{jitter: 0, {text}}}{more}}}]"


def waits_between(play):
    """Milliseconds from each failed attempt to the next."""
    last, spans = play.now, []
    play.start().work()
    while not play.state.ended:
        last = play.now
        play.tick().work()
        spans.append(play.now - last)
    return spans


def spans(*wanted):
    def check(play):
        assert waits_between(play) == list(wanted)

    return check


def within_jitter(play):
    (first,) = waits_between(play)
    assert 800 <= first <= 1200
    assert first != 1000


def report(name, **more):
    """The attempt that is open has failed so."""

    def told(play):
        job = play.ready.pop()
        return play.tell(e.Failed(job.key, job.attempt, Failure(name, "told"), **more))

    return told


def stale(play):
    """Reports of an attempt that is not the open one."""
    play.start().fail("p/a").tick()
    before = list(play.types)
    for event in (
        e.Completed("p/a", 1, NULL),
        e.Failed("p/a", 1, Failure("X", "x")),
        e.Deferred("p/a", 1),
        e.Stopped("p/a", 1),
        e.Stopped("p/a", 2),
        e.Started("p/a", 1),
        e.Heard("p/a", 1),
        e.Completed("p/a", 3, NULL),
        e.Completed("p/b", 1, NULL),
        e.Completed("", 1, NULL),
        e.TimerFired("p/a", "retry", play.now),
        e.TimerFired("p/a", "due", play.now),
        e.TimerFired("p/a", "timeout", play.now),
        e.TimerFired("p/a", "grace", play.now),
        e.TimerFired("p/a", "heartbeat", play.now),
        e.TimerFired("p/a", "unknown", play.now),
        e.TimerFired("p", "timeout", play.now),
        e.TimerFired("", "timeout", play.now),
        e.TimerFired("q", "timeout", play.now),
        e.Answered("p/b"),
        e.Arrived("p/a", encode_value({"type": "X"})),
        e.Start("other", "seed"),
    ):
        play.tell(event)
    assert play.types == before


def repeated(play):
    """Everything that was said before is said again after the end."""
    play.start().complete("p/a")
    before = list(play.types)
    for event in (
        e.Completed("p/a", 1, NULL),
        e.Failed("p/a", 1, Failure("X", "x")),
        e.Answered("p/a", NULL),
        e.CancelRequested(),
        e.TakenOver(),
        e.Broken("late"),
        e.Start("run", "seed"),
    ):
        play.tell(event)
    assert play.types == before


def keeps_a_secret(play):
    play.start({"n": 1}).work()
    (job,) = play.view.jobs
    assert msgspec.json.decode(job.input) == {"k": "Bearer ***", "n": 1}
    assert b"Bearer *" not in play.records[0][1], "what is recorded is a mark"


RULES = [
    Rule(
        "secret",
        "A secret is never recorded: a mark stands in its place, which is shown as `***`.",
        "[{job: a, run: open, with: {k: 'Bearer ${ secrets.KEY }', n: '${ input.n }'}}]",
        play=keeps_a_secret,
        status="running",
    ),
    Rule(
        "optional",
        "The failure of a job with `optional: true` does not fail the run; its output is null, "
        "and `jobs.x.error` tells.",
        "[{job: a, run: fatal, optional: true}]",
        jobs={"p/a": "failed"},
        output={"a": None},
    ),
    Rule(
        "expect-true",
        "`expect` is looked at with `output`, what the handler gave.",
        "[{job: a, run: h, expect: output.status == 'ok'}]",
        does={"h": {"status": "ok"}},
        output={"a": {"status": "ok"}},
    ),
    Rule(
        "expect-false",
        "When it is false the attempt has failed with `Unexpected`, and is tried again as any.",
        retried("attempts: 2", ", expect: output == 1"),
        does={"h": 2},
        status="failed",
        error="Unexpected",
        jobs={"p/a": "failed"},
        has=("job.retried p/a", "job.failed p/a"),
    ),
    Rule(
        "expect-error",
        "An error in `expect` fails the job, without a retry.",
        "[{job: a, run: h, expect: output.x > 1}]",
        does={"h": {"x": "text"}},
        status="failed",
        error="ExpressionError",
        calls="p/a",
    ),
    Rule(
        "expect-http",
        "`http` expects `output.status < 400` unless it says otherwise.",
        "[{job: a, http: {url: 'http://x'}, retry: 1}]",
        does={"http": {"status": 404}},
        status="failed",
        error="Unexpected",
    ),
    Rule(
        "retry-default",
        "Without `retry` there are 3 attempts: after 1 s, then 2 s, each ± 20 %.",
        "[{job: a, run: h}]",
        does={"h": OK},
        jobs={"p/a": "succeeded"},
        output={"a": "fine"},
        calls="p/a p/a p/a",
    ),
    Rule(
        "retry-over",
        "After the last attempt the job has failed with the last error.",
        "[{job: a, run: h, retry: 2}]",
        does={"h": OK},
        status="failed",
        error="OSError",
        calls="p/a p/a",
        has=("job.ready p/a", "job.retried p/a", "job.ready p/a", "job.failed p/a"),
    ),
    Rule(
        "retry-one",
        "`attempts` counts the first one; `retry: 1` never repeats.",
        "[{job: a, run: bad, retry: 1}]",
        status="failed",
        error="Oops",
        calls="p/a",
    ),
    Rule(
        "retry-error-gone",
        "A job that succeeds has no error, and `attempts` tells how many it took.",
        "[{job: a, run: h}, {job: b, run: echo, needs: [a], "
        "with: ['${ jobs.a.error }', '${ jobs.a.attempts }']}]",
        does={"h": OK},
        outputs={"p/b": [None, 3]},
    ),
    Rule(
        "retry-delays",
        "The delay before attempt n+1 is `delay` · `factor`ⁿ⁻¹ …",
        retried("attempts: 5, delay: 1s, factor: 3"),
        does={"h": Exception("x")},
        play=spans(1000, 3000, 9000, 27000),
        status="failed",
        error="Exception",
    ),
    Rule(
        "retry-max-delay",
        "… but at most `max_delay` …",
        retried("attempts: 5, delay: 1s, factor: 3, max_delay: 4s"),
        does={"h": Exception("x")},
        play=spans(1000, 3000, 4000, 4000),
        status="failed",
        error="Exception",
    ),
    Rule(
        "retry-huge",
        "… also where the power is beyond all numbers.",
        retried("attempts: 4, delay: 1s, factor: 1e300, max_delay: 4s"),
        does={"h": Exception("x")},
        play=spans(1000, 4000, 4000),
        status="failed",
        error="Exception",
    ),
    Rule(
        "retry-jitter",
        "`jitter: 0.2` spreads it by up to ± 20 %; a replay gives the same delay.",
        "[{job: a, run: h, retry: {attempts: 2, jitter: 0.2}}]",
        does={"h": Exception("x")},
        play=within_jitter,
        status="failed",
        error="Exception",
    ),
    Rule(
        "retry-within",
        "`within` is for all attempts together: none begins later than that after the first.",
        retried("attempts: 9, delay: 1s, within: 4s"),
        does={"h": Exception("x")},
        play=spans(1000, 2000),
        status="failed",
        error="Exception",
    ),
    Rule(
        "retry-on",
        "`on` names the errors that are tried again; `*` stands for anything.",
        retried("on: [Time*, payments.*]"),
        does={"h": Exception("x")},
        status="failed",
        error="Exception",
        calls="p/a",
    ),
    Rule(
        "retry-on-glob",
        "A name fits a pattern as a file name does, capitals and all.",
        retried("on: [OS*]"),
        does={"h": OK},
        calls="p/a p/a p/a",
    ),
    Rule(
        "retry-never",
        "`never` beats `on`.",
        retried("on: [OSError], never: ['OS*']"),
        does={"h": OK},
        status="failed",
        error="OSError",
        calls="p/a",
    ),
    Rule(
        "retry-fail",
        "`Fail` is final, whatever `retry` says.",
        retried("attempts: 5, on: ['*']"),
        does={"h": Fail("no")},
        status="failed",
        error="Fail",
        calls="p/a",
    ),
    Rule(
        "retry-fail-name",
        "An exception of your own that is called `Fail` is tried again like any other.",
        retried("attempts: 5"),
        does={"h": [OWN_FAIL("no"), 1]},
        outputs={"p/a": 1},
        calls="p/a p/a",
    ),
    Rule(
        "retry-hopeless",
        "What another attempt would only repeat is not tried again, whatever `on` says.",
        retried("attempts: 5, on: ['*']"),
        play=lambda play: report("WrongArguments")(play.start()),
        status="failed",
        error="WrongArguments",
    ),
    Rule(
        "retry-final",
        "So is every failure that is reported as final, under any name.",
        retried("attempts: 5"),
        play=lambda play: report("NoSuchTenant", final=True)(play.start()),
        status="failed",
        error="NoSuchTenant",
    ),
    Rule(
        "retry-after",
        "`Retry(after=…)` takes the place of the delay.",
        retried("attempts: 5"),
        play=lambda play: report("Retry", after=90_000)(play.start()).tick().complete("p/a"),
        took=90_000,
    ),
    Rule(
        "retry-after-on",
        "What is asked for is not looked up in `on`; it counts as an attempt.",
        retried("attempts: 2, on: [Timeout]"),
        play=lambda play: report("Retry", after=5)(report("Retry", after=5)(play.start()).tick()),
        status="failed",
        error="Retry",
        took=5,
    ),
    Rule(
        "retry-after-within",
        "And it stays inside `within`.",
        retried("attempts: 5, within: 1m"),
        play=lambda play: report("Retry", after=90_000)(play.start()),
        status="failed",
        error="Retry",
    ),
    Rule(
        "retry-waits",
        "Between two attempts the job is waiting, `waitingFor: retry`, with the last error.",
        retried("attempts: 5"),
        does={"h": OK},
        play=lambda play: play.start().work(),
        status="waiting",
        waits="retry",
        jobs={"p/a": "waiting"},
    ),
    Rule(
        "retry-only-calls",
        "Only what calls something is tried again: `run` and `http`; a `call`, when it says so.",
        "[{job: a, emit: {type: '${ input.nothing }'}}]",
        input={},
        status="failed",
        error="ExpressionError",
        lacks=("job.retried p/a",),
    ),
    Rule(
        "timeout-attempt",
        "A job's `timeout` is for one attempt, measured where it runs; a `Timeout` is tried again.",
        "[{job: a, run: h, timeout: 30s}]",
        play=lambda play: report("Timeout")(play.start()).tick().complete("p/a", 1),
        output={"a": 1},
        has=("job.retried p/a",),
    ),
    Rule(
        "attempt-started",
        "A start fact makes the job running; said twice it changes nothing.",
        "[{job: a, run: open}]",
        play=lambda play: [
            play.start().tell(e.Started("p/a", 1)).tell(e.Started("p/a", 1)),
            play.types.count("job.started") == 1 or 1 / 0,
        ],
        status="running",
        jobs={"p/a": "running"},
    ),
    Rule(
        "late-report",
        "A report counts only for the attempt that is open; late, foreign and unknown ones, and "
        "timers of other moments, change nothing.",
        "[{job: a, run: open}]",
        play=stale,
        status="running",
        jobs={"p/a": "ready"},
    ),
    Rule(
        "repeated-report",
        "After the end nothing changes any more.",
        "[{job: a, run: open}]",
        play=repeated,
        jobs={"p/a": "succeeded"},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_attempts(rule):
    holds(rule)
