"""Every construct in every other one that may hold it: failing, late, cancelled, and crashed."""

import pytest

from ostinato.definitions import check, read
from ostinato.errors import DefinitionError
from ostinato.testing.generate import Pair, pairs
from ostinato.testing.generate.pairs import BODIES, BODY_KEYS, DOES, PLACES
from ostinato.testing.simulation.cells import FATES, HOLDERS, OUTSIDE, SHAPES, WORDS, Cell, cells
from ostinato.testing.simulation.handlers import HANDLERS
from ostinato.testing.simulation.nesting import met, plan_of_cell, play
from ostinato.testing.simulation.outcome import simulate


def problems(cell):
    try:
        return check(read(cell.document()), HANDLERS)[0]
    except DefinitionError as error:
        return list(error.problems)


def allowed(cell):
    """What the language says, in its own table."""
    if cell.holder in PLACES:
        return Pair(cell.word, cell.holder) in pairs()
    if cell.holder in BODIES:  # which are keys of jobs, too: what stands beside them is not in them
        return cell.word in (*DOES, *BODY_KEYS) and (cell.word, cell.holder) != ("end", "undo")
    beside = (Pair(cell.word, cell.holder), Pair(cell.holder, cell.word))
    return not pairs().isdisjoint(beside)


def test_every_word_of_the_language_has_a_shape():
    """A new one appears in ``WORDS`` by itself: say in ``SHAPES`` how it meets each fate."""
    assert SHAPES.keys() == set(WORDS)


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_cell_is_refused_with_its_place_or_it_is_in_the_table_of_the_language(holder):
    for fate in FATES:
        for cell in cells(holder, fate):
            found = problems(cell)
            assert (found == []) == allowed(cell), (cell, found)
            for problem in found:
                assert problem.path, cell
                assert cell.word.split()[0] in problem.message + problem.path, cell


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_is_held_meets_its_fate_and_every_promise_is_kept(holder, fate):
    wrong = []
    for cell in cells(holder, fate):
        if allowed(cell) and cell.happens:
            outcome = play(cell)
            wrong += [(cell, str(violation)) for violation in outcome.broken]
            wrong += [] if met(cell, outcome) else [(cell, "did not meet its fate")]
    assert wrong == []


def test_what_cannot_happen():
    """What is done in the commit that begins it takes no time; nothing outlasts a run's time-out
    but what stands outside of it."""
    never = {(word, fate) for word in WORDS for fate in FATES if SHAPES[word](fate) is None}
    assert never == {
        *[(word, fate) for word in ("emit", "set", "end") for fate in ("late", "cancelled")],
        ("end", "fails"),
    }
    idle = [(one.holder, one.word) for holder in HOLDERS for one in cells(holder, "late")
            if not one.happens and (one.word, "late") not in never]  # fmt: skip
    assert idle == [(place, word) for place in OUTSIDE for word in ("wait span", "wait until")]


@pytest.mark.parametrize("fate", FATES)
def test_a_fate_that_is_not_met_is_seen(fate):
    """The same cell, and nothing that happens to it."""
    plan = plan_of_cell(Cell("parallel phase", "wait event", "cancelled"))
    outcome = simulate(plan.only(plan.actions[:1]))
    assert not outcome.broken
    assert not met(Cell("parallel phase", "wait event", fate), outcome)
