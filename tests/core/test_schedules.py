"""What a schedule starts, by the table of docs/reference/schedules.md, and its other rules."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ostinato.core.schedules import (
    LATE,
    MOST,
    Plan,
    Schedule,
    brought_back,
    due_at,
    event_of,
    freed,
    paused,
    resumed,
    settled,
    turn,
    upcoming,
)

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/schedules.md").read_text()
HOUR, MINUTE = 3_600_000, 60_000
ONE, TWO, THREE, FOUR = (number * HOUR for number in (1, 2, 3, 4))


def hourly(at):
    return at // HOUR * HOUR + HOUR


def plan(says="every 1h", after=hourly, **members):
    return Plan(says, after, **members)


def row(**members):
    given = {"next_for": ONE, "due_at": ONE, "planned_at": 0, "last_run": "r1"} | members
    return Schedule("w/on/0", "w", **{"says": "every 1h"} | given)


def table():
    (rows,) = re.findall(r"\| starts \| left .*\n\|[-|]+\n((?:\|.*\n)+)", PAGE)
    return [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in rows.splitlines()
    ]


@pytest.mark.parametrize("case", table(), ids=lambda case: " · ".join(case[:4]))
def test_what_starts(case):
    overlap, catch_up, due, last_run, starts, left = case
    count, late = int(due[0]), 2 * MINUTE if "ago" in due else 0
    begin = row()
    what = plan(overlap=overlap, catch_up=catch_up)
    started, after = turn(what, begin, count * HOUR + late, busy=last_run == "open")
    assert started == tuple(int(number) * HOUR for number in re.findall(r"\d", starts))
    remaining = int(left) if left != "none" else 0
    assert after.next_for == (count - remaining + 1) * HOUR
    waits = "waits" in starts
    assert after.waits_for == ("r1" if waits else None)
    assert after.due_at == (None if waits else after.next_for)


def test_the_table_has_every_pair_of_rules():
    pairs = {case[:2] for case in table()}
    assert pairs == {
        (overlap, catch_up)
        for overlap in ("skip", "queue", "allow")
        for catch_up in ("last", "all", "none")
        if (overlap, catch_up) != ("queue", "none")  # `check` warns of it
    }


def test_nothing_starts_before_its_time():
    early = row()
    assert turn(plan(), early, ONE - 1, busy=False) == ((), early)


@pytest.mark.parametrize("idle", [row(due_at=None), row(next_for=None, due_at=None)])
def test_what_is_not_due_stays_as_it_is(idle):
    assert turn(plan(), idle, FOUR, busy=False) == ((), idle)


def test_what_started_and_what_did_not_is_kept():
    _, after = turn(plan(), row(), THREE + 5, busy=False)
    assert (after.last_for, after.last_at, after.missed_for) == (THREE, THREE + 5, TWO)
    _, after = turn(plan(), row(last_for=0), ONE, busy=True)
    assert (after.last_for, after.missed_for) == (0, ONE)


def test_an_instant_is_missed_when_it_is_more_than_a_minute_late():
    none = plan(catch_up="none")
    assert turn(none, row(), ONE + LATE, busy=False).starts == (ONE,)
    assert turn(none, row(), ONE + LATE + 1, busy=False).starts == ()


def test_many_missed_instants_start_over_several_turns():
    schedule, started = row(), []
    what = plan(overlap="allow", catch_up="all")
    now = 250 * HOUR
    while schedule.due_at <= now:
        starts, schedule = turn(what, schedule, now, busy=True)
        assert len(starts) <= MOST
        started += starts
    assert started == [number * HOUR for number in range(1, 251)]


def test_a_year_of_seconds_is_not_counted():
    asked = []

    def every_second(at):
        asked.append(at)
        return at // 1000 * 1000 + 1000

    year = 365 * 24 * HOUR
    starts, after = turn(plan(after=every_second), row(next_for=1000, due_at=1000), year, False)
    assert (starts, after.next_for) == ((year,), year + 1000)
    assert len(asked) < 150


def test_the_last_of_all():
    def twice(at):
        return next((one for one in (ONE, TWO) if one > at), None)

    starts, after = turn(plan(after=twice), row(), FOUR, busy=False)
    assert (starts, after.next_for, after.due_at) == ((TWO,), None, None)


@given(st.integers(1, 500), st.integers(0, 3 * HOUR), st.text("ab", max_size=3))
def test_jitter_stays_within_its_bound_and_keeps_the_order(number, jitter, name):
    what, planned = plan(jitter=jitter), number * HOUR
    due = due_at(what, name, planned)
    assert planned <= due < planned + max(1, jitter)
    assert due < due_at(what, name, planned + HOUR)
    assert due == due_at(what, name, planned)


def test_jitter_differs_between_schedules_and_instants():
    what = plan(jitter=HOUR)
    assert len({due_at(what, f"w/on/{number}", ONE) - ONE for number in range(50)}) > 40
    assert len({due_at(what, "w", number * HOUR) % HOUR for number in range(50)}) > 40


@given(st.integers(2, 40), st.integers(0, HOUR))
def test_with_jitter_the_newest_that_is_due_starts(count, moment):
    what = plan(jitter=HOUR)
    begin = row(due_at=due_at(what, "w/on/0", ONE))
    now = count * HOUR + moment
    (started,), after = turn(what, begin, now, busy=False)
    assert due_at(what, "w/on/0", started) <= now < after.due_at
    assert after.next_for == started + HOUR


def test_when_the_run_ends_what_waited_is_due():
    waits = turn(plan(overlap="queue"), row(), ONE, busy=True).schedule
    assert freed(plan(overlap="queue"), waits, TWO).due_at == ONE


def test_what_waited_while_the_clock_went_back_is_not_planned_by_the_old_one():
    queued = plan(overlap="queue")
    far = row(next_for=1000 * HOUR, due_at=None, planned_at=999 * HOUR, waits_for="r1")
    assert freed(queued, far, TWO + 5).due_at == THREE
    on_time = freed(queued, far, 999 * HOUR + 1)
    assert (on_time.due_at, on_time.planned_at) == (1000 * HOUR, 999 * HOUR)


def test_a_clock_that_went_back_leaves_nothing_out():
    far = row(next_for=1000 * HOUR, due_at=1000 * HOUR, planned_at=999 * HOUR)
    back = brought_back(plan(), far, TWO + 5)
    assert (back.next_for, back.due_at, back.planned_at) == (THREE, THREE, TWO + 5)
    assert brought_back(plan(), far, 999 * HOUR) == far
    late = row(planned_at=THREE)
    assert brought_back(plan(), late, TWO) == late  # what is missed already stays
    waits = replace(far, due_at=None, waits_for="r1")
    assert freed(plan(overlap="queue"), waits, TWO + 5).due_at == THREE


def test_a_pause_forgets_what_comes_due_in_it():
    still = paused(row(), "ann", "move", 5)
    assert (still.due_at, still.paused_at, still.paused_by) == (None, 5, "ann")
    assert paused(still, "bob", "", 6) == still
    going = resumed(plan(), still, THREE + 1)
    assert (going.next_for, going.due_at, going.paused_at) == (FOUR, FOUR, None)
    assert resumed(plan(), going, FOUR) == going
    assert freed(plan(), still, FOUR).due_at is None


def test_upcoming():
    assert upcoming(plan(), 5, None, 2) == [ONE, TWO]
    assert upcoming(plan(), 5, THREE, 9) == [ONE, TWO, THREE]
    assert upcoming(plan(after=lambda at: None), 5, None, 9) == []


# deployment

OTHER = plan("every 2h", lambda at: at // TWO * TWO + TWO)


def named(number):
    return f"w/on/{number}"


def test_a_new_schedule_begins_now():
    made = settled({}, {named(0): plan()}, "w", ONE + 5)
    assert made == {named(0): row(next_for=TWO, due_at=TWO, planned_at=ONE + 5, last_run=None)}


def test_what_says_the_same_goes_on():
    kept = row(last_for=5, planned_at=3)
    assert settled({named(0): kept}, {named(0): plan()}, "w", FOUR) == {named(0): kept}
    waits = row(due_at=None, waits_for="r1")
    assert settled({named(0): waits}, {named(0): plan(overlap="queue")}, "w", FOUR) == {
        named(0): waits
    }


def test_one_that_waits_for_a_run_waits_no_longer_when_it_need_not():
    waits = row(due_at=None, waits_for="r1")
    settled_now = settled({named(0): waits}, {named(0): plan(overlap="allow")}, "w", FOUR)
    assert settled_now[named(0)].due_at == ONE


def test_what_moves_in_the_list_keeps_what_it_was():
    first = paused(row(), "ann", "", 1)
    second = replace(row(), id=named(1), says=OTHER.says, last_for=7)
    moved = settled(
        {named(0): first, named(1): second},
        {named(0): plan("every 3h"), named(1): plan(), named(2): OTHER},
        "w",
        FOUR,
    )
    assert moved[named(0)].paused_at is None
    assert (moved[named(1)].id, moved[named(1)].paused_by) == (named(1), "ann")
    assert (moved[named(2)].id, moved[named(2)].last_for) == (named(2), 7)


def test_what_says_something_else_is_planned_anew_and_stays_paused():
    old = paused(row(last_for=3), "ann", "", 1)
    new = settled({named(0): old}, {named(0): OTHER}, "w", FOUR)[named(0)]
    assert (new.says, new.next_for, new.due_at) == ("every 2h", FOUR + TWO, None)
    assert (new.paused_by, new.last_for) == ("ann", 3)


def test_what_is_gone_is_gone():
    assert settled({named(0): row()}, {}, "w", FOUR) == {}


def test_the_event_of_an_instant():
    event = event_of("w/on/0", ONE)
    assert event.id == "w/on/0@1970-01-01T01:00:00.000Z"
    assert (event.source, event.type, event.time) == (
        "ostinato/schedules/w/on/0", "ostinato.schedule", ONE,
    )  # fmt: skip
    assert bytes(event.data) == b'{"scheduledFor":"1970-01-01T01:00:00.000Z"}'
