"""Waits, callbacks, events, variables."""

import pytest

from ostinato.core import events as e
from ostinato.core.codec import encode_value
from ostinato.core.facts import Failure
from ostinato.definitions import HandlerDefaults, compile, load
from ostinato.testing.play import NOON
from tests.core.semantics.rule import Rule, document, holds

PAID = "{job: a, wait: {event: [PAID, VOID], match: {data: {id: ['${ input.id }']}}, timeout: 5m}}"
CALL = "{job: a, run: open, callback: true, timeout: 20m}"
BEAT = "{job: a, run: open, callback: true, heartbeat: 1m, timeout: 1h, retry: {jitter: 0}}"


def refused(play, event):
    """Tells ``event``, which must change nothing."""
    before = list(play.types)
    play.tell(event)
    assert play.types == before
    return play


def returned(play):
    """The handler of ``a`` has returned; the answer is still to come."""
    return play.start().complete("p/a", "ignored")


def answer(play, output="done", error=None):
    return play.tell(e.Answered("p/a", None if error else encode_value(output), error))


def later(play, attempt=1):
    """The handler of an attempt says that the answer comes from elsewhere."""
    if attempt == 1:
        play.start()
    return play.tell(e.Deferred("p/a", attempt))


def with_a_heartbeat():
    """As a decorator says it; ``callback: true`` is not written."""
    retry = {"delay": 1_000, "jitter": 0}
    handlers = {"open": HandlerDefaults(retry=retry, timeout=5_000, heartbeat=3_000)}
    return compile(load(document("[{job: a, run: open}]"))[0], handlers)


def again(play):
    return refused(play, e.Answered("p/a", encode_value("again")))


def heard_while_retrying(play):
    play.start({}).tick()
    refused(play, e.Heard("p/a", 1))


def beats(play):
    play.start()
    for _ in range(3):
        play.now += 59_000
        play.tell(e.Heard("p/a", 1))
    answer(play)


def missed(play):
    """No sign of life: the attempt is stopped and tried again."""
    play.start().tick()
    assert [stop.attempt for stop in play.stopped] == [1]
    answer(play.tick())


def headed(play):
    play.start({"x": "t-1"})
    assert [publish.headers for publish in play.published] == [{"tenant": "t-1"}]


