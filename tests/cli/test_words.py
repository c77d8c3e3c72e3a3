"""How spans, waits and failures are told."""

import pytest

from ostinato.cli import words
from ostinato.cli.output import STYLES
from ostinato.core.state import JOB_STATUSES, RUN_STATUSES

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (12_000, "12 s"),
        (200_000, "3 min 20 s"),
        (3_600_000, "1 h"),
        (90_061_000, "1 d 1 h"),
        (None, ""),
    ],
)
def test_a_span_has_its_two_largest_units(ms, told):
    assert words.span(ms) == told


def test_a_clock_shows_the_time_today_and_the_day_before():
    assert words.clock(NOW, NOW) == words.moment(NOW)[11:]
    assert words.clock(NOW - 200_000_000, NOW) == words.moment(NOW - 200_000_000)[:10]


def waiting(**wait):
    run = {"id": "r-1", "waits": [{"key": "a/w", "since": NOW - 12_000, **wait}]}
    return list(words.progress(run, NOW, "http://h:1"))


def test_a_wait_for_an_event_shows_the_command_that_would_continue_it():
    match = {"data": {"tenantId": ["t-1"], "of": {"n": [3]}, "size": [{"numeric": [">", 1]}]}}
    assert waiting(kind="event", types=["PAID"], match=match) == [
        "a/w: waiting for PAID since 12 s; "
        """`ostinato emit PAID --data '{"tenantId": "t-1", "of": {"n": 3}, "size": "…"}'` """
        "would continue it"
    ]


def test_a_wait_without_a_match_says_what_to_send_and_when_it_gives_up():
    assert waiting(kind="event", types=["A", "B"], dueAt=NOW + 60_000) == [
        "a/w: waiting for A or B since 12 s; `ostinato emit A …` would continue it; "
        "gives up in 1 min"
    ]


def test_a_wait_that_should_have_given_up_says_how_late_it_is():
    (told,) = waiting(kind="event", types=["A"], dueAt=NOW - 3_000)
    assert told.endswith("would continue it; late by 3 s")


@pytest.mark.parametrize(
    ("wait", "part"),
    [
        ({"kind": "timer", "dueAt": NOW + 5_000}, "(in 5 s); goes on by itself"),
        ({"kind": "retry", "dueAt": NOW + 5_000}, "will be tried again in 5 s"),
        ({"kind": "callback", "token": "t0"}, "http://h:1/callbacks/t0"),
        ({"kind": "repair"}, "`ostinato retry r-1 a/w` or `ostinato skip r-1 a/w`"),
        ({"kind": "repeat"}, "goes on by itself"),
        ({"kind": "call", "run": "r2"}, "waiting for its run r2 since 12 s"),
        ({"kind": "joined", "run": "r2"}, "run r2, which was there already"),
        ({"kind": "ending", "run": "r2"}, "`ostinato skip r-1 a/w` would not wait for it"),
        ({"kind": "other"}, "waiting for other since 12 s"),
    ],
)
def test_every_kind_of_wait_is_told(wait, part):
    (told,) = waiting(**wait)
    assert part in told


def test_an_incident_names_what_is_wrong_and_where():
    run = {"incident": "deadlock", "tokens": ["a/b"]}
    assert list(words.progress(run, NOW)) == ["needs a person: deadlock (at a/b)"]


def test_a_run_that_is_over_waits_for_nothing():
    assert list(words.progress({"endedAt": NOW, "waits": [{}]}, NOW)) == []


def test_statuses_are_those_of_the_core():
    assert {*STYLES, "ready"} == {*RUN_STATUSES, *JOB_STATUSES}
