"""Calls: another workflow as a job."""

import pytest

from ostinato.core import events as e
from ostinato.core.callers import Caller
from ostinato.core.codec import encode_value
from ostinato.core.facts import Failure
from tests.core.semantics.rule import Oops, Rule, holds

ONE = "[{job: a, call: other, with: {n: '${ input.n }'}}]"
BESIDE = "[{job: a, call: other}, {job: b, run: fatal}]"
LOST = Failure("Oops", "it broke (run r of other)")


def called(play):
    play.start({"n": 7})
    [call] = play.called.values()
    assert (call.workflow, call.version, call.uid) == ("other", None, None)
    assert bytes(call.input) == b'{"n":7}'
    assert play.view.waits[0].run == call.run_id


def described(play):
    play.start({"kind": "big", "n": 3})
    [call] = play.called.values()
    assert (call.workflow, call.version, call.uid) == ("make-big", 2, "n-3")
    assert bytes(call.input) == b"{}"


def failed(play):
    play.start({"n": 1}).end_call("p/a", error=LOST)
    assert play.view.error.message == LOST.message


def refused(play):
    play.start({"n": 1}).end_call("p/a", error=Failure("WorkflowNotFound", "x"), refused=True)


def again(play):
    play.start()
    first = play.called["p/a"].run_id
    play.end_call("p/a", error=LOST).tick()
    second = play.called["p/a"]
    assert (second.run_id != first, second.caller.attempt) == (True, 2)
    play.end_call("p/a", 5)


def too_late(play):
    play.start()
    attempt = play.called["p/a"].caller.attempt
    play.end_call("p/a", error=LOST).tick().tell(e.CallAnswered("p/a", attempt, encode_value(1)))


def timed_out(play):
    play.start().tick()
    assert play.unwanted == ["p/a"]


def timed_out_over_attempts(play):
    play.start().end_call("p/a", error=LOST).tick()
    play.tick()
    assert play.now - play.view.started_at == 60_000


def ending(play):
    play.start().work()
    assert (play.unwanted, play.jobs["p/a"]) == (["p/a"], "waiting")


def ended(play):
    ending(play)
    play.end_call("p/a", error=Failure("Cancelled", "x"))


def succeeded_all_the_same(play):
    ending(play)
    play.end_call("p/a", {"made": 1}).work()


def ending_is_left(play):
    ending(play)
    play.tell(e.SkipRequested("p/a", "me", "it takes too long"))


def joined(play):
    play.start()
    play.tell(e.CallMoved("p/a", 1, "theirs"))
    [wait] = play.view.waits
    assert (wait.kind, wait.run) == ("joined", "theirs")


def joined_and_cancelled(play):
    joined(play)
    play.tell(e.CancelRequested("me"))
    assert play.unwanted == []


def joined_while_ending(play):
    play.start().tell(e.CancelRequested("me")).tell(e.CallMoved("p/a", 1, "theirs"))


def race(play):
    play.start().end_call("p/b", 1)
    assert play.unwanted == ["p/a"]
    play.end_call("p/a", error=Failure("Cancelled", "x"))


def undo(play):
    play.start().end_call("p/a", {"id": 5}).work()
    [call] = play.called.values()
    assert (call.workflow, bytes(call.input)) == ("remove", b'{"id":5}')
    play.end_call("p/a:undo")


def undo_of_what_was_cancelled(play):
    ended(play)


def undo_fails(play):
    play.start().end_call("p/a").work().end_call("p/a:undo", error=LOST)


def skipped(play):
    play.start({"n": 1}).tell(e.SkipRequested("p/a", "me", output=encode_value(3)))
    assert play.unwanted == ["p/a"]


def not_retried(play):
    play.start().tell(e.RetryRequested("me", key="p/a"))


def held_and_retried(play):
    play.start().end_call("p/a", error=LOST)
    assert play.view.waiting_for == "repair"
    play.tell(e.RetryRequested("me", key="p/a")).end_call("p/a", 2)


def reopened(play):
    play.start().end_call("p/a", error=LOST)
    play.tell(e.RetryRequested("me")).end_call("p/a#2", 2)


