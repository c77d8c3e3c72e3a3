"""The time of a store that several share, as one of them has heard it."""

from ostinato.runtime.clock import StoreClock


class Steady:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_an_answer_that_is_late_does_not_set_the_clock_back():
    steady = Steady()
    clock = StoreClock(steady)
    clock.hear(1_000_000, 100.0)
    steady.seconds += 3
    clock.hear(1_000_000, 100.0)  # it was said at once, and came three seconds later
    assert clock.now() == 1_003_000


def test_a_first_answer_that_is_late_is_mended_by_the_next():
    steady = Steady()
    clock = StoreClock(steady)
    steady.seconds += 3
    clock.hear(1_000_000, 100.0)
    assert clock.now() == 1_000_000
    clock.hear(1_003_000, 103.0)
    assert clock.now() == 1_003_000


def test_a_clock_of_the_store_that_is_set_is_followed():
    steady = Steady()
    clock = StoreClock(steady)
    clock.hear(1_000_000, 100.0)
    for now in (2_000_000, 500_000):
        steady.seconds += 1
        clock.hear(now, steady.seconds)
        assert clock.now() == now
