"""Tasks: people are asked, and answer."""

import pytest

from ostinato.core import events as e
from ostinato.core.codec import encode_value
from ostinato.core.tasks import task_id
from ostinato.testing.play import NOON
from tests.core.semantics.rule import Rule, holds

DAY = 86_400_000
SIGN = "{job: a, task: {name: Sign, assignee: ann, outcomes: [yes, no]}}"
LIMITED = "{job: a, task: {name: Sign}, timeout: 2d}"
PASSED_ON = """
[{job: a, timeout: 9d,
  task: {name: Sign, assignee: ann, escalate: [{after: 1d, to: bob}, {after: 3d, to: eve}]}}]
"""


def task(play, key="p/a"):
    return play.tasks[key].task


def asked(**members):
    """Starts a run, and looks at what it asks."""

    def look(play):
        play.start({"id": 7, "who": ["ann", "bob"], "none": None})
        for name, value in members.items():
            assert getattr(task(play), name) == value
        play.answer("p/a")

    return look


def refused(play, key="p/a", attempt=1, outcome="yes"):
    before = list(play.types)
    play.tell(e.TaskAnswered(key, attempt, encode_value(None), outcome, "ann"))
    assert play.types == before
    return play


def twice(play):
    play.start().answer("p/a", "yes")
    refused(play, outcome="no")


def of_another_time(play):
    play.start()
    refused(play, attempt=2)
    play.answer("p/a", "yes")


def none_of_them(play):
    play.start()
    refused(play, outcome="maybe")
    refused(play, outcome=None)
    play.answer("p/a", "no")


def overdue(play):
    play.start()
    assert play.tasks["p/a"].due_at == NOON + DAY
    assert play.timers == {}


def passed_on(play):
    """To the second after a day, to the third after three."""
    play.start()
    seen = [(task(play).assignee, play.now - NOON)]
    for _ in range(2):
        play.tick()
        seen.append((task(play).assignee, play.now - NOON))
    assert seen == [("ann", 0), ("bob", DAY), ("eve", 3 * DAY)]
    assert list(play.timers) == [("p/a", "timeout")]
    play.answer("p/a", by="eve")


def passed_on_while_paused(play):
    play.start().tell(e.PauseRequested("me"))
    assert task(play.tick()).assignee == "bob"
    play.tell(e.ResumeRequested("me"))
    assert play.timers["p/a", "escalate"] == NOON + 3 * DAY
    play.answer("p/a")


def fired_twice(play):
    """A timer that no longer fits its moment changes nothing."""
    play.start()
    due_at = play.timers["p/a", "escalate"]
    play.tick()
    before = list(play.types)
    play.tell(e.TimerFired("p/a", "escalate", due_at))
    assert play.types == before
    play.answer("p/a")


def unanswered(play):
    error = play.state.error
    assert (error.message, error.job) == ("nobody answered in time", "a")
    return play


def closed(play, how):
    """The task is not open any more, and nobody has answered it."""
    assert play.tasks == {}
    assert [one.answer for one in play.answers] == [None], how
    return play


def while_paused(play):
    play.start().tell(e.PauseRequested("me")).answer("p/a", "yes")
    assert (play.status, play.jobs) == ("paused", {"p/a": "succeeded"})
    play.tell(e.ResumeRequested("me")).work()


def in_turn(play):
    play.start()
    while play.tasks:
        (key,) = play.tasks
        play.answer(key, data=key)


def one_of_two(play):
    play.start().answer("p/b", "no")
    assert [one.answer is None for one in play.answers] == [False, True]


def again(play):
    """A held task is asked once more: it is another task, and its spans begin anew."""
    play.start()
    first = play.view.waits[0].task.id
    play.tick()
    closed(play, "timed out").tell(e.RetryRequested("me"))
    second = play.view.waits[0].task
    assert second.id != first
    assert second.due_at == play.now + DAY
    refused(play, attempt=1)
    play.answer("p/a", by="bob")


def as_shown(play):
    play.start()
    (wait,) = play.view.waits
    assert (wait.kind, wait.since, wait.due_at) == ("task", NOON, NOON + 9 * DAY)
    assert (wait.task.name, wait.task.assignee) == ("Sign", "ann")
    assert wait.task.escalates_at == NOON + DAY
    assert wait.task.id == task_id("run", "p/a", 1)


