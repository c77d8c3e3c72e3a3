"""Mutations fit the code as it is; whether they are found is ``each_mutation``'s to say."""

import pytest

from tests.simulation.mutations import MUTATIONS, applied


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_what_a_mutation_removes_is_there(mutation):
    with applied(mutation):
        pass


def test_every_promise_has_a_mutation():
    assert {mutation.promise for mutation in MUTATIONS} == set(range(1, 11))
