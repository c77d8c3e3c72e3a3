"""People who name steps of a run, in a simulation; and an engine that raises where they do."""

from importlib import import_module

import pytest

from ostinato.core.decide import moves
from ostinato.testing.simulation.mending import SPOILT
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import Action, Plan

DECIDE = import_module("ostinato.core.decide.advance").DECIDE
RUN = 996


def plan(*hows):
    start = Action(0.0, "start", ("spoilt", RUN, "plain", 1))
    mends = [Action(2.0 + at, "mend", (RUN, how)) for at, how in enumerate(hows)]
    return Plan(1, "memory", False, False, ("spoilt",), (start, *mends), own={"spoilt": SPOILT})


@pytest.mark.parametrize("how", ["retry one", "skip one"])
def test_what_waits_beside_a_step_that_is_named_is_brought_to_its_end(how):
    outcome = simulate(plan(how))
    assert outcome.broken == []
    assert outcome.counts["facts"]["job.held"] >= 1
    assert outcome.counts["facts"]["run.repaired"] >= 1


@pytest.mark.parametrize("error", [KeyError("p/a[0]#2"), TypeError("no map")], ids=["key", "type"])
def test_an_engine_that_raises_is_no_hiccup_of_its_store(monkeypatch, error):
    def broken(state, move, now):
        raise error

    monkeypatch.setitem(DECIDE, moves.Redo, broken)
    assert "engine.broken" in simulate(plan("retry")).rules
