"""The workflows that are measured."""

from __future__ import annotations

from typing import Any

STEPS = 10
FAN = 100
LIGHT = 40
LONG = 1_010
"""Steps of the long run: ten beyond its thousandth."""

Document = dict[str, Any]


def sequence(
    name: str, handler: str, jobs: int, *, on: str = "", given: dict[str, int] | None = None
) -> Document:
    """So many jobs, one after the other; each is given the same."""
    more = {"with": given} if given else {}
    each = [{"job": f"job{number}", "run": handler, **more} for number in range(jobs)]
    return {
        "workflow": name,
        **({"on": [{"event": on}]} if on else {}),
        "phases": [{"phase": "work", "mode": "sequential", "jobs": each}],
    }


def fan(name: str, handler: str) -> Document:
    """As many of a job as the list ``items`` has, all at once; the phase ends when all have."""
    each = {"in": "input.items", "at_once": FAN}
    return {
        "workflow": name,
        "phases": [{"phase": "fan", "jobs": [{"job": "one", "run": handler, "each": each}]}],
    }


def waiting(name: str, on: str) -> Document:
    """Waits a week for an event that does not come."""
    event = {"event": "GO", "match": {"data": {"n": ["${ input.n }"]}}, "timeout": "7d"}
    return {
        "workflow": name,
        "on": [{"event": on}],
        "phases": [{"phase": "wait", "jobs": [{"job": "go", "wait": event}]}],
    }
