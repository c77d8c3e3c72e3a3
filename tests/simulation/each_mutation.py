"""Each promise has a simulation that turns red when the code that keeps it is removed."""

import pytest

from tests.simulation.finding import find, known
from tests.simulation.mutations import MUTATIONS

KNOWN = known()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_promise_that_is_no_longer_kept_is_found(mutation):
    find(mutation, KNOWN.get(str(mutation)))
