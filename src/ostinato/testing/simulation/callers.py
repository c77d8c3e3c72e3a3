"""Simulated workflows that call each other: in a race, late, refused, shared, and to take back."""

from __future__ import annotations

from ostinato.testing.simulation.parts import FEW, Data, N, call, job, phase

DEEP: Data = {
    "workflow": "deep",
    "phases": [
        phase("p", job("dig", "quick", undo="quick"), {"job": "rest", "wait": "300ms"}),
        phase("q", job("out", "steady")),
    ],
    "output": {"n": "input.n"},
}

CALLED: Data = {
    "workflow": "called",
    "phases": [
        phase("p", job("made", "quick", undo="quick"), call("down", "deep")),
        phase("q", job("rest", "quick"), {"job": "nap", "wait": "150ms"}),
        phase("r", job("may", retry=1)),
    ],
    "output": {"n": "jobs.down.output.n"},
}

UID = "u${ input.n % 3 }"

AGAIN = {"on": "*", "do": {"call": "deep", "with": N}}

CALLING: Data = {
    "workflow": "calling",
    "phases": [
        phase(
            "one",
            call("child", "called", retry=FEW, optional=True, expect="output.n == input.n"),
            call("gone", "nowhere", catch=[AGAIN]),
            call("shared", {"workflow": "deep", "uid": UID}, optional=True),
            call("same", {"workflow": "deep", "uid": UID}, optional=True),
            call("known", {"workflow": "early", "uid": UID}, timeout="600ms", optional=True),
            call("once", "single", optional=True),
            call("made", "deep", undo={"call": "deep", "with": N}, needs=["gone"]),
        ),
        phase(
            "many",
            call(
                "part", "deep", each={"in": "input.items", "at_once": 2}, concurrency={"limit": 3}
            ),
        ),
        phase("race", call("fast", "deep"), call("slow", "called"), mode="race"),
        phase("late", call("timed", "called", timeout="70ms", catch=[AGAIN])),
        phase("break", {"job": "stop", "end": "failed", "when": "input.n % 2 == 1"}),
    ],
    "on_failure": [call("cry", "deep")],
    "finally": [call("tidy", "deep")],
}
