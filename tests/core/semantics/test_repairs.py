"""Repairs: what people do to a run."""

import pytest

from ostinato.core import events as e
from ostinato.core.codec import encode_value
from ostinato.core.forks import given_to_fork
from ostinato.testing.play import Play
from tests.core.semantics.rule import Oops, Rule, graph_of, handler, holds

PAUSE, RESUME = e.PauseRequested("me", "lunch"), e.ResumeRequested("me", "back")
TWO = "phases: [{phase: p, jobs: [{job: a, run: open}]}, {phase: q, jobs: [{job: b, run: echo}]}]"
HELD = "[{job: a, run: x, on_error: hold, retry: 1, with: {n: '${ input.n }'}}, " \
    "{job: b, run: echo, needs: a, with: '${ jobs.a.output }'}]"  # fmt: skip
SETS = "[{job: a, set: {n: '${ 1 / 0 }'}, on_error: hold}, " \
    "{job: b, run: echo, needs: a, with: '${ vars.n }'}]"  # fmt: skip
TWICE = {"x": [Oops("1"), "fine"]}


def paused(play):
    play.start().tell(PAUSE).complete("p/a")


def resumed(play):
    paused(play)
    assert play.jobs == {"p/a": "succeeded"}
    assert play.status == "paused"
    play.tell(RESUME).work()


def pauses_a_retry(play):
    play.start().fail("p/a").tell(PAUSE).tick()
    assert play.view.status == "paused"
    play.tell(RESUME).tick().complete("p/a")


def pauses_items(play):
    play.start().tell(PAUSE).complete("p/a[0]")
    assert play.jobs == {"p/a[0]": "succeeded"}
    play.tell(RESUME).complete("p/a[1]")


def pauses_a_failure(play):
    play.start().tell(PAUSE).fail("p/a", final=True)
    assert play.status == "paused"
    play.tell(RESUME).work()


def pauses_a_catch(play):
    play.start().tell(PAUSE).fail("p/a", final=True)
    assert play.jobs == {"p/a": "waiting"}
    play.tell(RESUME).work()


def cancels_a_pause(play):
    paused(play)
    play.tell(e.CancelRequested("me", "why"))


def pauses_a_cancel(play):
    cancel = e.CancelRequested("me", "why")
    play.start().tell(cancel).tell(PAUSE).obey_stops()
    assert play.status == "paused"
    play.tell(cancel)


def pauses_twice(play):
    paused(play)
    play.tell(PAUSE).tell(RESUME).tell(RESUME).work()


def retried(play):
    play.start({"n": 1}).work()
    play.tell(e.RetryRequested("me", "mended", "p/a")).work()


def edited(play):
    play.start({"n": 1}).work()
    play.tell(e.RetryRequested("me", "wrong n", "p/a", encode_value({"n": 2}))).work()


def skipped(play):
    play.start({"n": 1}).work()
    play.tell(e.SkipRequested("p/a", "me", "not needed", encode_value(9))).work()


def completed(play):
    play.start({"n": 1}).work()
    play.tell(e.SkipRequested("p/a", "me", "by hand", encode_value(9), done=True)).work()


def sets(done, *outputs):
    """All but the last output are refused."""

    def play(play):
        play.start().work()
        for output in outputs:
            assert play.jobs == {"p/a": "waiting"}
            play.tell(e.SkipRequested("p/a", "me", "no", encode_value(output), done)).work()

    return play


def forked_at_an_item(play):
    """Another run of the same did all three."""
    done = Play(play.graph, {"echo": lambda data: data}).run([1, 2, 3])
    given = given_to_fork(done.state, "p/a[1]")
    data = encode_value([1, 2, 3])
    play.tell(e.Start("run", "seed", None, data, None, given, "other", "me", "why")).work()


def forked_with_a_set(play):
    given = encode_value({"p/a": {"n": 7}})
    play.tell(e.Start("run", "seed", None, None, None, given, "other", "me", "why")).work()


