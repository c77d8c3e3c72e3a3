"""The collector's pace is slower while an engine runs, and the program's own before and after."""

import gc

import pytest

from ostinato import App
from ostinato.runtime.garbage import YOUNG, slow_down
from ostinato.storage.memory import MemoryStorage


@pytest.fixture
def pace():
    before = gc.get_threshold()
    yield gc.set_threshold
    gc.set_threshold(*before)


async def test_an_engine_slows_it_down_and_takes_that_back(pace):
    pace(700, 10, 10)
    async with App(storage=MemoryStorage()):
        assert gc.get_threshold() == (YOUNG, 10, 10)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("chosen", [(0, 10, 10), (YOUNG, 5, 5), (10 * YOUNG, 10, 10)])
def test_what_the_program_chose_itself_stays(pace, chosen):
    pace(*chosen)
    back = slow_down()
    assert gc.get_threshold() == chosen
    back()
    assert gc.get_threshold() == chosen