RULES = [
    Rule(
        "task",
        "A task waits for a person, `waitingFor: task`; the answer is its output: "
        "`{data, outcome, by, at}`.",
        f"[{SIGN}]",
        play=lambda play: play.start().answer("p/a", "yes", {"why": "fine"}),
        output={"a": {"data": {"why": "fine"}, "outcome": "yes", "by": "ann", "at": NOON}},
        has=("job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "task-waiting",
        "Until then it is open, for ever if nobody says how long.",
        f"[{SIGN}]",
        play=lambda play: play.start(),
        status="waiting",
        waits="task",
    ),
    Rule(
        "task-shown",
        "A run shows what is asked, of whom, until when, and when it goes to somebody else.",
        PASSED_ON,
        play=as_shown,
        status="waiting",
        waits="task",
    ),
    Rule(
        "task-texts",
        "Its texts are read once, when the job begins.",
        "[{job: a, task: {name: 'Sign ${ input.id }', assignee: '${ input.who[0] }', "
        "data: {id: '${ input.id }'}}}]",
        play=asked(name="Sign 7", assignee="ann", data={"id": 7}),
    ),
    Rule(
        "task-lists",
        "A list may be one expression, and one text alone; null is as if it were not there.",
        "[{job: a, task: {name: Sign, candidates: '${ input.who }', groups: ops, "
        "assignee: '${ input.none }'}}]",
        play=asked(candidates=("ann", "bob"), groups=("ops",), assignee=None),
    ),
    Rule(
        "task-text-wrong",
        "What gives no name, or no such level, fails the job before anybody is asked.",
        "[{job: a, task: {name: Sign, priority: '${ input.id }'}}]",
        input={"id": "urgent"},
        status="failed",
        error="ExpressionError",
        lacks=("job.waiting p/a",),
    ),
    Rule(
        "task-no-text",
        "So does what gives a number where a name belongs: `string(…)` makes a text of it.",
        "[{job: a, task: {name: Sign, assignee: '${ input.id }'}}]",
        input={"id": 7},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "task-due-wrong",
        "So does what gives no instant for `due`.",
        "[{job: a, task: {name: Sign, due: '${ input.id }'}}]",
        input={"id": "soon"},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "task-answered",
        "It is answered once: what comes later changes nothing.",
        f"[{SIGN}]",
        play=twice,
        outputs={"p/a": {"data": None, "outcome": "yes", "by": "ann", "at": NOON}},
    ),
    Rule(
        "task-other",
        "An answer is for one task: that of another time of the same step changes nothing.",
        f"[{SIGN}]",
        play=of_another_time,
    ),
    Rule(
        "task-outcomes",
        "An outcome that is none of `outcomes` changes nothing; nor does none at all.",
        f"[{SIGN}]",
        play=none_of_them,
    ),
    Rule(
        "task-any-outcome",
        "Without `outcomes` any is taken, and none.",
        "[{job: a, task: {name: Sign}}]",
        play=lambda play: play.start().answer("p/a", "whatever"),
    ),
    Rule(
        "task-expect",
        "`expect` makes a failure of an answer, which is final.",
        "[{job: a, task: {name: Sign}, expect: output.outcome == 'yes'}]",
        play=lambda play: play.start().answer("p/a", "no"),
        status="failed",
        error="Unexpected",
    ),
    Rule(
        "task-due",
        "`due` is a span from then or an instant; when it has passed, nothing happens.",
        "[{job: a, task: {name: Sign, due: 1d}}]",
        play=overdue,
        status="waiting",
        waits="task",
    ),
    Rule(
        "task-timeout",
        "`timeout` is for the whole: failure `Timeout`, and the task is closed.",
        f"[{LIMITED}]",
        play=lambda play: unanswered(closed(play.start().tick(), "timed out")),
        status="failed",
        error="Timeout",
        took=2 * DAY,
    ),
    Rule(
        "task-timeout-late",
        "Who answers after that comes too late.",
        f"[{LIMITED}]",
        play=lambda play: refused(play.start().tick()),
        status="failed",
        error="Timeout",
    ),
    Rule(
        "task-escalate",
        "`escalate`: so long after it was opened it goes to somebody else; it is the same task.",
        PASSED_ON,
        play=passed_on,
        has=("job.reassigned p/a", "job.reassigned p/a", "job.succeeded p/a"),
    ),
    Rule(
        "task-escalate-once",
        "Each of them once.",
        PASSED_ON,
        play=fired_twice,
        has=("job.reassigned p/a", "job.succeeded p/a"),
    ),
    Rule(
        "task-escalate-paused",
        "Also while the run is paused.",
        PASSED_ON,
        play=passed_on_while_paused,
        has=("run.paused", "job.reassigned p/a", "run.resumed", "job.succeeded p/a"),
    ),
    Rule(
        "task-catch",
        "A task may stand in for one that nobody has answered: it is another task.",
        "[{job: a, task: {name: Sign, assignee: ann}, timeout: 2d, "
        "catch: [{on: Timeout, do: {task: {name: 'Sign: ${ error.name }', assignee: bob}}}]}]",
        play=lambda play: play.start().tick().answer("p/a", by="bob"),
        has=("job.waiting p/a", "job.caught p/a", "job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "task-race",
        "In a race the others' tasks are closed with the first answer.",
        f"""
        phases:
          - {{phase: p, mode: race, jobs: [{SIGN}, {SIGN.replace("a,", "b,", 1)}]}}
        """,
        play=one_of_two,
        jobs={"p/a": "cancelled", "p/b": "succeeded"},
    ),
    Rule(
        "task-each",
        "In an `each` every item has a task of its own; `at_once: 1` asks one after the other.",
        "[{job: a, each: {in: '[1, 2, 3]', as: n, at_once: 1}, task: {name: 'Sign ${ n }'}}]",
        play=in_turn,
        jobs={"p/a[0]": "succeeded", "p/a[1]": "succeeded", "p/a[2]": "succeeded"},
    ),
    Rule(
        "task-turn",
        "`concurrency` bounds how many are open: the others are not asked yet.",
        "[{job: a, each: {in: '[1, 2]'}, concurrency: {limit: 1}, task: {name: Sign}}]",
        play=lambda play: play.start().admit("p/a[0]").answer("p/a[0]"),
        jobs={"p/a[0]": "succeeded", "p/a[1]": "waiting"},
        status="waiting",
        waits="turn",
    ),
    Rule(
        "task-undo",
        "What a task has done is taken back like any other; it may be people who do.",
        """
        phases:
          - phase: p
            mode: sequential
            jobs:
              - {job: a, task: {name: Build}, undo: {task: {name: 'Remove ${ output.by }'}}}
              - {job: b, run: fatal}
        """,
        play=lambda play: play.start().answer("p/a").work().answer("p/a:undo"),
        status="failed",
        error="Fail",
        jobs={"p/a": "undone", "p/b": "failed", "p/a:undo": "succeeded"},
    ),
    Rule(
        "task-cancelled",
        "A cancel closes it, and so does the failure of a sibling …",
        f"[{SIGN}]",
        play=lambda play: closed(play.start().tell(e.CancelRequested("me")), "cancelled"),
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "task-skipped",
        "… or an operator who goes on without it.",
        f"[{SIGN}]",
        play=lambda play: closed(
            play.start().tell(e.SkipRequested("p/a", "me", output=encode_value({"by": "me"}))),
            "skipped",
        ),
        jobs={"p/a": "skipped"},
        outputs={"p/a": {"by": "me"}},
    ),
    Rule(
        "task-phase-timeout",
        "So does the time-out of what is around it.",
        f"phases: [{{phase: p, timeout: 1h, jobs: [{SIGN}]}}]",
        play=lambda play: closed(play.start().tick(), "timed out"),
        status="failed",
        error="Timeout",
    ),
    Rule(
        "task-paused",
        "An answer in a paused run counts; what follows waits.",
        f"[{SIGN}, {{job: b, needs: [a], run: echo}}]",
        play=while_paused,
        jobs={"p/a": "succeeded", "p/b": "succeeded"},
    ),
    Rule(
        "task-again",
        "One that failed and is held is asked again by a retry: it is another task, and its "
        "spans begin anew.",
        "[{job: a, task: {name: Sign, due: 1d}, timeout: 2d, on_error: hold}]",
        play=again,
        has=("job.held p/a", "run.repaired", "job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "task-takeover",
        "A death of the process changes nothing about it.",
        f"[{SIGN}]",
        play=lambda play: play.start().tell(e.TakenOver()).answer("p/a", "yes"),
        lacks=("job.abandoned p/a",),
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_tasks(rule):
    holds(rule)
