"""Each crash point has its turn, and what is said of its needs is said of one that there is."""

from ostinato.testing.simulation.__main__ import FULL
from ostinato.testing.simulation.aims import NEEDS, names_of
from ostinato.testing.simulation.documents import DOCUMENTS
from ostinato.testing.simulation.plan import plan_of
from ostinato.testing.simulation.points import crash_points


def test_each_point_has_its_turn():
    aims = [one.args for seed in range(FULL) for one in plan_of(seed).actions if one.kind == "aim"]
    assert {(module, line) for module, line, nth in aims if nth == 1} == set(crash_points())


def test_every_need_is_that_of_a_point():
    assert NEEDS.keys() <= {name for point in crash_points() for name in names_of(point)}


def test_every_workflow_that_is_needed_is_there():
    assert {name for need in NEEDS.values() for name in need.documents} <= DOCUMENTS.keys()
