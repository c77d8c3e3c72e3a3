"""The workflows that are simulated: together they use every construct that there is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ostinato.testing.simulation.asked import ASKED
from ostinato.testing.simulation.callers import CALLED, CALLING, DEEP
from ostinato.testing.simulation.far import FAR
from ostinato.testing.simulation.handlers import HANDLERS
from ostinato.testing.simulation.parts import (
    FEW,
    MINE,
    RETRY,
    Data,
    N,
    job,
    job_of,
    phase,
    tell,
    tell_twice,
)
from ostinato.testing.simulation.repetitions import BROKEN, QUEUED, SIGNALLED, SINGLE

UNWANTED = "UNWANTED"
"""The type of events that no bus takes."""

ORDER: Data = {
    "workflow": "order",
    "on": [{"event": "ORDER", "uid": "string(event.data.n)"}],
    "phases": [
        phase("first", job("a", "quick"), job("b", "thread", retry=RETRY), mode="sequential"),
        phase(
            "spread",
            job("part", retry=RETRY),
            each={"in": "input.items", "as": "item", "at_once": 2},
        ),
        phase(
            "second",
            {"job": "nap", "wait": "300ms"},
            {"job": "paid", "wait": {"event": "PAID", "match": MINE}},
            job("ask", "ask", callback=True),
            {"job": "shaky", "run": "flaky", "with": {"times": 1}, "retry": RETRY},
        ),
        phase("last", {"job": "tell", "emit": {"type": "ORDER_DONE", "data": N}}),
    ],
    "output": {"n": "input.n"},
}

AFTER: Data = {
    "workflow": "after",
    "on": [{"event": "ORDER_DONE"}, {"event": "ECHOED", "input": {"n": "event.data.n"}}],
    "phases": [phase("p", job("file", retry=5))],
}

PLAIN: Data = {
    "workflow": "plain",
    "phases": [
        phase("p", job("x", "quick"), job("y", "apart", needs=["x"], retry=RETRY)),
        phase("q", job("z", "steady"), job("l", "thread_then_loop"), *tell_twice("PLAIN_DONE")),
    ],
}

FAILING: Data = {
    "workflow": "failing",
    "on": [{"event": "FAIL", "pattern": {"data": {"n": [{"exists": True}]}}}],
    "timeout": "20s",
    "phases": [
        phase(
            "try",
            job("maybe", retry={"attempts": 2, "delay": "10ms"}, optional=True),
            job("often", retry={"attempts": 2, "delay": "10ms"}),
            job("long", "steady"),
            job("mute", "stubborn"),
        ),
        phase(
            "tolerant",
            job("item", each={"in": "[1, 2, 3, 4]", "at_once": 3, "tolerate": 2}, retry=1),
            job("skipped", when="input.n == 0"),
            job("sure", "quick", needs=["skipped", "item"], expect="output != ''"),
        ),
    ],
    "on_failure": [{"job": "cry", "emit": {"type": "FAILED", "data": N}}],
    "finally": [job("clean", "quick"), {"job": "calm", "wait": "10ms"}],
}

STRICT: Data = {
    "workflow": "strict",
    "phases": [
        phase("hung", job("hang", "hang", timeout="400ms", retry=2, optional=True)),
        phase("mute", job("deaf", "stubborn", timeout="700ms", retry=1, optional=True)),
        phase("gone", job("dropped", "cancelled", retry=2, optional=True)),
        phase(
            "asked",
            job("beat", "ask", callback=True, heartbeat="3s", timeout="20s", optional=True),
            job(
                "faint",
                "faint",
                callback=True,
                heartbeat="300ms",
                retry=FEW,
                timeout="20s",
                optional=True,
            ),
            job(
                "pant",
                "panting",
                callback=True,
                heartbeat="100ms",
                retry=FEW,
                timeout="20s",
                optional=True,
            ),
            {
                "job": "said",
                "emit": {"type": "ECHOED", "data": N},
                "callback": True,
                "timeout": "15s",
                "optional": True,
            },
            {"job": "never", "wait": {"event": "NEVER", "timeout": "2s"}, "optional": True},
        ),
        phase("slow", {"job": "sleep", "run": "sleep", "with": {"for": "2s"}}, timeout="1m"),
    ],
}

POISONED: Data = {
    "workflow": "poisoned",
    "phases": [
        phase(
            "p",
            job("bad", "poison", optional=True),
            *[job(f"innocent{number}", "steady") for number in range(3)],
        ),
        phase("q", job("after", "quick")),
    ],
}

EARLY: Data = {
    "workflow": "early",
    "on": [{"event": "EARLY"}],
    "phases": [
        phase("before", {"job": "nap", "wait": "200ms"}),
        phase(
            "one",
            {"job": "first", "wait": {"event": ["PAID", "PING"], "match": MINE}},
            {"job": "again", "wait": {"event": "PING", "match": MINE, "timeout": "30s"}},
        ),
        phase(
            "two",
            {"job": "late", "wait": {"event": "PING", "match": MINE, "look_back": "none"}},
            {"job": "short", "wait": {"event": "PAID", "match": MINE, "look_back": "1s"}},
        ),
        phase("after", job("done", "quick"), tell("EARLY_DONE")),
    ],
}

WAITING: Data = {
    "workflow": "waiting",
    "phases": [phase("p", {"job": "paid", "wait": {"event": "PAID", "match": MINE}})],
}

WEB: Data = {
    "workflow": "web",
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    "phases": [
        phase(
            "p",
            {"job": "get", "http": {"url": "http://peer/${ input.n }"}, "retry": RETRY},
            {
                "job": "post",
                "http": {"method": "POST", "url": "http://peer/", "body": N},
                "retry": RETRY,
            },
            {"job": "vars", "set": {"seen": "${ input.n }"}},
            {"job": "say", "run": "echo", "with": {"n": "${ vars.seen }"}, "needs": ["vars"]},
            {"job": "none", "run": "noop"},
            {"job": "doze", "run": "sleep", "with": {"for": "700ms"}},
            tell("WEB_DONE"),
            tell(UNWANTED),
            {"job": "until", "wait": {"until": "run.startedAt"}, "optional": True},
        ),
    ],
}

LONG: Data = {
    "workflow": "long",
    "phases": [
        phase("p", job("step", "quick"), each={"in": "input.many", "as": "i", "at_once": 1}),
    ],
}

BAD: Data = {
    "workflow": "bad",
    "phases": [
        phase(
            "p",
            job("fine", "quick"),
            job("broken", "unstorable", needs=["fine"]),
            job("beside", "brief", needs=["fine"]),
        )
    ],
    "output": {"n": "input.n"},  # or the poison would be in the run's result, too
}

CHANGING: Data = {
    "workflow": "changing",
    "on": [{"event": "CHANGE"}],
    "phases": [
        phase("one", job("a", "quick"), {"job": "gap", "wait": "500ms"}),
        phase("two", job("b", "steady"), {"job": "told", "wait": {"event": "PAID", "match": MINE}}),
    ],
}

CHANGED: Data = {
    "workflow": "changing",
    "on": [{"event": "CHANGE"}],
    "phases": [
        phase("other", job("c", "quick"), job("d", "steady", needs=["c"])),
        phase("three", {"job": "said", "wait": {"event": "PING", "match": MINE}}),
    ],
}

TICKING: Data = {
    "workflow": "ticking",
    "on": [{"every": "1s", "overlap": "allow", "catch_up": "all", "name": "each"}],
    "phases": [phase("p", job("tick", "quick"))],
}

TICKED: Data = TICKING | {"phases": [phase("p", job("tock", "quick"))]}

IN_TURN: Data = {"uid": "event.subject", "every": "1s", "overlap": "queue", "name": "turn"}
BY_CRON: Data = {"schedule": "*/2 * * * * *", "zone": "Europe/Berlin", "jitter": "700ms"}

TURNS: Data = {
    "workflow": "turns",
    "on": [BY_CRON, IN_TURN],
    "phases": [phase("p", job("turn", "steady"), {"job": "rest", "wait": "1s"})],
}

TURNED: Data = TURNS | {"on": [IN_TURN | {"every": "2s", "catch_up": "all"}, BY_CRON]}

LIMITED: Data = {
    "workflow": "limited",
    "concurrency": {"limit": 3},
    "priority": 7,
    "phases": [
        phase(
            "p",
            job("one", "quick", concurrency={"key": "input.n", "limit": 1}),
            job("two", retry=RETRY, concurrency={"limit": 2}, rate={"limit": 5, "per": "1s"}),
            job("item", each={"in": "[1, 2, 3]", "as": "i"}, concurrency={"limit": 2}, retry=RETRY),
        ),
        phase("q", {"job": "nap", "wait": "50ms", "concurrency": {"limit": 1}}),
    ],
}

MENDING: Data = {
    "workflow": "mending",
    "on_error": "finish",
    "phases": [
        phase(
            "do",
            job("made", "quick", undo="quick"),
            job("lent", "steady", undo={"run": "steady", "with": N}),
            job("part", "quick", each={"in": "input.items", "as": "item"}, undo="quick"),
            job("told", "steady") | {"with": N | {"key": "${ secrets.KEY }"}},
        ),
        phase("race", job("fast", "quick"), job("slow", "steady"), mode="race"),
        phase(
            "ask",
            job("poll", "quick", repeat={"until": "job.attempt > 1", "every": "30ms"}),
            job("lost", "cancelled", retry=1, catch=[{"on": "*", "do": job_of("quick")}]),
            {
                "job": "unheard",
                "wait": {"event": "NEVER", "timeout": "300ms"},
                "catch": [{"on": "Timeout", "output": "'nobody'"}],
            },
        ),
        phase("break", {"job": "stop", "end": "failed", "when": "input.n % 2 == 1"}),
    ],
    "finally": [job("tidy", "quick")],
}

PICKY: Data = {
    "workflow": "picky",
    "on": [{"event": "PICK", "uid": "string(event.data.n)"}],
    "input_schema": {"type": "object", "required": ["n", "taste"]},
    "phases": [phase("p", job("pick", "quick"))],
}

PICKED: Data = PICKY | {"input_schema": {"type": "object", "required": ["n"]}}
"""It takes what the first version refuses."""

MOODY: Data = {
    "workflow": "consumer-moody",
    "on": [{"event": "MOOD"}],
    "phases": [phase("consume", job("handle", retry=1), job("again", retry=1))],
}


DOCUMENTS: dict[str, Data] = {
    document["workflow"]: document
    for document in (
        ORDER, AFTER, PLAIN, FAILING, STRICT, POISONED, EARLY, WEB, LONG, BAD, CHANGING, TICKING,
        TURNS, LIMITED, MENDING, PICKY, MOODY, WAITING, ASKED, CALLING, CALLED, DEEP,
        QUEUED, SIGNALLED, SINGLE, BROKEN, FAR,
    )
}  # fmt: skip

DOOMED = ("bad",)
"""Workflows with data that no store takes: their runs need a person."""

SECOND: dict[str, Data] = {
    "changing": CHANGED, "ticking": TICKED, "turns": TURNED, "picky": PICKED,
}  # fmt: skip
"""What a second deployment brings while runs of the first are open."""


@cache
def handlers_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """The simulated handlers that these workflows, in any version, call."""
    texts = [repr(table.get(name)) for name in names for table in (DOCUMENTS, SECOND)]
    return tuple(handler for handler in HANDLERS if any(f"'{handler}'" in text for text in texts))


@cache
def awaited(workflow: str, version: int) -> frozenset[str]:
    """The types of events that runs of this version wait for."""
    return frozenset(_awaited((DOCUMENTS, SECOND)[version - 1].get(workflow, {})))


def _awaited(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _awaited(each)
    elif isinstance(part, dict):
        wait = part.get("wait")
        types = wait.get("event", ()) if isinstance(wait, dict) else ()
        yield from (types,) if isinstance(types, str) else types
        yield from _awaited(list(part.values()))


TRIGGERS = {
    "order": "ORDER", "after": "ORDER_DONE", "failing": "FAIL", "early": "EARLY",
    "changing": "CHANGE", "picky": "PICK", "consumer-moody": "MOOD", "queued": "QUEUE",
    "signalled": "SIGNAL", "single": "SINGLE", "asked": "ASK", "far": "FAR",
}  # fmt: skip

CONSUMERS = ("consumer-moody",)
"""Workflows that only events start."""

LETTERS = ("picky", "consumer-moody", "web")
"""Workflows that leave dead letters."""

WAITS = {
    "order": ("PAID",), "early": ("PAID", "PING", "PING"), "changing": ("PAID", "PING"),
    "strict": ("NEVER",), "queued": ("QUEUE", "QUEUE"), "signalled": ("SIGNAL", "SIGNAL"),
    "single": ("SINGLE",), "waiting": ("PAID",),
}  # fmt: skip
"""The events that runs of a workflow wait for, or that start more of them; their data has the
run's number."""


SCHEDULED = ("ticking", "turns")
"""Workflows that start by the clock."""

NEIGHBOURS = {
    "order": ("after",), "strict": ("after",), "called": ("deep",),
    "calling": ("called", "deep", "single"),
}  # fmt: skip
"""Workflows that are started by what others emit, or call."""

BELOW = ("called", "deep")
"""Those that come only with what calls them."""
