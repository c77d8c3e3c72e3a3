"""Which construct stands directly in, or beside, which.

``pairs`` is what the language allows, made from its own table of keys; ``pairs_in`` is what one
document has. A generator that leaves a pair out leaves the code behind it untested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from ostinato.definitions.keys import (
    ACTIONS,
    GOES_WITH,
    SECTIONS,
    TRIGGER_GOES_WITH,
    TRIGGERS,
)

JOB_KEYS = (
    "needs", "when", "each", "optional", "on_error", *(key for key in GOES_WITH if key != "with"),
)  # fmt: skip
OF_JOBS = ("with", "catch", "undo", "concurrency", "rate")
BODY_KEYS = tuple(key for key in GOES_WITH if key not in OF_JOBS)
WAITS = ("wait span", "wait until", "wait event")
PLACES = (
    "parallel phase", "sequential phase", "race phase", "phase with enough", "phase with each",
    "on_failure", "finally",
)  # fmt: skip
BODIES = ("catch", "undo")
DOES = (*(action for action in ACTIONS if action != "wait"), *WAITS)


class Pair(NamedTuple):
    """``inner`` stands in ``outer``, or beside it when both are keys of one job."""

    inner: str
    outer: str


def pairs() -> frozenset[Pair]:
    """All that a document may have today."""
    return frozenset((*_keys(), *_starts(), *_places(), *_beside()))


def _keys() -> Iterator[Pair]:
    """Each key in its map."""
    for section, keys in SECTIONS.items():
        for key in keys:
            yield Pair(key.name, section)


def _starts() -> Iterator[Pair]:
    """Each key beside each kind of trigger that it can go with."""
    for kind in TRIGGERS:
        for key in SECTIONS["trigger"]:
            if key.name not in TRIGGERS and kind in TRIGGER_GOES_WITH.get(key.name, TRIGGERS):
                yield Pair(key.name, kind)


def _places() -> Iterator[Pair]:
    """Each thing that a job does or has, in each place for jobs."""
    for place in PLACES:
        for word in (*DOES, *JOB_KEYS):
            yield Pair(word, place)
    for body in BODIES:
        for word in (*DOES, *BODY_KEYS):
            if (word, body) != ("end", "undo"):
                yield Pair(word, body)


def _beside() -> Iterator[Pair]:
    """Each key beside each action that it can go with, and beside each other key."""
    for action in DOES:
        for key in JOB_KEYS:
            if action.partition(" ")[0] in GOES_WITH.get(key, ACTIONS) and (
                (key, action) not in IDLE
            ):
                yield Pair(key, action)
    for one, other in combinations(JOB_KEYS, 2):
        yield Pair(one, other)


WITH = ("each", "enough")
IDLE = (("timeout", "wait span"), ("timeout", "wait until"))


def pairs_in(document: Mapping[str, Any]) -> frozenset[Pair]:
    found = set(_members("workflow", document)) | _sections(document)
    for trigger in _listed(document.get("on", [])):
        found |= set(_members("trigger", trigger)) | _sections(trigger)
        kind = next(kind for kind in TRIGGERS if kind in trigger)
        found |= {Pair(key, kind) for key in trigger if key != kind}
    for phase in document["phases"]:
        found |= set(_members("phase", phase))
        mode = phase.get("mode", "parallel")
        places = [f"{mode} phase"] + [f"phase with {key}" for key in WITH if key in phase]
        found |= _inside(places, phase["jobs"])
        found |= set(_members("each", phase.get("each", {})))
    for place in ("on_failure", "finally"):
        found |= _inside([place], document.get(place, []))
    return frozenset(found)


def _listed(triggers: Any) -> list[Mapping[str, Any]]:
    listed = triggers if isinstance(triggers, list) else [triggers]
    return [{"event": one} if isinstance(one, str) else one for one in listed]


def _members(section: str, members: Mapping[str, Any]) -> Iterator[Pair]:
    return (Pair(key, section) for key in members)


def _inside(places: list[str], jobs: list[Mapping[str, Any]]) -> set[Pair]:
    found: set[Pair] = set()
    for job in jobs:
        does = _does(job)
        keys = [key for key in JOB_KEYS if key in job]
        found |= {Pair(word, place) for word in (does, *keys) for place in places}
        found |= {Pair(key, does) for key in keys}
        found |= {Pair(*both) for both in combinations(keys, 2)}
        found |= set(_members("job", job)) | _sections(job)
        for catch in job.get("catch", []):
            found |= set(_members("catch", catch))
            found |= _body("catch", catch["do"]) if "do" in catch else set()
        if isinstance(job.get("undo"), Mapping):
            found |= _body("undo", job["undo"])
    return found


def _body(place: str, body: Mapping[str, Any]) -> set[Pair]:
    words = (_does(body), *(key for key in BODY_KEYS if key in body))
    return {Pair(word, place) for word in words} | set(_members("body", body)) | _sections(body)


SECTIONS_OF_MAPS = (
    "each", "retry", "wait", "task", "emit", "http", "call", "repeat", "concurrency", "rate", "uid",
    "dedup",
)  # fmt: skip


def _sections(job: Mapping[str, Any]) -> set[Pair]:
    found: set[Pair] = set()
    for section in SECTIONS_OF_MAPS:
        value = job.get(section)
        found |= set(_members(section, value)) if isinstance(value, Mapping) else set()
    for escalation in job.get("task", {}).get("escalate", []):
        found |= set(_members("escalation", escalation))
    return found


def _does(job: Mapping[str, Any]) -> str:
    action = next(action for action in ACTIONS if action in job)
    if action != "wait":
        return action
    value = job["wait"]
    if isinstance(value, Mapping):
        return "wait event" if "event" in value else "wait until"
    return "wait until" if "${" in value else "wait span"
