"""Cells as they are played: each with its fate, in a world where nothing else happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostinato.core import facts as f
from ostinato.core.codec import decode_facts
from ostinato.testing.simulation.cells import TIMELESS, Cell
from ostinato.testing.simulation.faults import FALL
from ostinato.testing.simulation.outcome import Outcome, simulate
from ostinato.testing.simulation.plan import Action, Plan

MEETS = 0.45
"""Seconds after its start, when a cell is at work."""

FAILED = (f.JobFailed, f.JobRetried, f.JobCaught, f.JobHeld)
TIMED_OUT = ("Timeout", "HeartbeatTimeout")


def plan_of_cell(cell: Cell) -> Plan:
    actions = [Action(0.0, "start", ("nested", 1, "plain", 1))]
    if cell.fate == "fails":
        actions.append(Action(MEETS, "refuse", (1,)))
    elif cell.fate == "cancelled":
        actions.append(Action(MEETS, "cancel", (1,)))
    elif cell.fate == "crashed":
        actions.append(Action(MEETS, "crash"))
    actions += [Action(at, "repair", (1,)) for at in (1.5, 5.5)]
    if cell.fate == "crashed":
        actions.append(Action(0.0, "upon", (cell.mark, FALL, 1)))
    return Plan(
        seed=1,
        store="memory",
        shuffled=False,
        small=False,
        documents=("nested", *cell.below()),
        actions=tuple(actions),
        own={"nested": cell.document(), **cell.below()},
    )


def play(cell: Cell) -> Outcome:
    return simulate(plan_of_cell(cell))


def met(cell: Cell, outcome: Outcome) -> bool:
    """Whether what was to become of the cell became of it."""
    if cell.fate == "crashed":
        return outcome.counts["crashes"]["fell"] == 1
    found = list(_facts(cell, outcome))
    cancelled = any(isinstance(fact, f.JobCancelled) for fact in found)
    if cell.fate == "cancelled" and cell.takes_back:
        return any(isinstance(fact, f.JobUndone) for fact in _all_facts(outcome))
    if cell.fate == "cancelled":
        return cancelled
    names = [fact.error.name for fact in found if isinstance(fact, FAILED)]
    if cell.fate == "late" and cell.word in TIMELESS:
        return cancelled and _ran_out_of_time(outcome)
    return any((name in TIMED_OUT) == (cell.fate == "late") for name in names)


def _ran_out_of_time(outcome: Outcome) -> bool:
    return any(
        isinstance(fact, f.RunFailed) and fact.error.name == "Timeout"
        for fact in _all_facts(outcome)
    )


def _facts(cell: Cell, outcome: Outcome) -> Iterator[Any]:
    """Those about the step in question."""
    step = ":undo" if cell.takes_back else "cell"
    return (fact for fact in _all_facts(outcome) if step in getattr(fact, "key", ""))


def _all_facts(outcome: Outcome) -> Iterator[Any]:
    for records in outcome.records.values():
        for record in records:
            yield from decode_facts(record.data, record.version)
