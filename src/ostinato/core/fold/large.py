"""What large values weigh in memory: equal ones once, and nothing that no rule can ask for again.

Nothing here changes what a run does. It is called for records that are large as a whole, so that
all others pay for nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from ostinato.core import facts as f
from ostinato.core.state import LARGE, State, Step

_RECENT = 4
"""Large values that the next one is compared with: in an ``each``, neighbours are equal."""

_FEW = 16

HELD: dict[type[f.Fact], str] = {
    f.JobReady: "input",
    f.JobOffered: "input",
    f.JobWaiting: "input",
    f.JobReassigned: "input",
    f.JobQueued: "input",
    f.JobCalled: "input",
    f.JobSucceeded: "output",
    f.JobRepeated: "output",
    f.JobWaiting: "match",
    f.JobSkipped: "output",
    f.UndoNoted: "undo_input",
}
"""Where a step holds the value of a fact."""


class Large:
    """``inputs`` are steps that hold a large one."""

    def __init__(self) -> None:
        self.recent: deque[Raw] = deque(maxlen=_RECENT)
        self.inputs: list[Step] = []
        self.enough = _FEW

    def same(self, value: Raw) -> Raw:
        """The equal one that is there, or a copy, which holds no record."""
        for held in self.recent:
            if held == value:
                return held
        held = Raw(bytes(value))
        self.recent.append(held)
        return held

    def let_go(self) -> None:
        """What a job was given that has succeeded, unless taking it back needs it."""
        if len(self.inputs) < self.enough:
            return
        for step in self.inputs:
            if step.status == "succeeded" and step.node.undo is None:
                step.input = None
        self.inputs = [step for step in self.inputs if step.open]
        self.enough = max(_FEW, 2 * len(self.inputs))


def lighten(state: State, facts: Iterable[Any]) -> None:
    """After these facts were folded."""
    large = state.large
    if large is None:
        large = state.large = Large()
    for fact in facts:
        if (name := HELD.get(type(fact))) is not None:
            _share(large, state.steps[fact.key], name)
    large.let_go()


def _share(large: Large, step: Step, name: str) -> None:
    value: Raw | None = getattr(step, name)
    if value is None:
        return
    if len(value) <= LARGE:
        setattr(step, name, Raw(bytes(value)))  # a part of a record holds all of it
        return
    setattr(step, name, large.same(value))
    if name == "input":
        large.inputs.append(step)
