"""Each rule about schedules finds what breaks it, and nothing else."""

import pytest
from msgspec.structs import replace

from ostinato.core.schedules import event_of, event_source
from ostinato.ports import Batch, StoredEvent
from ostinato.testing.simulation.clock import NOON
from ostinato.testing.simulation.clockwork import EACH, LATE, SOON, Clockwork
from ostinato.testing.storage_contract.samples import head, schedule

SECOND = 1_000
TURNS = "turns/on/turn"


class Standing:
    latest = NOON + 10 * SECOND

    def now(self):
        return self.latest


@pytest.fixture
def clockwork():
    return Clockwork(Standing())


def taken(name, second, **members):
    event = replace(event_of(name, NOON + second * SECOND), **members)
    return StoredEvent(event, NOON, b"{}", ())


def kept(clockwork, **rows):
    return [violation.rule for violation in clockwork.kept(Batch(**rows))]


def test_an_instant_before_its_time(clockwork):
    assert kept(clockwork, events=[taken(EACH, 10)]) == []
    assert kept(clockwork, events=[taken(EACH, 11)]) == ["schedule.early"]


def test_an_instant_in_a_pause(clockwork):
    row = replace(schedule(TURNS), paused_at=NOON)
    assert kept(clockwork, schedules=[row]) == []
    assert kept(clockwork, events=[taken(TURNS, 1)]) == ["schedule.paused"]
    assert kept(clockwork, events=[taken(TURNS, 2, extensions={"by": "ann"})]) == []
    assert kept(clockwork, schedules=[replace(row, paused_at=None)]) == []
    assert kept(clockwork, events=[taken(TURNS, 3)]) == []


def test_a_run_beside_the_last_one(clockwork):
    first, second = (run(TURNS, name) for name in ("r1", "r2"))
    assert kept(clockwork, new_heads=[first]) == []
    over = replace(first, ended_at=NOON, status="succeeded")
    assert kept(clockwork, heads={"r1": over}, new_heads=[second]) == []
    assert kept(clockwork, new_heads=[run(TURNS, "r3")]) == ["schedule.overlaps"]
    assert kept(clockwork, new_heads=[run(EACH, "r4"), run(EACH, "r5")]) == []


def run(name, run_id):
    return replace(head(run_id), event_source=event_source(name), event_id=f"{name}@")


def test_an_instant_that_was_left_out(clockwork):
    kept(clockwork, events=[taken(EACH, second) for second in (1, 2, 3)])
    assert list(clockwork.left_out()) == []
    kept(clockwork, events=[taken(EACH, 5), taken(EACH, 9, id="w/on/x@now/by-hand")])
    assert [violation.rule for violation in clockwork.left_out()] == ["schedule.left_out"]


def test_an_instant_that_a_clock_set_back_has_yet_to_reach(clockwork):
    kept(clockwork, events=[taken(EACH, second) for second in (-60, -59, -58, 1, 2)])
    clockwork.until = NOON - 58 * SECOND + LATE
    assert list(clockwork.left_out()) == []
    clockwork.until += SECOND + 1
    assert [violation.rule for violation in clockwork.left_out()] == ["schedule.left_out"]


def test_what_waits_for_an_hour_to_come_again(clockwork):
    due = Standing.latest + SOON
    kept(clockwork, schedules=[replace(schedule(EACH), due_at=due)])
    assert list(clockwork.asleep()) == []
    kept(clockwork, schedules=[replace(schedule(EACH), due_at=due + 1)])
    assert [violation.rule for violation in clockwork.asleep()] == ["schedule.asleep"]


def test_what_is_late(clockwork):
    due = Standing.latest - LATE
    kept(clockwork, schedules=[replace(schedule(EACH), due_at=due)])
    assert list(clockwork.late(set())) == []
    kept(clockwork, schedules=[replace(schedule(EACH), due_at=due - 1)])
    assert [violation.rule for violation in clockwork.late(set())] == ["schedule.late"]
    kept(clockwork, dropped_schedules=[EACH])
    assert list(clockwork.late(set())) == []


def test_what_waits_for_a_run_that_is_over(clockwork):
    kept(clockwork, schedules=[replace(schedule(TURNS), due_at=None, waits_for="r1")])
    assert list(clockwork.late({"r2"})) == []
    assert [violation.rule for violation in clockwork.late({"r1"})] == ["schedule.late"]
