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
    return mapped(name, handler, FAN)


def waiting(name: str, on: str, then: str = "noop") -> Document:
    """Waits a week for an event of its own, and hands its number on."""
    event = {"event": "GO", "match": {"data": {"n": ["${ input.n }"]}}, "timeout": "7d"}
    jobs = [
        {"job": "go", "wait": event},
        {"job": "gone", "run": then, "with": {"n": "${ input.n }"}},
    ]
    return {"workflow": name, "on": [{"event": on}], "phases": [_in_turn(jobs)]}


def until(name: str, then: str) -> Document:
    """Waits for the instant it is given, in ms, and hands it on."""
    wait = {"job": "wait", "wait": {"until": "${ input.at }"}}
    jobs = [wait, {"job": "due", "run": then, "with": {"at": "${ input.at }"}}]
    return {"workflow": name, "phases": [_in_turn(jobs)]}


def mapped(name: str, handler: str, at_once: int) -> Document:
    """A job for each of ``items``, so many at a time."""
    each = {"in": "input.items", "at_once": at_once}
    return {"workflow": name, "phases": [_in_turn([{"job": "one", "run": handler, "each": each}])]}


def _in_turn(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"phase": "all", "mode": "sequential", "jobs": jobs}