def forked_with_no_map(play):
    given = encode_value({"p/a": [1]})
    play.tell(e.Start("run", "seed", None, None, None, given, "other", "me", "why")).work()


def skips_what_runs(play):
    play.start().tell(e.SkipRequested("p/a", "me", "hangs"))
    assert [stop.key for stop in play.stopped] == ["p/a"]
    play.complete("p/a", "too late").work()


def skips_a_wait(play):
    play.start().tell(e.SkipRequested("p/a", "me"))
    assert (play.timers, play.waits) == ({}, {})


def signalled(play):
    play.start().tell(e.Signalled(encode_value(
        {"id": "e", "source": "me", "type": "T", "data": {"n": 1}}), "me", "by hand"
    ))  # fmt: skip


def retry_now(play):
    play.start().work()
    play.tell(e.RetryRequested("me", "now", "p/a")).work()


def forked(play):
    given = encode_value({"p/a": "had", "q/b[0]": "had too"})
    play.tell(e.Start("run", "seed", None, None, None, given, "other", "me", "why")).work()


RULES = [
    Rule(
        "pause",
        "A paused run starts nothing new; what is in hand may end.",
        TWO,
        play=paused,
        status="paused",
        jobs={"p/a": "succeeded"},
        has=("run.paused", "job.succeeded p/a"),
    ),
    Rule(
        "resume",
        "When it is resumed everything goes on where it stood.",
        TWO,
        play=resumed,
        has=("run.resumed", "phase.opened q"),
        calls="q/b",
    ),
    Rule(
        "pause-twice", "Asked for twice, both change nothing.", TWO, play=pauses_twice, calls="q/b"
    ),
    Rule(
        "pause-retry",
        "A next attempt that was due meanwhile begins then …",
        "[{job: a, run: open}]",
        play=pauses_a_retry,
    ),
    Rule(
        "pause-each",
        "… so does a next item …",
        "[{job: a, run: open, each: {in: '[1, 2]', at_once: 1}}]",
        play=pauses_items,
    ),
    Rule(
        "pause-catch",
        "… and what stands in for a job that failed.",
        "[{job: a, run: open, catch: [{on: '*', do: {run: echo}}]}]",
        play=pauses_a_catch,
        calls="p/a",
    ),
    Rule(
        "pause-failure",
        "A failure meanwhile is told on then.",
        "[{job: a, run: open}]",
        more="on_failure: [{job: t, run: echo}]",
        play=pauses_a_failure,
        status="failed",
        error="Oops",
        calls="on_failure/t",
    ),
    Rule(
        "pause-cancel",
        "A paused run can be cancelled.",
        TWO,
        play=cancels_a_pause,
        status="cancelled",
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "pause-cancelled",
        "Also one that was cancelled before it was paused: a second cancel lets it go on to its "
        "end.",
        "[{job: a, run: open}]",
        play=pauses_a_cancel,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "repair-retry",
        "A held job is tried again, with its input as it was and its attempts counted anew …",
        HELD,
        does=TWICE,
        play=retried,
        outputs={"p/b": "fine"},
        has=("job.held p/a", "run.repaired", "job.ready p/a", "job.succeeded p/a"),
    ),
    Rule(
        "repair-edit",
        "… or with another input.",
        HELD,
        does={"x": [Oops("1"), lambda data: data]},
        play=edited,
        outputs={"p/b": {"n": 2}},
    ),
    Rule(
        "repair-skip",
        "Or it is skipped, with a value for those who come after …",
        HELD,
        does=TWICE,
        play=skipped,
        outputs={"p/b": 9},
        jobs={"p/a": "skipped", "p/b": "succeeded"},
    ),
    Rule(
        "repair-complete",
        "… or counts as succeeded, because somebody did its work by hand.",
        HELD,
        does=TWICE,
        play=completed,
        outputs={"p/b": 9},
        jobs={"p/a": "succeeded", "p/b": "succeeded"},
    ),
    Rule(
        "repair-skip-set",
        "The output that a `set` is skipped with is its variables; with none it sets none …",
        SETS,
        play=sets(False, "text", [1], {"n": 7}),
        outputs={"p/b": 7},
        jobs={"p/a": "skipped", "p/b": "succeeded"},
    ),
    Rule(
        "repair-skip-set-none",
        "… and anything but a map is refused.",
        SETS,
        play=sets(False, 5, None),
        outputs={"p/b": None},
        jobs={"p/a": "skipped", "p/b": "succeeded"},
    ),
    Rule(
        "repair-complete-set",
        "One that counts as succeeded has variables.",
        SETS,
        play=sets(True, None, "text", {"n": 7}),
        outputs={"p/b": 7},
        jobs={"p/a": "succeeded", "p/b": "succeeded"},
    ),
    Rule(
        "fork-item",
        "From an item of a job's `each`: that item is done once more, the others are not.",
        "[{job: a, run: echo, with: '${ item }', each: {in: input}}, "
        "{job: b, run: echo, needs: a, with: '${ jobs.a.output }'}]",
        play=forked_at_an_item,
        calls="p/a[1] p/b",
        outputs={"p/b": [1, 2, 3]},
    ),
    Rule(
        "fork-set",
        "A fork has them too …",
        SETS,
        play=forked_with_a_set,
        outputs={"p/b": 7},
    ),
    Rule(
        "fork-set-no-map",
        "… unless what it is given is none, as from a run of an earlier release.",
        SETS,
        play=forked_with_no_map,
        outputs={"p/a": [1], "p/b": None},
    ),
    Rule(
        "repair-skip-running",
        "Whatever is open can be skipped: what runs is asked to stop, and its report comes too "
        "late …",
        TWO,
        play=skips_what_runs,
        jobs={"p/a": "skipped", "q/b": "succeeded"},
    ),
    Rule(
        "repair-skip-wait",
        "… what waits no longer does.",
        "[{job: a, wait: {event: T, timeout: 1h}}]",
        play=skips_a_wait,
        jobs={"p/a": "skipped"},
    ),
    Rule(
        "repair-retry-now",
        "A job that waits for its next attempt can be tried at once.",
        "[{job: a, run: x}]",
        does=TWICE,
        play=retry_now,
        took=0,
    ),
    Rule(
        "signal",
        "A signal is an event for one run: every wait that it fits goes on.",
        "[{job: a, wait: {event: T}}, {job: b, wait: {event: T, match: {data: {n: [1]}}}}]",
        play=signalled,
        has=("run.repaired", "job.succeeded p/a", "job.succeeded p/b"),
    ),
    Rule(
        "signal-none",
        "One that fits none changes nothing.",
        "[{job: a, wait: {event: U}}]",
        play=signalled,
        status="waiting",
        waits="event",
        lacks=("run.repaired",),
    ),
    Rule(
        "fork",
        "A fork is another run, to which outputs that were recorded are given: those jobs are done "
        "at once, under their keys, and never taken back by it.",
        "phases: [{phase: p, jobs: [{job: a, run: echo, undo: echo}]}, {phase: q, each: "
        "{in: '[1, 2]'}, jobs: [{job: b, run: echo}]}, {phase: r, jobs: [{job: c, run: fatal}]}]",
        play=forked,
        status="failed",
        error="Fail",
        calls="q[0]/b q[1]/b r/c",
        outputs={"p/a": "had"},
    ),
]


def test_a_repair_says_who_and_why():
    play = Play(graph_of(HELD), {"x": handler(TWICE["x"]), "echo": handler(lambda data: data)})
    edited(play)
    (said,) = [fact for fact in play.facts if type(fact).__name__ == "RunRepaired"]
    assert (said.action, said.by, said.why, said.keys) == ("retry", "me", "wrong n", ("p/a",))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule):
    holds(rule)