RULES = [
    Rule(
        "wait-event-names",
        "`detail` and `detail-type` are other names for `data` and `type`.",
        "[{job: a, wait: {event: T, match: {detail-type: [T], detail: {n: ['${ input.n }']}}}}]",
        play=lambda play: play.start({"n": 1}).arrive("p/a", "T", {"n": 1}),
    ),
    Rule(
        "wait-both-names",
        "Both names may stand in one `match`.",
        "[{job: a, wait: {event: T, match: {detail: {n: [1]}, data: {m: [2]}}}}]",
        play=lambda play: play.start().arrive("p/a", "T", {"n": 1, "m": 2}),
    ),
    Rule(
        "wait-span",
        "`wait: 5m` goes on after that span; its output is the instant, in ms.",
        "[{job: a, wait: 5m}]",
        took=300_000,
        output={"a": NOON + 300_000},
    ),
    Rule(
        "wait-waiting",
        "Meanwhile the run is waiting, `waitingFor: timer`.",
        "[{job: a, wait: 5m}]",
        play=lambda play: play.start(),
        status="waiting",
        waits="timer",
        jobs={"p/a": "waiting"},
    ),
    Rule(
        "wait-until-text",
        "`until` takes an RFC 3339 text …",
        "[{job: a, wait: {until: input.at}}]",
        input={"at": "2027-01-15T09:00:00+01:00"},
        output={"a": NOON},
    ),
    Rule(
        "wait-until-number",
        "… or ms since 1970, whole or not …",
        "[{job: a, wait: {until: input.at}}]",
        input={"at": NOON + 1500.5},
        took=1500,
    ),
    Rule(
        "wait-until-span",
        "… or a duration from now.",
        "[{job: a, wait: {until: input.at}}]",
        input={"at": "90s"},
        took=90_000,
    ),
    Rule(
        "wait-until-past",
        "An instant that is over is due at once.",
        "[{job: a, wait: {until: input.at}}]",
        input={"at": 0},
        took=0,
    ),
    Rule(
        "wait-until-garbage",
        "Anything else fails the job with `ExpressionError`: no instant …",
        "[{job: a, wait: {until: input.at}}]",
        input={"at": "soon"},
        status="failed",
        error="ExpressionError",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "wait-until-null",
        "… a member that is missing …",
        "[{job: a, wait: {until: input.at}}]",
        input={},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "wait-until-bool",
        "… true …",
        "[{job: a, wait: {until: input.at}}]",
        input={"at": True},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "wait-until-far",
        "… or an instant beyond the year 9999.",
        "[{job: a, wait: {until: input.at}}]",
        input={"at": 1e300},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "wait-event",
        "A wait for an event goes on with the first that is of one of the types and matches; "
        "its output is the event.",
        f"[{PAID}]",
        play=lambda play: play.start({"id": 7}).arrive("p/a", "VOID", {"id": 7}, source="bank"),
        output={"a": {"id": "e", "source": "bank", "type": "VOID", "data": {"id": 7}}},
        has=("job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "wait-event-waiting",
        "Meanwhile the run is waiting, `waitingFor: event`.",
        f"[{PAID}]",
        play=lambda play: play.start({"id": 7}),
        status="waiting",
        waits="event",
    ),
    Rule(
        "wait-event-no-match",
        "One that does not match, or of another type, changes nothing.",
        f"[{PAID}]",
        play=lambda play: (
            play.start({"id": 7})
            .arrive("p/a", "PAID", {"id": 8})
            .arrive("p/a", "PAID", {})
            .arrive("p/a", "OTHER", {"id": 7})
        ),
        status="waiting",
        waits="event",
        lacks=("job.succeeded p/a",),
    ),
    Rule(
        "wait-event-any",
        "Without `match` every event of the type will do.",
        "[{job: a, wait: {event: PAID}}]",
        play=lambda play: play.start().arrive("p/a", "PAID", None),
    ),
    Rule(
        "wait-event-twice",
        "A second event does nothing: a wait goes on once.",
        f"[{PAID}]",
        play=lambda play: (
            play.start({"id": 7}).arrive("p/a", "PAID", {"id": 7}).arrive("p/a", "VOID", {"id": 7})
        ),
        output={"a": {"id": "e", "source": "s", "type": "PAID", "data": {"id": 7}}},
    ),
    Rule(
        "wait-event-two",
        "Two waits for one event both go on.",
        "[{job: a, wait: {event: PAID}}, {job: b, wait: {event: PAID}}]",
        play=lambda play: play.start().arrive("p/a", "PAID", 1).arrive("p/b", "PAID", 1),
        jobs={"p/a": "succeeded", "p/b": "succeeded"},
    ),
    Rule(
        "wait-event-timeout",
        "After its `timeout` the job has failed with `Timeout`, without a retry.",
        f"[{PAID}]",
        input={"id": 7},
        status="failed",
        error="Timeout",
        took=300_000,
    ),
    Rule(
        "wait-event-bad-pattern",
        "A pattern that is none once its values are known fails the job, not the engine.",
        "[{job: a, wait: {event: T, match: {data: {n: [{numeric: ['>', '${ input.n }']}]}}}}]",
        input={"n": "text"},
        status="failed",
        error="ExpressionError",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "wait-event-list",
        "So does a list where one value is needed to find the wait by.",
        f"[{PAID}]",
        input={"id": [1, 2]},
        status="failed",
        error="UsageError",
        jobs={"p/a": "failed"},
    ),
    Rule(
        "look-back",
        "`look_back` says how far back an event may have come: since the run began …",
        "[{job: s, wait: 1m}, {job: a, needs: [s], wait: {event: T}}]",
        play=lambda play: [play.start().tick(), play.waits["p/a"].since == NOON or 1 / 0],
        status="waiting",
        waits="event",
    ),
    Rule(
        "look-back-span",
        "… a duration, never before the run began …",
        "[{job: s, wait: 1m}, {job: a, needs: [s], wait: {event: T, look_back: 10s}}, "
        "{job: b, needs: [s], wait: {event: T, look_back: 10m}}]",
        play=lambda play: [
            play.start().tick(),
            [(play.waits[key].since or 0) - NOON for key in ("p/a", "p/b")] == [50_000, 0] or 1 / 0,
        ],
        status="waiting",
        waits="event",
    ),
    Rule(
        "look-back-none",
        "… or not at all.",
        "[{job: a, wait: {event: T, look_back: none}}]",
        play=lambda play: [play.start(), play.waits["p/a"].since is None or 1 / 0],
        status="waiting",
        waits="event",
    ),
    Rule(
        "callback",
        "With `callback: true` the job is done when someone answers; what the handler returns "
        "is not looked at.",
        f"[{CALL}]",
        play=lambda play: answer(returned(play)),
        output={"a": "done"},
        has=("job.ready p/a", "job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "callback-waiting",
        "Between the two the run is waiting, `waitingFor: callback`.",
        f"[{CALL}]",
        play=returned,
        status="waiting",
        waits="callback",
    ),
    Rule(
        "callback-early",
        "The answer may come before the handler has returned; its return then changes nothing.",
        f"[{CALL}]",
        play=lambda play: answer(play.start()).complete("p/a", "late"),
        output={"a": "done"},
        lacks=("job.waiting p/a",),
    ),
    Rule(
        "callback-twice",
        "The first answer counts.",
        f"[{CALL}, {{job: b, run: open}}]",
        play=lambda play: again(answer(returned(play))).complete("p/b"),
        output={"a": "done", "b": None},
    ),
    Rule(
        "callback-error",
        "An answer may be an error: the job has failed with it, without a retry.",
        f"[{CALL}]",
        play=lambda play: answer(returned(play), error=Failure("BuildFailed", "no disk")),
        status="failed",
        error="BuildFailed",
        lacks=("job.retried p/a",),
    ),
    Rule(
        "callback-expect",
        "`expect` is over the answer; one that does not fit is final too: who answered has ended.",
        "[{job: a, run: open, callback: true, expect: output == 'good'}]",
        play=lambda play: answer(returned(play)),
        status="failed",
        error="Unexpected",
        lacks=("job.retried p/a",),
    ),
    Rule(
        "callback-handler-fails",
        "A handler that fails before the answer is tried again; the address stays the same …",
        f"[{CALL}]",
        play=lambda play: answer(play.start().fail("p/a").tick().complete("p/a")),
        output={"a": "done"},
        has=("job.retried p/a", "job.ready p/a", "job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "callback-while-retrying",
        "… and an answer that comes between two attempts ends the job …",
        f"[{CALL}]",
        play=lambda play: answer(play.start().fail("p/a")),
        output={"a": "done"},
        has=("job.retried p/a", "job.succeeded p/a"),
    ),
    Rule(
        "callback-error-while-retrying",
        "… while an error then says nothing new.",
        f"[{CALL}]",
        play=lambda play: refused(
            play.start().fail("p/a"), e.Answered("p/a", None, Failure("X", "x"))
        ),
        status="waiting",
        waits="retry",
    ),
    Rule(
        "callback-timeout",
        "The `timeout` of a job with a callback is for the whole, from its first attempt, retries "
        "included; `Timeout` is then final …",
        "[{job: a, run: open, callback: true, timeout: 20m, retry: {delay: 15m, jitter: 0}}]",
        play=lambda play: play.start().fail("p/a").tick().complete("p/a").tick(),
        status="failed",
        error="Timeout",
        took=1_200_000,
    ),
    Rule(
        "callback-timeout-stops",
        "… and a handler that still runs is stopped.",
        f"[{CALL}]",
        play=lambda play: [play.start().tick(), len(play.stopped) == 1 or 1 / 0],
        status="failed",
        error="Timeout",
        took=1_200_000,
    ),
    Rule(
        "callback-http",
        "`http` and `emit` can have a callback too.",
        "[{job: a, emit: {type: T, data: '${ job.token }'}, callback: true}]",
        play=lambda play: answer(play.start()),
        output={"a": "done"},
        has=("job.waiting p/a", "job.succeeded p/a"),
    ),
    Rule(
        "later",
        "A handler that returns `Later()` has a callback without having written one.",
        "[{job: a, run: open}]",
        play=lambda play: answer(play.start().tell(e.Deferred("p/a", 1))),
        output={"a": "done"},
    ),
    Rule(
        "later-timeout",
        "Its `timeout` is then for the whole of what follows, from when it said so.",
        "[{job: a, run: open, timeout: 5s}]",
        play=lambda play: later(play).tick(),
        status="failed",
        error="Timeout",
        took=5_000,
    ),
    Rule(
        "later-heartbeat",
        "So holds the `heartbeat` of its handler; a next attempt has what is left of the time.",
        graph=with_a_heartbeat,
        play=lambda play: later(later(play).tick().tick(), 2).tick(),
        status="failed",
        error="Timeout",
        took=5_000,
        has=("job.waiting p/a", "job.retried p/a", "job.ready p/a", "job.waiting p/a"),
    ),
    Rule(
        "heartbeat",
        "`heartbeat: 1m` wants a sign of life within every minute.",
        f"[{BEAT}]",
        play=beats,
        output={"a": "done"},
        has=("job.heard p/a", "job.heard p/a", "job.heard p/a"),
    ),
    Rule(
        "heartbeat-missed",
        "Without one the attempt has failed with `HeartbeatTimeout`: it is stopped and tried "
        "again.",
        f"[{BEAT}]",
        play=missed,
        output={"a": "done"},
        has=("job.retried p/a", "job.ready p/a"),
    ),
    Rule(
        "heartbeat-missed-waiting",
        "So it has while the answer is awaited.",
        f"[{BEAT}]",
        play=lambda play: returned(play).tick(),
        status="waiting",
        waits="retry",
    ),
    Rule(
        "heartbeat-late",
        "A sign of life of an attempt that has failed says nothing.",
        f"[{BEAT}]",
        play=heard_while_retrying,
        status="waiting",
        waits="retry",
    ),
    Rule(
        "heartbeat-emit",
        "An `emit` with a callback has no second attempt: it fails.",
        "[{job: a, emit: {type: T}, callback: true, heartbeat: 1m}]",
        status="failed",
        error="HeartbeatTimeout",
        took=60_000,
    ),
    Rule(
        "heartbeat-none",
        "Without `heartbeat` a sign of life changes nothing.",
        f"[{CALL}]",
        play=lambda play: refused(play.start(), e.Heard("p/a", 1)),
        status="running",
    ),
    Rule(
        "emit",
        "`emit` publishes an event; its output is `{id}`, made of the run's id and the step's key.",
        "[{job: a, emit: {type: T, data: {x: '${ input.x }'}, subject: '${ input.x }!'}}]",
        input={"x": 7},
        play=None,
        output={"a": {"id": "run:p/a"}},
    ),
    Rule(
        "emit-headers",
        "Its `headers` are more attributes of the event; what is null is left out.",
        "[{job: a, emit: {type: T, headers: {tenant: '${ input.x }', none: '${ input.y }'}}}]",
        play=headed,
        output={"a": {"id": "run:p/a"}},
    ),
    Rule(
        "emit-headers-odd",
        "A header that is no text, or whose name no event can have, fails the job.",
        "[{job: a, emit: {type: T, headers: '${ input }'}}]",
        input={"Tenant": "t"},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "emit-no-type",
        "A type that is no text fails the job.",
        "[{job: a, emit: {type: '${ input.type }'}}]",
        input={"type": 7},
        status="failed",
        error="ExpressionError",
    ),
    Rule(
        "set",
        "`set` makes variables of the run, and its values are its output.",
        "[{job: a, set: {n: 1, m: '${ input.m }'}}, "
        "{job: b, run: echo, needs: [a], with: ['${ vars.n }', '${ vars.m }', '${ vars.x }']}]",
        input={"m": [2]},
        output={"a": {"n": 1, "m": [2]}, "b": [1, [2], None]},
    ),
    Rule(
        "set-again",
        "A later `set` of the same name wins.",
        "[{job: a, set: {n: 1}}, {job: b, needs: [a], set: {n: '${ vars.n + 1 }'}}, "
        "{job: c, needs: [b], run: echo, with: '${ vars.n }'}]",
        outputs={"p/c": 2},
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_waits(rule):
    holds(rule)
