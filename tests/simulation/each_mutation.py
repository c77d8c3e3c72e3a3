"""Each promise has a simulation that turns red when the code that keeps it is removed."""

import pytest

from ostinato.testing.simulation.outcome import simulate
from ostinato.testing.simulation.plan import plan_of
from tests.simulation.mutations import MUTATIONS, applied

SEEDS = 2_000
"""Within so many seeds each mutation must be found."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_promise_that_is_no_longer_kept_is_found(mutation):
    seen = set()
    with applied(mutation):
        for seed in range(SEEDS):
            seen |= simulate(plan_of(seed)).rules
            if seen & mutation.rules:
                return
    raise AssertionError(f"{SEEDS} seeds stay green, or break other rules: {sorted(seen)}")
