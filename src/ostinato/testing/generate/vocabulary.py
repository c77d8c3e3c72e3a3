"""The words of made-up workflows: few enough that whoever plays one can answer all of it.

A run's input, the data of its trigger and the data of each event it waits for have one shape,
``any_data``. What is emitted starts nothing (``EMITTED`` and ``TRIGGERS`` have nothing in common),
so made-up workflows never feed themselves; but a wait may wait for what another run emits.
"""

from __future__ import annotations

from random import Random
from typing import Any

HANDLERS = {
    "ok": "gives {again: false}",
    "echo": "gives its arguments back",
    "flaky": "fails as often as its argument `times` says, then succeeds",
    "fails": "fails whenever it is called; may be tried again",
    "fails-finally": "fails for good",
    "slow": "takes long",
    "later": "returns without an outcome: someone answers",
}
"""The handlers that jobs name, beside ``http``, and what whoever plays should make them do."""

CALLED = ("other", "another")
"""Workflows that are called; nobody has them."""

TRIGGERS = ("ORDERED", "INVITED")
EMITTED = ("NOTED", "DONE")
EVENTS = ("PAID", "SHIPPED", *EMITTED)
"""Types that waits wait for."""

BUS = "far"
"""A bus that events go out on; none comes in by it."""

KEYS = ("k1", "k2", "k3")
"""Values by which a wait finds its event (``data.key``)."""

PEOPLE = ("ann", "bob")
OUTCOMES = ("approve", "reject")
"""Of a task: any answer of whoever plays is one of these."""

ERRORS = ("Oops", "Timeout", "Unexpected", "Too*", "*")
VARIABLES = ("first", "second")
CRONS = ("0 3 * * *", "*/20 * * * MON-FRI", "30 2 L * *")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
SPANS = ("15m", "1h", "P1D")
SHORT = ("1s", "1500ms", "30s", "PT2M", "10m")
LONG = ("20m", "2h", "PT6H", "1d12h")


def any_data(random: Random) -> dict[str, Any]:
    """``{key, n, flag, items}``: an input, or the data of an event."""
    return {
        "key": random.choice(KEYS),
        "n": random.randint(0, 3),
        "flag": random.choice([False, True]),
        "items": [random.choice(KEYS) for _ in range(random.randint(0, 3))],
    }


def any_event(random: Random, types: tuple[str, ...] = EVENTS) -> dict[str, Any]:
    """Type and data of an event that a wait, or with ``TRIGGERS`` a trigger, may look for."""
    return {"type": random.choice(types), "data": any_data(random)}
