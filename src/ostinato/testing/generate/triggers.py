"""What starts a made-up workflow: events, and the clock."""

from __future__ import annotations

from typing import Any

from ostinato.core.schedules import CATCH_UPS, OVERLAPS
from ostinato.testing.generate.chance import Chance
from ostinato.testing.generate.vocabulary import CRONS, KEYS, SPANS, TRIGGERS, ZONES

Members = dict[str, Any]


def any_triggers(chance: Chance) -> Any:
    match chance.one(["list", "word", "map"]):
        case "word":
            return TRIGGERS[0]
        case "map":
            return _trigger(chance, 0)
        case _:
            return [_trigger(chance, number) for number in range(chance.count(1, 2))]


def _trigger(chance: Chance, number: int) -> Members:
    makers = {"name": lambda: f"t{number}", "description": lambda: "made by chance"}
    return _start(chance) | chance.members(makers, 0.4)


def _start(chance: Chance) -> Members:
    match chance.word(["event", "schedule", "every"]):
        case "event":
            return _event(chance)
        case "schedule":
            return {"schedule": chance.one(CRONS)} | _clock(chance, zone=True)
        case _:
            return {"every": chance.one(SPANS)} | _clock(chance, zone=False)


def any_uid(chance: Chance, key: str) -> Any:
    """A key alone, or with what a second start does; on a workflow the rule may stand alone."""
    makers: Members = {
        "again": lambda: chance.one(["new", "resume", "refuse"]),
        "open": lambda: chance.one(["same", "signal", "queue", "refuse"]),
    }
    rule = chance.members(makers, 0.5)
    return {"key": key} | rule if rule else key


def any_dedup(chance: Chance) -> Members:
    return {"key": "input.key", "window": chance.one(SPANS)}


def _event(chance: Chance) -> Members:
    makers = {
        "pattern": lambda: {"data": {"key": [*KEYS[: chance.count(1, 3)]]}},
        "input": lambda: {name: f"event.data.{name}" for name in ("key", "n", "flag", "items")},
        "uid": lambda: any_uid(chance, "event.data.key"),
    }
    made = {"event": chance.one([TRIGGERS[0], list(TRIGGERS)])} | chance.members(makers, 0.4)
    return made | {"bus": "memory"} if chance.apart("bus", made) else made


def _clock(chance: Chance, *, zone: bool) -> Members:
    makers: Members = {
        "overlap": lambda: chance.one(OVERLAPS),
        "catch_up": lambda: chance.one(CATCH_UPS),
        "jitter": lambda: "30s",
        "uid": lambda: "event.data.scheduledFor",
        "input": lambda: {"key": f"'{chance.one(KEYS)}'", "n": "2", "flag": "true", "items": "[]"},
    }
    zoned: Members = {"zone": lambda: chance.one(ZONES)} if zone else {}
    return chance.members(zoned | makers, 0.4)
