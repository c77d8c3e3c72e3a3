"""Limits: who waits for its turn, and who gives its place up."""

import pytest

from ostinato.core import events as e
from tests.core.semantics.rule import Rule, holds

LIMITED = "{job: a, run: echo, concurrency: {key: input.tenant, limit: 2}}"
BY_TENANT = "concurrency: {key: input.tenant, limit: 1}"
NAME = "concurrency:w/p/a:t"
TENANT = {"tenant": "t"}


def queued(play):
    """The turn does not come."""
    return play.start(TENANT)


def wanted(play):
    [asked] = queued(play).turns.values()
    assert [(want.name, want.limit, want.overflow) for want in asked.wants] == [(NAME, 2, "queue")]


def both(play):
    [asked] = queued(play).turns.values()
    assert [(want.name, want.per) for want in asked.wants] == [
        ("concurrency:w/p/a:t", None), ("rate:w/p/a", 1000),
    ]  # fmt: skip


def kept(play):
    queued(play).admit("p/a")
    play.fail("p/a").tick()
    assert play.places == {"p/a": (NAME,)}
    play.complete("p/a")
    assert play.places == {}


def stopping(play):
    queued(play).admit("p/a")
    play.tell(e.CancelRequested())
    assert play.places == {"p/a": (NAME,)}
    play.obey_stops()


def refused(play):
    queued(play).tell(e.PlacesRefused("p/a", NAME))


def displaced(play):
    queued(play).admit("p/a")
    play.tell(e.Displaced("p/a", NAME))


def too_late(play):
    queued(play).admit("p/a").complete("p/a")
    before = list(play.types)
    for event in (e.PlacesTaken("p/a"), e.PlacesRefused("p/a", NAME), e.Displaced("p/a", NAME)):
        play.tell(event)
    assert play.types == before


def cancelled(play):
    queued(play).tell(e.CancelRequested())


def paused(play):
    queued(play)
    asked = dict(play.turns)
    play.tell(e.PauseRequested())
    assert (play.turns, play.status) == ({}, "paused")
    play.tell(e.ResumeRequested())
    assert play.turns == asked
    play.work()


def paused_too_late(play):
    """The turn was on its way."""
    queued(play).tell(e.PauseRequested())
    play.tell(e.PlacesTaken("p/a"))
    assert (play.places, play.status) == ({}, "paused")


def run_refused(play):
    queued(play).tell(e.PlacesRefused("", "concurrency:w:t"))
    play.work()


def until_its_turn(play):
    queued(play)
    assert [wait.kind for wait in play.view.waits] == ["turn"]


