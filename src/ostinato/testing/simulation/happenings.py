"""Things that happen, by what they are good for: ``aims`` says which crash points want them."""

from __future__ import annotations

from typing import Any

from ostinato.testing.simulation.faults import BUS_FAULTS, FALL, MEETING

Happening = tuple[str, tuple[Any, ...]]

Scene = tuple[tuple[float, Happening], ...]
"""Happenings by seconds after the scene has begun."""

# processes and stores

STOP: Happening = ("stop", (0.05,))
SLOW: Happening = ("fault", ("slow", 3.0))
GONE: Happening = ("fault", ("commit.gone", 1))
CRASH: Happening = ("crash", ())
STOPS = (STOP, STOP, STOP)
CRASHES = (CRASH,) * 4
UNTOLD: Scene = tuple((begun + at, what) for begun in (0.0, 1.2) for at, what in (
    (0.0, ("untold", (1,))), (0.1, CRASH),
))  # fmt: skip
"""Who takes partitions is not told that it has them."""

MUTE_REPLIES: Happening = ("mute", ("reply",))
MUTE_DEPLOYED: Happening = ("mute", ("deployed",))

UNKNOWN: Scene = tuple(
    (begun + at, what)
    for begun in (0.0, 1.2)
    for at, what in (
        (0.0, CRASH),
        *[(n / 20, ("fault", ("read.error", 3))) for n in range(1, 12)],
    )
)
"""Who takes partitions cannot read what lies there."""

PAUSES = tuple[Happening, ...](("pause", (seconds,)) for seconds in (0.7, 1.1, 1.6))
ODD = tuple[Happening, ...](("fault", ("commit.odd", 1)) for _ in range(3))
LOST = tuple[Happening, ...](("fault", ("commit.lost", 1)) for _ in range(3))
UNREAD = tuple[Happening, ...](("fault", ("read.error", times)) for times in (1, 2, 5))
MISREAD = tuple[Happening, ...](("fault", ("read.odd", 2)) for _ in range(3))
UNMET = tuple[Happening, ...](("fault", (kind, 1)) for kind in MEETING.values())
UNKEPT = tuple[Happening, ...](("fault", ("commit.error", 2)) for _ in range(3))
BUS_FAILS = tuple[Happening, ...](("fault", (kind, 1)) for kind in BUS_FAULTS)
UNSENT = tuple[Happening, ...](("fault", ("bus.unsent", times)) for times in (1, 2, 3))
"""The rest comes again later, as where another store has nobody."""

BUS_HANGS: Happening = ("fault", ("bus.hang", 9))


def upon(said: bytes, kind: str, times: int = 1) -> Happening:
    """This befalls the next commits that say that."""
    return "upon", (said, kind, times)


def starts(workflow: str, *numbers: int, how: str = "plain") -> tuple[Happening, ...]:
    return tuple(("start", (workflow, number, how, 1)) for number in numbers)


BRINGS_ODD = tuple[Happening, ...](
    ("bring", (number, kind))
    for number, kind in enumerate(("away", "slow", "slow", "refused", "fine", "away"), 110)
)

BRINGS = tuple[Happening, ...](
    ("bring", (number, kind))
    for number, kind in enumerate(("fine", "broken", "fine", "fine", "broken", "fine"), 100)
)


def emits(type: str, *numbers: int, copies: int = 1) -> tuple[Happening, ...]:
    return tuple(("emit", (type, number, copies)) for number in numbers)


NOISE: Happening = ("batch", (2,))
"""Nobody waits for it; whatever is due is looked at."""

# what runs are asked

CANCELS = tuple[Happening, ...](("cancel", (number,)) for number in (1, 2, 3))
LOOKS = tuple[Happening, ...](("look", (number,)) for number in (1, 2))
WATCHES = tuple[Happening, ...](("watch", (number,)) for number in (1, 2, 3))
WEBS = starts("web", *range(980, 988))
PLAINS = starts("plain", 931, 932, 933)
MENDED = starts("mending", 931, 932, 933)
ORDERS = emits("ORDER", 1, 2, 3, 921, 922, 923, 924, copies=2)
TOGETHER = tuple[Happening, ...](
    ("together", (type, *range(first, first + 8)))
    for type in ("ORDER", "PICK", "QUEUE", "SIGNAL")
    for first in (961, 965)
)
"""What comes in one request begins runs in many places."""

DEPLOYED: Scene = (
    *[(n / 40, emits("CHANGE", 921 + n)[0]) for n in range(16)],
    (0.2, ("deploy", ("changing",))),
)
"""Events come where nobody has heard yet of what was deployed for them."""

EARLY = emits("EARLY", 1, 2, 3, copies=2)
ASKS = starts("asked", 1, 2, 3)
ANSWERS = tuple[Happening, ...](
    ("complete", (number, "right")) for _ in range(2) for number in (1, 2, 3)
)

HANDLER_COMES: Scene = tuple(
    (at, happening)
    for after in (0.0, 0.6, 1.2)
    for at, happening in ((after, ("burst", ("far", 12))), (after + 0.03, CRASH))
)
"""More is offered than workers can take, and the next process has a handler for it."""

FORGOTTEN: Scene = tuple(
    (after + at, happening)
    for after in (0.0, 0.8, 1.6)
    for at, happening in ((0.0, CRASH), (0.5, ("jump", (60_000,))))
)
"""Leases are over when nobody has their runs in memory."""

