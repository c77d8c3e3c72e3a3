"""Simulated workflows of which runs meet: by a uid, as starts that are one, in many repairs."""

from __future__ import annotations

from ostinato.testing.simulation.parts import Data, job, phase

QUEUED: Data = {
    "workflow": "queued",
    "on": [{"event": "QUEUE", "uid": "string(event.data.n % 3)"}],
    "uid": {"key": "string(input.n % 3)", "open": "queue"},
    "concurrency": {"key": "input.n % 2", "limit": 1},
    "phases": [phase("p", job("one", "quick"), {"job": "nap", "wait": "80ms"})],
}

TOLD: Data = {"event": ["SIGNAL", "ostinato.start"], "look_back": "none", "timeout": "3s"}

SIGNALLED: Data = {
    "workflow": "signalled",
    "on": [{"event": "SIGNAL", "uid": "string(event.data.n % 2)"}],
    "uid": {"open": "signal", "again": "resume"},
    "phases": [
        phase("before", job("busy", "steady"), job("shaky", retry=1)),
        phase("heard", {"job": "told", "wait": TOLD, "optional": True}),
    ],
}

SINGLE: Data = {
    "workflow": "single",
    "on": [{"event": "SINGLE"}],
    "dedup": {"key": "input.n % 2", "window": "1h"},
    "phases": [phase("p", job("only", "quick"))],
}

BROKEN: Data = {
    "workflow": "broken",
    "phases": [
        phase("p", job("fine", "quick")),
        phase("q", {"job": "stop", "run": "fail", "with": {"message": "no"}}),
    ],
}

WINDOWS = {"single": 3_600_000}
"""Milliseconds in which starts of a workflow are one."""
