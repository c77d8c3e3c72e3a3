"""Each rule about what is old finds what breaks it, and nothing else."""

import pytest
from msgspec import json
from msgspec.structs import replace

from ostinato.core.codec import VERSION, encode_facts
from ostinato.core.facts import RunStarted
from ostinato.ports import Batch, Record, Removal
from ostinato.storage.memory import MemoryStorage
from ostinato.testing.history_checker import Journal
from ostinato.testing.simulation.attic import Attic
from ostinato.testing.simulation.clock import NOON
from ostinato.testing.storage_contract.samples import accepted, ended, head, letter, reply

SECOND = 1_000
OLD, RIPE = NOON - 60 * SECOND, NOON - 3 * SECOND


class Standing:
    latest = NOON

    def now(self):
        return self.latest


@pytest.fixture
def attic():
    return Attic(Standing(), {}, Journal())


def over(attic, run_id, ended_at=OLD, status="succeeded", exported=1):
    attic.heads[run_id] = replace(head(run_id), status=status, ended_at=ended_at)
    facts = encode_facts([RunStarted(run_id, "w", 1, "seed")])
    assert kept(attic, records=[Record(run_id, 0, OLD, VERSION, facts)]) == []
    attic.exported([json.encode({"run": {"id": run_id}, "history": [{}] * exported})])


def kept(attic, **rows):
    return [violation.rule for violation in attic.kept(Batch(**rows))]


def taken(attic, **what):
    return kept(attic, removal=Removal(at=NOON, **what))


def test_a_run_that_goes_before_its_time(attic):
    over(attic, "old")
    over(attic, "fresh", RIPE)
    over(attic, "failed", NOON - 6 * SECOND, "failed")
    assert taken(attic, runs=["old"]) == []
    assert taken(attic, runs=["fresh"]) == ["retention.early"]
    assert taken(attic, runs=["failed"]) == ["retention.early"]
    assert attic.journal.removed == {"old", "fresh", "failed"}


def test_a_run_that_the_archive_does_not_have_whole(attic):
    over(attic, "whole")
    over(attic, "half", exported=0)
    assert taken(attic, runs=["whole"]) == []
    assert taken(attic, runs=["half"]) == ["retention.unexported"]


def test_an_event_that_goes_before_its_time(attic):
    kept(attic, events=[accepted(name, NOON - age * SECOND) for name, age in AGES])
    assert taken(attic, events=[("shop", "old")]) == []
    assert taken(attic, events=[("shop", "fresh")]) == ["retention.early"]
    assert taken(attic, events=[("shop", "newest")]) == []  # the store keeps that one
    assert attic.journal.forgotten == {("shop", "old"), ("shop", "fresh")}


AGES = (("old", 20), ("fresh", 5), ("newest", 5))


@pytest.mark.parametrize(
    ("workflow", "started_at", "rules"),
    [
        ("early", OLD, ["retention.looked_back"]),
        ("early", NOON, []),  # it began later
        ("plain", OLD, []),  # it waits for no such event
    ],
)
def test_an_event_that_an_open_run_may_look_back_to(attic, workflow, started_at, rules):
    attic.heads["r1"] = head("r1", workflow=workflow, started_at=started_at)
    kept(attic, events=[accepted(name, OLD + SECOND) for name in ("old", "newest")])
    assert taken(attic, events=[("shop", "old")]) == rules


def test_a_letter_that_goes_before_its_time(attic):
    kept(attic, dead_letters=[letter("old", OLD), letter("fresh", RIPE)])
    assert taken(attic, dead_letters=["old"]) == []
    assert taken(attic, dead_letters=["fresh"]) == ["retention.early"]


def test_an_answer_that_goes_while_it_is_good(attic):
    kept(attic, replies=[reply("over", OLD), reply("good", NOON)])
    assert attic.expired("POST /runs", "over")
    assert not attic.expired("POST /runs", "good")
    assert taken(attic, replies=[("POST /runs", "over"), ("POST /runs", "good")]) == []
    late = Removal(at=NOON + SECOND, replies=[("POST /runs", "good")])
    assert kept(attic, removal=late) == ["retention.early"]


async def left(attic, **rows):
    store = MemoryStorage()
    await store.open()
    await store.commit(Batch(epoch=await store.join(), **rows))
    return [violation.rule for violation in await attic.left(store)]


async def test_a_run_that_is_lost(attic):
    over(attic, "r1")
    assert await left(attic, new_heads=[ended("r1")]) == []
    assert await left(attic) == ["run.lost"]
    taken(attic, runs=["r1"])
    assert await left(attic) == []
    assert await left(attic, new_heads=[ended("r1")]) == ["retention.half"]


async def test_what_is_kept_for_ever(attic):
    attic.settled_at = NOON
    old = [accepted(name, OLD) for name in ("e1", "e2")]
    assert await left(attic, events=old[:1]) == []
    assert await left(attic, events=old) == ["retention.late"]
    assert await left(attic, dead_letters=[letter("l1", OLD)]) == ["retention.late"]
    assert await left(attic, replies=[reply("k", OLD)]) == ["retention.late"]
    over(attic, "r1")
    assert await left(attic, new_heads=[ended("r1")]) == ["retention.late"]