def paused(play):
    play.start().tell(e.PauseRequested("me")).end_call("p/a", 1)
    assert play.status == "paused"
    play.tell(e.ResumeRequested("me"))


def taken_over(play):
    play.start().tell(e.TakenOver())
    play.end_call("p/a", 1)


ABOVE = Caller("above", "p/x", 1, 3)


def begun(play):
    return play.tell(e.Called("run", "seed", None, encode_value({}), caller=ABOVE))


def child(play):
    return begun(play).work()


def answers(play):
    child(play)
    [told] = play.told_above
    assert (told.caller, bytes(told.output), told.error) == (ABOVE, b"5", None)
    assert (play.view.parent.run, play.view.parent.step) == ("above", "p/x")


def answers_failure(play):
    child(play)
    [told] = play.told_above
    assert (told.error.name, told.error.message) == ("Fail", "fatal (run run of w)")


def answers_cancel(play):
    begun(play).tell(e.CancelRequested("run above", "not wanted")).obey_stops()
    [told] = play.told_above
    assert (told.error.name, "not wanted" in told.error.message) == ("Cancelled", True)


def answers_all(play):
    other = Caller("other", "p/y", 2, 1)
    begun(play).tell(e.CallJoined(other)).complete("p/a", 5)
    assert [told.caller for told in play.told_above] == [ABOVE, other]
    assert play.view.parent.run == "above"


def answers_after_finally(play):
    child(play)
    assert play.told_above == []
    play.complete("finally/z")
    assert len(play.told_above) == 1


def answers_again(play):
    child(play)
    play.tell(e.RetryRequested("me")).complete("p/a#2")
    assert [told.error and told.error.name for told in play.told_above] == ["Oops", None]


def too_deep(play):
    play.graph.most_depth = 3
    child(play)


EACH = "[{job: a, call: other, with: {x: '${ x }'}, each: {in: '[1, 2, 3]', as: x, at_once: 2}}]"