FARS = (*emits("FAR", 1, 2, 3, copies=2), *starts("far", 931, 932))

# one uid

STARTS = starts("early", 901, 904, 907, 910, 913, 916, how="both")
"""They have one uid."""

CALLS = starts("calling", 910, 913)
"""Which call by the uid of those."""

DOUBLES = starts("single", 920, 921)
"""What those call by then has begun and ended, somewhere."""

FALLS = (upon(b"job.called", FALL, 2), upon(b"run.succeeded", FALL, 2))
"""What a run has said to another is stored, and not taken."""

RUSH = tuple[Happening, ...](("rush", ("bad", number)) for number in (2_000, 3_000, 4_000))
"""One uid is asked for again and again while its run ends, which no store takes."""

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

# waits

MET = tuple[Happening, ...](
    ("emit", (type, number, 1)) for number in (1, 2, 3) for type in ("PAID", "PING")
)
WAITERS = tuple[Happening, ...](
    ("start", ("waiting", number % 4, "plain", 1)) for number in range(12)
)
TWINS: tuple[Happening, ...] = (*EARLY, *UNMET, *WAITERS)
"""What one run waits for comes, nobody can say so, and another one like it begins."""


def _looked_for_in_vain(at: float, n: int) -> Scene:
    """What it waits for has come already, and the store does not say so at once."""
    return (
        (at, ("fault", ("read.early", 3))), (at, ("emit", ("EARLY", n, 1))),
        (at + 0.08, ("emit", ("PAID", n, 1))), (at + 0.08, ("emit", ("PING", n, 1))),
    )  # fmt: skip


def _begun_too_late(at: float, n: int) -> Scene:
    """What one waits for comes, the store does not say so at once, and another one begins."""
    return (
        (at, ("start", ("waiting", n, "plain", 1))), (at + 0.2, ("fault", ("read.waits", 1))),
        (at + 0.2, ("emit", ("PAID", n, 1))), (at + 0.5, ("start", ("waiting", n, "plain", 1))),
    )  # fmt: skip


MISSED: Scene = (*_begun_too_late(0.0, 941), *_looked_for_in_vain(1.7, 942))

UNSEEN: Scene = (
    *[(0.0, one) for one in starts("changing", 985, 986, 987)], (0.3, ("blind", ())), (1.5, CRASH),
)  # fmt: skip
"""The timer of a run is due, and nobody can read the run."""

# what is over

OVER = (991, 992, 993)
"""Runs that have each a uid of their own, and end at once."""

ENDED = starts("broken", *OVER, how="uid")
REOPENED = tuple[Happening, ...](("mend", (n, how)) for n in OVER for how in ("fork", "retry"))
DONE = starts("long", 950, 951, 952, how="once")
BULK: tuple[Happening, ...] = (
    ("bulk", ("retry", "broken", False)), ("bulk", ("cancel", "early", False)),
    ("bulk", ("retry", "broken", True)),
)  # fmt: skip

# what could not be processed

FAILED = (*emits("PICK", *range(960, 966)), *emits("MOOD", *range(960, 966)), *WEBS[:2])
DRIVEN: tuple[Happening, ...] = (("redrive", (2,)), CRASH, ("redrive", (1,)))
PICKED_AGAIN: Scene = (
    *[(0.0, one) for one in emits("PICK", *range(960, 966))],
    (0.5, ("deploy", ("picky",))),
    *[(at, ("redrive", (1,))) for at in (0.8, 1.3, 1.8)],
)
"""What was refused is taken by then."""

UNSURE: Scene = (
    *[(at, ("redrive", (1,))) for at in (0.0, 0.3, 0.6, 0.9, 1.2)],
    *[(at, what) for at in (1.5, 1.8, 2.1) for what in (LOST[0], NOISE)],
)
"""Commits of letters and of events, and nobody knows whether they were kept."""

# schedules

HANDS: tuple[Happening, ...] = (
    ("fire", ("ticking",)), ("backfill", ("ticking",)), ("hold", ("turns",)),
)  # fmt: skip

PROMISED: Happening = upon(b"turns/on/turn", "commit.error", 5)
"""What is to begin elsewhere does not begin there at once."""

FIRES: tuple[Happening, ...] = (("fire", ("turns/on/turn",)),) * 4
"""Some are promised before one of them begins, and they are one."""

TURNED: Happening = ("deploy", ("turns",))

BACK: Scene = ((2.5, ("jump", (-60_000,))),)
"""Late, for whoever starts anew knows what time it is."""

LATER: tuple[Happening, ...] = (("jump", (20_000,)),) * 3
"""So late one looks also where nobody has hinted at anything."""

# what is old

OLD = 70_000
"""Milliseconds: so much later everything is old, in worlds that forget, and the janitor comes."""

AGE: Happening = ("jump", (OLD,))
CLEAN: Happening = ("clean", ())
CLEANS: Scene = tuple(
    (begun + at, what)
    for begun in (0.0, 0.8, 1.6)
    for at, what in ((0.0, AGE), (0.02, CLEAN), (0.02, CLEAN))
)
CUT_SHORT: Scene = tuple(
    (begun + at, what)
    for begun in (0.0, 1.4)
    for at, what in (
        (0.0, AGE), (0.01, ("fault", ("slow", 0.7))), (0.02, NOISE), (0.5, STOP),
    )
)  # fmt: skip
"""A pass is under way when its process stops."""
