"""What is old enough to go, and what may go."""

import pytest

from ostinato.core.retention import (
    Keep,
    Retention,
    before,
    events_before,
    looked_back_to,
    may_go,
)
from ostinato.core.state import OVER

NOW = 1_000
KEPT = Retention(Keep(10, 20), {"short-lived": Keep(1, None)}, events=30, duplicates=25)


def test_nothing_goes_unless_someone_said_so():
    nothing = Retention()
    assert [nothing.of_run("w", status) for status in OVER] == [None] * 3
    assert before(None, NOW) is events_before(nothing, NOW) is nothing.dead_letters is None


@pytest.mark.parametrize(
    ("workflow", "status", "kept"),
    [
        ("w", "succeeded", 10),
        ("w", "cancelled", 10),
        ("w", "failed", 20),
        ("short-lived", "succeeded", 1),
        ("short_lived", "cancelled", 1),
        ("short-lived", "failed", None),
    ],
)
def test_a_run_is_kept_as_long_as_its_end_and_its_workflow_say(workflow, status, kept):
    assert KEPT.of_run(workflow, status) == kept


@pytest.mark.parametrize(("events", "duplicates", "old"), [(30, 25, 970), (30, 40, 960)])
def test_an_event_is_kept_as_long_as_its_duplicates_must_be_known(events, duplicates, old):
    assert events_before(Retention(events=events, duplicates=duplicates), NOW) == old


def test_only_the_oldest_open_run_that_may_look_back_counts():
    oldest = {"a": 7, "b": 5, "other": 1}
    assert looked_back_to(["a", "b", "none"], oldest) == 5
    assert looked_back_to(["none"], oldest) is looked_back_to([], oldest) is None


@pytest.mark.parametrize(
    ("received_at", "keyed", "looked_back", "goes"),
    [
        (99, False, None, True),
        (100, False, None, False),
        (99, True, None, True),
        (99, True, 100, True),
        (99, True, 99, False),
        (99, True, 50, False),
        (49, True, 50, True),
        (99, False, 50, True),
    ],
)
def test_an_event_goes_when_it_is_old_and_no_open_run_looks_back_to_it(
    received_at, keyed, looked_back, goes
):
    assert may_go(received_at, keyed, 100, looked_back) is goes