RULES = [
    Rule(
        "call",
        "`call` starts a run of another workflow with `with` as its input, and waits for its end, "
        "`waitingFor: call`.",
        ONE,
        play=called,
        status="waiting",
        waits="call",
        has=("job.called p/a",),
    ),
    Rule(
        "call-output",
        "The output of that run is the job's.",
        ONE,
        does={"other": lambda given: given["n"] + 1},
        input={"n": 1},
        outputs={"p/a": 2},
    ),
    Rule(
        "call-target",
        "The workflow, its version and the uid of its run may be made by expressions.",
        "[{job: a, call: {workflow: 'make-${ input.kind }', version: '${ 1 + 1 }', "
        "uid: 'n-${ input.n }'}}]",
        play=described,
        status="waiting",
        waits="call",
    ),
    Rule(
        "call-target-null",
        "What is no name, no version or no uid is an `ExpressionError`.",
        "[{job: a, call: {workflow: other, uid: '${ input.none + 1 }'}}]",
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "call-fails",
        "When that run fails, the job does, with its error; the message names the run.",
        ONE,
        play=failed,
        status="failed",
        error="Oops",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "call-refused",
        "A run that cannot begin (`WorkflowNotFound`, `InvalidInput`) fails the job for good, "
        "whatever its `retry` says.",
        "[{job: a, call: other, retry: 3}]",
        play=refused,
        status="failed",
        error="WorkflowNotFound",
        has=("job.refused p/a", "job.failed p/a"),
        lacks=("job.retried p/a",),
    ),
    Rule(
        "call-once",
        "A call is tried once, unless it says `retry`.",
        ONE,
        play=failed,
        status="failed",
        error="Oops",
        lacks=("job.retried p/a",),
    ),
    Rule(
        "call-retry",
        "Each attempt is another run.",
        "[{job: a, call: other, retry: 3}]",
        play=again,
        outputs={"p/a": 5},
        has=("job.called p/a", "job.retried p/a", "job.called p/a", "job.succeeded p/a"),
    ),
    Rule(
        "call-late",
        "The end of an earlier attempt's run changes nothing.",
        "[{job: a, call: other, retry: 3}]",
        play=too_late,
        status="waiting",
        waits="call",
    ),
    Rule(
        "call-timeout",
        "`timeout` is for the whole: then the job fails at once, and its run is cancelled.",
        "[{job: a, call: other, timeout: 1m}]",
        play=timed_out,
        status="failed",
        error="Timeout",
        took=60_000,
    ),
    Rule(
        "call-timeout-attempts",
        "It goes on over all attempts.",
        "[{job: a, call: other, timeout: 1m, retry: {attempts: 3, delay: 20s, jitter: 0}}]",
        play=timed_out_over_attempts,
        status="failed",
        error="Timeout",
    ),
    Rule(
        "call-ending",
        "A call that is not wanted any more (its run or phase fails or is cancelled, a race is "
        "lost) has its run cancelled, and waits for that, `waitingFor: ending`.",
        BESIDE,
        play=ending,
        status="waiting",
        error="Fail",
        waits="ending",
    ),
    Rule(
        "call-ended",
        "Once that run has ended, with all that it took back, the job is cancelled, and what stood "
        "before it is taken back.",
        BESIDE,
        play=ended,
        status="failed",
        error="Fail",
        jobs={"p/a": "cancelled", "p/b": "failed"},
    ),
    Rule(
        "call-ending-succeeds",
        "When it has succeeded by then, so has the job, and it is taken back as any other.",
        "[{job: a, call: other, undo: echo}, {job: b, run: fatal}]",
        play=succeeded_all_the_same,
        status="failed",
        error="Fail",
        jobs={"p/a": "undone", "p/b": "failed", "p/a:undo": "succeeded"},
    ),
    Rule(
        "call-ending-skip",
        "A person can go on without waiting for that: skip the job.",
        BESIDE,
        play=ending_is_left,
        status="failed",
        error="Fail",
        jobs={"p/a": "skipped", "p/b": "failed"},
    ),
    Rule(
        "call-joins",
        "With a `uid` whose run is open already, the job waits for that one, `waitingFor: joined`.",
        "[{job: a, call: {workflow: other, uid: x}}]",
        play=joined,
        status="waiting",
        waits="joined",
    ),
    Rule(
        "call-joined-cancel",
        "Such a run is not its own: it is left alone when the job is cancelled.",
        "[{job: a, call: {workflow: other, uid: x}}]",
        play=joined_and_cancelled,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "call-joined-ending",
        "Who learns that only while ending waits no longer.",
        "[{job: a, call: {workflow: other, uid: x}}]",
        play=joined_while_ending,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "call-race",
        "A race is over when the runs that have lost it are.",
        "phases: [{phase: p, mode: race, jobs: [{job: a, call: other}, {job: b, call: another}]}]",
        play=race,
        jobs={"p/a": "cancelled", "p/b": "succeeded"},
    ),
    Rule(
        "call-caught",
        "Its failure can be caught; another call may stand in.",
        "[{job: a, call: bad, catch: [{on: [Oops], do: {call: echo, with: {x: 1}}}]}]",
        outputs={"p/a": {"x": 1}},
        calls="p/a p/a",
    ),
    Rule(
        "call-expect",
        "`expect` and `repeat` look at the output of each run.",
        "[{job: a, call: x, repeat: {until: output == 3, every: 5s}, expect: output > 0}]",
        does={"x": [1, 2, 3]},
        outputs={"p/a": 3},
        calls="p/a p/a p/a",
        took=10_000,
    ),
    Rule(
        "call-each",
        "With `each`, one run per item.",
        EACH,
        does={"other": lambda given: given["x"] * 10},
        output={"a": [10, 20, 30]},
    ),
    Rule(
        "call-limits",
        "It keeps its place under `concurrency` until its run has ended, over all attempts.",
        "[{job: a, call: x, retry: 3, concurrency: {limit: 1}}]",
        does={"x": [Oops("bad"), 4]},
        outputs={"p/a": 4},
        has=("job.queued p/a", "job.called p/a", "job.retried p/a", "job.called p/a"),
    ),
    Rule(
        "call-undo",
        "Another workflow can take a job back.",
        "phases: [{phase: p, jobs: [{job: a, call: make, undo: {call: remove, with: "
        "{id: '${ output.id }'}}}]}, {phase: q, jobs: [{job: b, run: fatal}]}]",
        play=undo,
        status="failed",
        error="Fail",
        has=("job.succeeded p/a", "job.called p/a:undo", "job.undone p/a"),
    ),
    Rule(
        "call-undo-cancelled",
        "A call that was cancelled is not taken back: its run has done that itself.",
        "[{job: a, call: other, undo: echo}, {job: b, run: fatal}]",
        play=undo_of_what_was_cancelled,
        status="failed",
        error="Fail",
        jobs={"p/a": "cancelled", "p/b": "failed"},
    ),
    Rule(
        "call-undo-fails",
        "When the run that takes it back fails, it waits for a person, as any undo.",
        "phases: [{phase: p, jobs: [{job: a, call: make, undo: {call: remove}}]}, "
        "{phase: q, jobs: [{job: b, run: fatal}]}]",
        play=undo_fails,
        status="waiting",
        error="Fail",
        waits="repair",
    ),
    Rule(
        "call-skip",
        "A person who skips or completes the job has its run cancelled.",
        ONE,
        play=skipped,
        jobs={"p/a": "skipped"},
    ),
    Rule(
        "call-not-retried",
        "A call that waits is not retried: retry the run that it waits for, or skip the job.",
        ONE.replace("${ input.n }", "1"),
        play=not_retried,
        status="waiting",
        waits="call",
    ),
    Rule(
        "call-held",
        "One that is held (`on_error: hold`) is retried as another run.",
        "[{job: a, call: other, on_error: hold}]",
        play=held_and_retried,
        outputs={"p/a": 2},
    ),
    Rule(
        "call-reopened",
        "So is one that had failed with its whole run.",
        "[{job: a, call: other}]",
        play=reopened,
        outputs={"p/a#2": 2},
    ),
    Rule(
        "call-paused",
        "The end of its run is heard also while the run is paused.",
        "[{job: a, call: other}]",
        play=paused,
        has=("run.paused", "job.succeeded p/a", "run.resumed"),
    ),
    Rule(
        "call-taken-over",
        "A process that dies does not touch it: nobody was at work on it here.",
        "[{job: a, call: other}]",
        play=taken_over,
        lacks=("job.abandoned p/a",),
        outputs={"p/a": 1},
    ),
    Rule(
        "call-answers",
        "A run that was called tells its caller how it ends, with the end.",
        "[{job: a, set: {x: 1}}]",
        "output: '5'",
        play=answers,
        has=("run.started", "run.called", "run.succeeded"),
    ),
    Rule(
        "call-answers-failure",
        "A failure goes up with its name and message, and the id of the run.",
        "[{job: a, run: fatal}]",
        play=answers_failure,
        status="failed",
        error="Fail",
    ),
    Rule(
        "call-answers-cancel",
        "A cancel goes up as the failure `Cancelled`, with its reason.",
        "[{job: a, run: open}]",
        play=answers_cancel,
        status="cancelled",
    ),
    Rule(
        "call-answers-all",
        "Every run that waits for it is told; the first is its parent.",
        "[{job: a, run: open}]",
        play=answers_all,
    ),
    Rule(
        "call-answers-last",
        "`undo`, `on_failure` and `finally` are over by then.",
        "[{job: a, run: echo}]",
        "finally: [{job: z, run: open}]",
        play=answers_after_finally,
    ),
    Rule(
        "call-answers-again",
        "A run that failed, was retried and ends once more says so; who has heard it fail is not "
        "changed by that.",
        "[{job: a, run: bad, retry: 1}]",
        play=answers_again,
    ),
    Rule(
        "call-deep",
        "Below `limits.call_depth` runs that called one another, a call fails with `CallTooDeep`.",
        "[{job: a, call: other}]",
        play=too_deep,
        status="failed",
        error="CallTooDeep",
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_calls(rule):
    holds(rule)