RULES = [
    Rule(
        "limit-queue",
        "A job with `concurrency` or `rate` waits for its turn to begin, `waitingFor: turn`.",
        f"[{LIMITED}]",
        play=queued,
        status="waiting",
        waits="turn",
        jobs={"p/a": "waiting"},
    ),
    Rule(
        "limit-name",
        "Places are counted by workflow, job and `key`; without a `key` all runs share them.",
        f"[{LIMITED}]",
        play=wanted,
        status="waiting",
        waits="turn",
    ),
    Rule(
        "limit-both",
        "With `concurrency` and `rate` it gets both at once, or waits for both.",
        "[{job: a, run: echo, concurrency: {key: input.tenant, limit: 2}, "
        "rate: {limit: 9, per: 1s}}]",
        play=both,
        status="waiting",
        waits="turn",
    ),
    Rule(
        "limit-pause",
        "In a pause nobody waits behind it: it leaves the line, and stands at its end afterwards.",
        f"[{LIMITED}]",
        input=TENANT,
        play=paused,
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "limit-pause-late",
        "A turn that comes in a pause is given back.",
        f"[{LIMITED}]",
        play=paused_too_late,
        status="paused",
        jobs={"p/a": "waiting"},
    ),
    Rule(
        "limit-turn",
        "When its turn comes, it begins.",
        f"[{LIMITED}]",
        input=TENANT,
        jobs={"p/a": "succeeded"},
        calls="p/a",
    ),
    Rule(
        "limit-kept",
        "It keeps its place over all its attempts, and until it has ended.",
        f"[{LIMITED}]",
        play=kept,
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "limit-stopping",
        "A job that is being cancelled has its place until it has stopped.",
        f"[{LIMITED}]",
        play=stopping,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "limit-reject",
        "`overflow: reject`: without a free place it fails at once with `Rejected`.",
        f"[{LIMITED}]",
        play=refused,
        status="failed",
        error="Rejected",
    ),
    Rule(
        "limit-caught",
        "That is a failure as any other: it can be caught.",
        "[{job: a, run: echo, concurrency: {key: input.tenant, limit: 2, overflow: reject}, "
        "catch: [{on: [Rejected], output: {busy: true}}]}]",
        play=refused,
        outputs={"p/a": {"busy": True}},
    ),
    Rule(
        "limit-displaced",
        "`overflow: cancel-running`: who has had its place longest fails with `Displaced`.",
        f"[{LIMITED}]",
        play=displaced,
        status="failed",
        error="Displaced",
    ),
    Rule(
        "limit-late",
        "What is told about a turn after the job has ended changes nothing.",
        f"[{LIMITED}]",
        play=too_late,
    ),
    Rule(
        "limit-cancel",
        "A job that waits for its turn is cancelled at once.",
        f"[{LIMITED}]",
        play=cancelled,
        status="cancelled",
        jobs={"p/a": "cancelled"},
    ),
    Rule(
        "limit-null",
        "A `key` that is null is an `ExpressionError`.",
        f"[{LIMITED}]",
        input={},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "limit-each",
        "Each item of an `each` takes a place of its own.",
        "[{job: a, run: echo, each: {in: '[1, 2, 3]'}, concurrency: {limit: 2}}]",
        jobs={"p/a[0]": "succeeded", "p/a[1]": "succeeded", "p/a[2]": "succeeded"},
    ),
    Rule(
        "limit-skipped",
        "A job that is skipped takes none.",
        "[{job: a, run: echo, when: 'false', concurrency: {limit: 1}}]",
        lacks=("job.queued",),
        jobs={"p/a": "skipped"},
    ),
    Rule(
        "limit-at-once",
        "A job that is done as it begins (an `emit`) gives its place back with that.",
        "[{job: a, emit: {type: T}, concurrency: {limit: 1}}]",
        jobs={"p/a": "succeeded"},
    ),
    Rule(
        "limit-run",
        "A workflow's `concurrency` and `rate` are for whole runs: one that waits is `pending`.",
        "[{job: a, run: echo}]",
        BY_TENANT,
        play=until_its_turn,
        status="pending",
        waits="turn",
        jobs={},
    ),
    Rule(
        "limit-run-turn",
        "When its turn comes, it begins; its place is free with its end.",
        "[{job: a, run: echo}]",
        BY_TENANT,
        input=TENANT,
        has=("run.queued", "run.admitted", "phase.opened p"),
    ),
    Rule(
        "limit-run-failed",
        "Also when it fails.",
        "[{job: a, run: fatal}]",
        BY_TENANT,
        input=TENANT,
        status="failed",
        error="Fail",
    ),
    Rule(
        "limit-run-reject",
        "A run that is rejected has failed; `on_failure` and `finally` are done.",
        "[{job: a, run: echo}]",
        BY_TENANT + "\non_failure: [{job: f, run: echo}]\nfinally: [{job: l, run: echo}]",
        play=run_refused,
        status="failed",
        error="Rejected",
        jobs={"on_failure/f": "succeeded", "finally/l": "succeeded"},
    ),
    Rule(
        "limit-run-cancel",
        "A run that waits for its turn can be cancelled.",
        "[{job: a, run: echo}]",
        BY_TENANT,
        play=cancelled,
        status="cancelled",
        jobs={},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_limits(rule):
    holds(rule)
