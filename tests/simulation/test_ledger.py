"""Rules about what a process could know: what it was not told yet, it is not blamed for."""

import asyncio
from random import Random

import pytest

from ostinato.core.codec import VERSION, encode_facts
from ostinato.core.facts import Failure, JobFailed, JobReady, RunStarted
from ostinato.ports import Batch, Record
from ostinato.testing.simulation.clock import NOON, WallClock
from ostinato.testing.simulation.ledger import Ledger
from ostinato.testing.simulation.loop import VirtualLoop

ONE = ("r1", "p/j", 1)


class Standing:
    latest = NOON
    set_forward = False

    def was_set_forward(self, within):
        return self.set_forward

    def now(self):
        return self.latest


class Process:
    def __init__(self, number):
        self.number = number


@pytest.fixture
def ledger():
    return Ledger(Standing())


def keeps(ledger, process, seq, *facts, owns=True):
    record = Record("r1", seq, NOON, VERSION, encode_facts(facts))
    ledger.kept(Batch(records=[record]), process, lambda run_id: owns)


def begun(ledger, process, *, owns=True):
    ledger.begins(ONE, "r1:p/j", process, owns=owns)
    return [violation.rule for violation in ledger.broken]


def over(ledger, process):
    """The job was ready, waited for a slot, and is timed out there."""
    keeps(ledger, process, 0, RunStarted("r1", "w", 1, "seed"), JobReady("p/j", attempt=1))
    ledger.answered(process)
    keeps(ledger, process, 2, JobFailed("p/j", 1, Failure("Timeout", "late")))


def test_what_is_over_does_not_begin(ledger):
    over(ledger, process := Process(0))
    ledger.answered(process)
    assert begun(ledger, process) == ["begun.after_end"]


def test_a_process_that_was_not_told_yet_that_it_is_over_may_begin_it(ledger):
    over(ledger, process := Process(0))
    assert begun(ledger, process) == []


def test_its_successor_reads_what_is_over(ledger):
    over(ledger, Process(0))
    assert begun(ledger, Process(1)) == ["begun.after_end"]


def test_who_was_taken_over_from_begins_nothing(ledger):
    keeps(ledger, Process(1), 0, RunStarted("r1", "w", 1, "seed"), JobReady("p/j", attempt=1))
    assert begun(ledger, Process(0), owns=False) == ["begun.by_another"]


def test_who_was_taken_over_from_because_a_clock_was_set_forward_cannot_know_it_yet(ledger):
    keeps(ledger, Process(1), 0, RunStarted("r1", "w", 1, "seed"), JobReady("p/j", attempt=1))
    ledger.clock.set_forward = True
    assert begun(ledger, Process(0), owns=False) == []


def test_who_writes_of_a_run_of_another_is_a_zombie(ledger):
    keeps(ledger, Process(0), 0, RunStarted("r1", "w", 1, "seed"), owns=False)
    assert [violation.rule for violation in ledger.broken] == ["zombie.recorded"]


def test_the_wall_clock_knows_when_it_was_set_forward():
    loop = VirtualLoop(Random(0))
    clock = WallClock(loop)
    before = clock.now()
    assert not clock.was_set_forward(9.0)
    clock.set(-5)
    assert not clock.was_set_forward(9.0)
    clock.set(25)
    assert clock.was_set_forward(9.0)
    loop.run(asyncio.sleep(9.0))
    assert not clock.was_set_forward(9.0)
    assert clock.now() >= before + 9_020
