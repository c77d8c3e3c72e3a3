"""What a crash point needs to be reached: workflows, and things that happen.

Without a line here a point is met by whatever a plan does; a line makes the plan suit the point
that it aims at, so that few seeds cover much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostinato.testing.simulation.documents import SCHEDULED
from ostinato.testing.simulation.faults import BUS_FAULTS, MEETING
from ostinato.testing.simulation.points import Point, crash_points, function_of

Happening = tuple[str, tuple[Any, ...]]

STOP: Happening = ("stop", (0.05,))
SLOW: Happening = ("fault", ("slow", 3.0))
GONE: Happening = ("fault", ("commit.gone", 1))
CRASH: Happening = ("crash", ())


@dataclass(frozen=True, slots=True)
class Need:
    """``happenings`` come at any moment; ``later`` in the second half then, and in this order."""

    documents: tuple[str, ...] = ()
    happenings: tuple[Happening, ...] = ()
    later: tuple[Happening, ...] = ()
    small: bool = False
    forgets: bool = False


OLD = 70_000
"""Milliseconds: so much later everything is old, in worlds that forget, and the janitor comes."""

AGE: Happening = ("jump", (OLD,))
CLEAN: Happening = ("clean", ())

UNREAD = tuple[Happening, ...](("fault", ("read.error", times)) for times in (1, 2, 5))
UNMET = tuple[Happening, ...](("fault", (kind, 1)) for kind in MEETING.values())
BUS_FAILS = tuple[Happening, ...](("fault", (kind, 1)) for kind in BUS_FAULTS)
BUS = Need(("plain", "order"), (("fault", ("bus.refuses", 3)), *BUS_FAILS, *UNREAD))
STOPPED = Need(("strict", "failing", "plain"), (STOP, STOP, STOP))
CANCELS = tuple[Happening, ...](("cancel", (number,)) for number in (1, 2, 3))
STARTS = tuple[Happening, ...](
    ("start", ("early", number, "both", 1))
    for number in (901, 904, 907, 910, 913, 916)  # which have one uid
)

CALLS = tuple[Happening, ...](("start", ("calling", number, "plain", 1)) for number in (910, 913))
"""Which call by the uid of those."""

EARLY = tuple[Happening, ...](("emit", ("EARLY", number, 2)) for number in (1, 2, 3))

MET = tuple[Happening, ...](
    ("emit", (type, number, 1)) for number in (1, 2, 3) for type in ("PAID", "PING")
)

LOOKS = tuple[Happening, ...](("look", (number,)) for number in (1, 2))

ASKS = tuple[Happening, ...](("start", ("asked", number, "plain", 1)) for number in (1, 2, 3))
ANSWERS = tuple[Happening, ...](
    ("complete", (number, "right")) for _ in range(2) for number in (1, 2, 3)
)

WAITERS = tuple[Happening, ...](
    ("start", ("waiting", number % 4, "plain", 1)) for number in range(12)
)
UNSEEN: tuple[Happening, ...] = (
    *[("start", ("changing", number, "plain", 1)) for number in (985, 986, 987)],
    ("blind", ()),
    CRASH,
)
"""The timer of a run is due, and nobody can read the run."""

TWINS: tuple[Happening, ...] = (*EARLY, *UNMET, *WAITERS)
"""What one run waits for comes, nobody can say so, and another one like it begins."""

OVER = (991, 992, 993)
"""Runs that have each a uid of their own, and end at once."""

RUSH = tuple[Happening, ...](("rush", ("bad", number)) for number in (2_000, 3_000, 4_000))
"""One uid is asked for again and again while its run ends, which no store takes."""

ENDED = tuple[Happening, ...](("start", ("broken", n, "uid", 1)) for n in OVER)
REOPENED = tuple[Happening, ...](("mend", (n, how)) for n in OVER for how in ("fork", "retry"))
AWAY = tuple[Happening, ...](("fault", ("outage", 1.5)) for _ in range(6))
ORDERS = tuple[Happening, ...](("emit", ("ORDER", n, 2)) for n in (1, 2, 3, 921, 922, 923, 924))
WEBS = tuple[Happening, ...](("start", ("web", n, "plain", 1)) for n in range(980, 988))
DONE = tuple[Happening, ...](("start", ("plain", n, "once", 1)) for n in (950, 951, 952))
FAILED: tuple[Happening, ...] = (
    *[("emit", (type, number, 1)) for type in ("PICK", "MOOD") for number in range(960, 966)],
    *[("start", ("web", number, "plain", 1)) for number in (970, 971)],
)
SIGNALS = tuple[Happening, ...](
    (how, given)
    for number in (901, 904, 907, 911)
    for how, given in (
        ("emit", ("SIGNAL", number, 1)),
        ("start", ("signalled", number, "both", 1)),
        ("start", ("queued", number, "both", 1)),
        ("start", ("single", number, "once", 2)),
    )
)
LINES: tuple[Happening, ...] = (("burst", ("queued", 7)), ("burst", ("queued", 4)))
BULK: tuple[Happening, ...] = (
    ("bulk", ("retry", "broken", False)), ("bulk", ("cancel", "early", False)),
    ("bulk", ("retry", "broken", True)),
)  # fmt: skip
DRIVEN: tuple[Happening, ...] = (("redrive", (2,)), CRASH, ("redrive", (1,)))
OLD_PLAINS = Need(("plain",), DONE, later=(AGE, CLEAN, AGE, CLEAN), forgets=True)
LONG_PASS: tuple[Happening, ...] = (("fault", ("slow", 9.0)), *[AGE, STOP] * 4)
SENDING: tuple[Happening, ...] = (
    ("fault", ("bus.hang", 9)), *WEBS,
)  # fmt: skip

HANDS: tuple[Happening, ...] = (
    ("fire", ("ticking",)), ("backfill", ("ticking",)), ("hold", ("turns",)),
)  # fmt: skip

NEEDS: dict[str, Need] = {
    "builtin.sleep": Need(("web",)),
    "calls": Need(("calling", "called", "deep", "early"), (CRASH, CRASH, *CANCELS)),
    "calls._look": Need(
        ("calling", "called", "deep", "early"),
        STARTS[:2],
        later=(CRASH, *CALLS, GONE, CRASH, GONE, CRASH, *CALLS),
    ),
    "engine.rest": Need(("failing",), (SLOW, *CANCELS, *LOOKS, SLOW, *LOOKS)),
    "engine._commit": Need(("bad",), tuple(("fault", ("commit.odd", 1)) for _ in range(3))),
    "engine._halve": Need(("bad", "plain"), (("burst", ("bad", 9)), *RUSH)),
    "engine._take_stock": Need((), tuple(("fault", ("commit.gone", 1)) for _ in range(3))),
    "engine._was_kept": Need(
        ("web",),
        tuple(
            happening
            for number in (1, 2, 3, 80)
            for happening in (("fault", ("commit.lost", 9)), ("batch", (number,)))
        ),
        later=(("fault", ("commit.odd", 9)), ("redrive", (2,)), ("redrive", (2,))),
    ),
    "executor._run": Need(("failing", "strict"), CANCELS),
    "executor._run_alone": Need(("poisoned",), (CRASH,)),
    "executor.close": Need(("strict", "failing"), (STOP, STOP)),
    "executor.drain": STOPPED,
    "exporting": OLD_PLAINS,
    "http": Need(("web",), WEBS),
    "http.close": Need(("web",), (STOP, STOP, STOP, STOP)),
    "inbox": Need(("order",), ORDERS),
    "incidents": Need(("changing",), later=UNSEEN),
    "janitor": OLD_PLAINS,
    "janitor._events": Need(("early",), EARLY, later=(AGE, CLEAN, AGE, CLEAN), forgets=True),
    "janitor.close": Need(("plain",), DONE, later=LONG_PASS, forgets=True),
    "letters": Need(("picky", "consumer-moody", "web"), FAILED, later=DRIVEN),
    "limiter": Need(("limited", "queued"), (("burst", ("limited", 9)), *LINES, CRASH), later=LINES),
    "meeting": Need(("early",), (*EARLY, *UNMET), later=MET),
    "meeting._find_waits": Need(("early", "waiting"), TWINS, later=MET),
    "meeting.run_once": Need(("early", "waiting"), TWINS, later=MET),
    "operations": Need(("broken", "early"), (*ENDED, *EARLY), later=(*BULK, CRASH)),
    "operating": Need(("broken", "early"), ENDED, later=BULK),
    "janitor._operations": Need(("broken",), ENDED, later=(*BULK, AGE, AGE, CLEAN), forgets=True),
    "outbox": BUS,
    "outbox.close": Need(("web",), SENDING, later=(STOP, STOP)),
    "tasks": Need(("asked",), ASKS, later=(*ANSWERS, CRASH, *ANSWERS)),
    "planning": Need(SCHEDULED, (*HANDS, ("jump", (-5_000,)))),
    "schedules": Need(SCHEDULED, HANDS),
    "executor._outcome": Need(("mending",), CANCELS),
    "repairs": Need(("broken",), ENDED, later=REOPENED),
    "service.stop": STOPPED,
    "service._hand_over": Need(
        ("strict", "failing", "plain"), (*DONE, STOP, STOP), later=LONG_PASS, forgets=True
    ),
    "service._settle": STOPPED,
    "service._store_start": Need(
        ("poisoned",), (("start", ("poisoned", 940, "plain", 1)), CRASH), later=AWAY
    ),
    "service._turn": Need(("early",), tuple(("fault", ("read.odd", 2)) for _ in range(3))),
    "service.wait_room": Need(("plain",), (("burst", ("plain", 60)),), small=True),
    "slots._slot": Need(("failing", "plain"), (("burst", ("plain", 20)),), small=True),
    "starts": Need(
        ("early", "signalled", "queued", "single"),
        (*STARTS[:3], *SIGNALS[:8], *LINES),
        later=(CRASH, *STARTS[3:], *SIGNALS[8:], *LINES),
    ),
    "starts.look": Need(("single", "queued", "signalled"), SIGNALS, later=(*SIGNALS, *LINES)),
    "timers": Need(("early", "asked", "mending"), (*EARLY, *ASKS, CRASH), later=CANCELS),
    "watching": Need((), tuple(("watch", (number,)) for number in (1, 2, 3))),
}
"""By module and function, or by module."""


def aim_of(seed: int) -> tuple[Point, Need]:
    """The points take turns from seed to seed."""
    points = crash_points()
    point = points[seed % len(points)]
    needed = NEEDS.get(f"{point[0]}.{function_of(point)}") or NEEDS.get(point[0]) or Need()
    return point, needed
