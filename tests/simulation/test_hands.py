"""Workers of a simulated world ask often while something happens, and seldom afterwards."""

from dataclasses import replace

import pytest

from ostinato.app.elsewhere import Elsewhere
from ostinato.testing.simulation.attic import HOURLY
from ostinato.testing.simulation.hands import NAMES, WAIT
from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import plan_of


@pytest.fixture
def asked(monkeypatch):
    fetch, asked = Elsewhere.fetch_jobs, []

    async def counting(app, wish, until=None):
        asked.append(wish.wait)
        return await fetch(app, wish, until)

    monkeypatch.setattr(Elsewhere, "fetch_jobs", counting)
    return asked


def test_they_wait_long_while_nothing_happens_but_that_what_is_old_goes(asked):
    plan = replace(plan_of(0), documents=("far",), actions=(), own={}, store="memory", forgets=True)
    assert not simulate(plan).broken
    assert max(asked) > WAIT
    assert len(asked) < len(NAMES) * HOURLY / (WAIT / 1_000)


def test_they_ask_often_until_then(asked):
    plan = replace(
        plan_of(0), documents=("far",), actions=(), own={}, store="memory", forgets=False
    )
    assert not simulate(plan).broken
    assert 0 < max(asked) <= WAIT
