"""Each rule about dead letters finds what breaks it, and nothing else."""

from dataclasses import replace

import pytest

from ostinato.ports import Batch, Removal
from ostinato.storage.memory import MemoryStorage
from ostinato.testing.history_checker import Journal
from ostinato.testing.simulation.attic import Attic
from ostinato.testing.simulation.clock import NOON
from ostinato.testing.simulation.letters import Letters
from ostinato.testing.storage_contract.samples import ended, letter, outgoing


class Standing:
    latest = NOON


@pytest.fixture
def letters():
    journal = Journal()
    return Letters(Attic(Standing(), {}, journal), journal)


def kept(letters, **rows):
    return [violation.rule for violation in letters.kept(Batch(**rows))]


def done(kind="trigger", run_id="r2", **members):
    given = {"redriven_at": NOON, "redriven_by": "ann", "redriven_run": run_id} | members
    return replace(letter(kind=kind), **given)


async def left(letters, *heads, **rows):
    store = MemoryStorage()
    await store.open()
    epoch = await store.join()
    for member, given in rows.items():
        await store.commit(Batch(epoch, **{member: given}))
    return [violation.rule for violation in await letters.left(store, heads)]


def test_a_letter_is_redriven_once(letters):
    assert kept(letters, redriven=[done(redriven_at=None)]) == []  # it does not fit
    assert kept(letters, redriven=[done()]) == []
    assert kept(letters, redriven=[done()]) == ["letter.twice"]
    assert letters._journal.redriven == {"r2"}


def test_something_comes_of_a_redrive(letters):
    assert kept(letters, redriven=[done(run_id=None)]) == ["letter.marked"]
    out = done("outgoing", None, id="l2")
    assert kept(letters, redriven=[out], outgoing=[outgoing("e1")]) == []
    assert kept(letters, redriven=[replace(out, id="l3")]) == ["letter.marked"]


async def test_a_letter_is_there_until_it_is_old(letters):
    letters.promised.add("l1")
    assert await left(letters) == ["letter.lost"]
    assert await left(letters, dead_letters=[letter()]) == []
    list(letters._attic.kept(Batch(dead_letters=[letter()])))
    list(letters._attic.kept(Batch(removal=Removal(dead_letters=["l1"]))))
    assert await left(letters) == []


async def test_a_letter_says_that_it_was_redriven(letters):
    kept(letters, dead_letters=[letter()], redriven=[done()])
    assert await left(letters, dead_letters=[letter()]) == ["letter.unmarked"]
    assert await left(letters, dead_letters=[letter()], redriven=[done()]) == []


async def test_a_consumer_that_failed_leaves_a_letter(letters):
    failed = ended("r1", "failed", workflow="consumer-moody", event_id="e1")
    assert await left(letters, failed) == ["letter.unwritten"]
    assert await left(letters, ended("r1", "failed", workflow="order", event_id="e1")) == []
    kept(letters, dead_letters=[letter(kind="consumer", run_id="r1")])
    assert await left(letters, failed, dead_letters=[letter(run_id="r1")]) == []
