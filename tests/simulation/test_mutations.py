"""Mutations fit the code as it is; whether they are found is ``each_mutation``'s to say."""

from contextlib import contextmanager

import pytest

from ostinato.testing.simulation.plan import plan_of
from tests.simulation import finding
from tests.simulation.mutations import MUTATIONS, applied, mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_what_a_mutation_removes_is_there(mutation):
    with applied(mutation):
        pass


def test_each_seed_that_is_known_is_that_of_a_mutation():
    names = list(map(str, MUTATIONS))
    assert len(set(names)) == len(names)
    assert finding.known().keys() <= set(names)


class World:
    """``red``: seed → the rules that break without a mutation, and those that break with it."""

    def __init__(self, red):
        self.red = red
        self.mutated = False
        self.played = []

    @contextmanager
    def applied(self, mutation):
        self.mutated = True
        yield
        self.mutated = False

    def rules_of(self, seed):
        self.played.append(seed)
        return set(self.red.get(seed, ("", ""))[self.mutated].split())


@pytest.fixture
def world(monkeypatch):
    world = World({2: ("", "other"), 3: ("lost", "lost"), 5: ("", "other lost"), 7: ("", "lost")})
    monkeypatch.setattr(finding, "applied", world.applied)
    monkeypatch.setattr(finding, "rules_of", world.rules_of)
    return world


LOST = mutation(1, "it is lost", "here:there", "old", "new", "lost")


def test_the_seed_that_is_known_is_played_first(world):
    assert finding.find(LOST, 7) == 7
    assert world.played == [7, 7]


def test_when_that_is_green_the_others_are_tried(world):
    assert finding.find(LOST, 6) == finding.find(LOST) == 5


def test_before_all_others_those_are_tried_whose_crash_is_where_the_mutation_is():
    lost = mutation(1, "it is lost", "core.timers:Due.apply", "old", "new", "lost")
    near = finding.near(lost)
    assert near
    assert {aim.args[0] for seed in near for aim in plan_of(seed).actions if aim.kind == "aim"} == {
        "timers"
    }


def test_a_seed_that_is_red_without_the_mutation_finds_nothing(world):
    with pytest.raises(finding.NotFound, match="5 seeds stay green, or break other rules"):
        finding.find(LOST, 3, seeds=5)


def test_every_promise_has_a_mutation():
    assert {mutation.promise for mutation in MUTATIONS} == set(range(1, 11))
