"""Planned instants, with truth tables written by hand for the days on which the clocks change."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.definitions.cron import ALIASES, cron, interval, time_zone
from ostinato.errors import DefinitionError


def at(text, zone=UTC):
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def several(expression, zone, begin, end):
    """Local times with their offset, after ``begin`` and up to ``end`` (UTC)."""
    there, after = time_zone(zone), cron(expression, time_zone(zone))
    moment, found = after(at(begin)), []
    while moment is not None and moment <= at(end):
        found.append(datetime.fromtimestamp(moment / 1000, there).strftime("%d %H:%M:%S %z"))
        moment = after(moment)
    return found


def local(*texts):
    return [f"{text[:8]}:00{text[8:]}" if text.count(":") == 1 else text for text in texts]


CLOCKS_GO_FORWARD = [
    # 2026-03-29, Berlin: 02:00 becomes 03:00
    ("30 2 * * *", "Europe/Berlin", "2026-03-28", "2026-03-31",
     ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]),
    ("0 3 * * *", "Europe/Berlin", "2026-03-28", "2026-03-31",
     ["28 03:00 +0100", "29 03:00 +0200", "30 03:00 +0200"]),
    ("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T12:00", ["29 03:00 +0200"]),
    ("0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T05:00",
     ["29 04:00 +0200", "29 06:00 +0200"]),
    ("30 * * * *", "Europe/Berlin", "2026-03-28T23:59", "2026-03-29T02:00",
     ["29 01:30 +0100", "29 03:30 +0200"]),
    ("*/20 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T23:00", []),
    # 2026-03-08, New York: 02:00 becomes 03:00
    ("15 2 * * 0", "America/New_York", "2026-03-07", "2026-03-16",
     ["08 03:00 -0400", "15 02:15 -0400"]),
    # 2026-03-08, Havana: 00:00 becomes 01:00
    ("0 0 * * *", "America/Havana", "2026-03-07", "2026-03-10",
     ["07 00:00 -0500", "08 01:00 -0400", "09 00:00 -0400"]),
    # 2026-10-04, Lord Howe: 02:00 becomes 02:30
    ("0 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-04T16:00",
     ["04 02:30 +1100", "05 02:00 +1100"]),
    ("*/10 5 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T18:25",
     ["04 05:00 +1100", "04 05:10 +1100", "04 05:20 +1100"]),
]  # fmt: skip

CLOCKS_GO_BACK = [
    # 2026-10-25, Berlin: 03:00 becomes 02:00
    ("30 2 * * *", "Europe/Berlin", "2026-10-24", "2026-10-27",
     ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]),
    ("0 30 2 * * *", "Europe/Berlin", "2026-10-24", "2026-10-27",
     ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]),
    ("15 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26",
     ["25 02:30:15 +0200"]),
    ("0 3 * * *", "Europe/Berlin", "2026-10-24", "2026-10-26",
     ["24 03:00 +0200", "25 03:00 +0100"]),
    ("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:30", "2026-10-25T02:00",
     ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100", "25 03:00 +0100"]),
    # 2026-11-01, New York: 02:00 becomes 01:00
    ("30 1 * * *", "America/New_York", "2026-11-01T00:00", "2026-11-02T12:00",
     ["01 01:30 -0400", "02 01:30 -0500"]),
    # 2026-04-05, Lord Howe: 02:00 becomes 01:30
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T16:00",
     ["05 01:45 +1100", "06 01:45 +1030"]),
]  # fmt: skip

DAYS = [
    ("@yearly", "UTC", "2026-06-01", "2028-06-01", ["01 00:00 +0000"] * 2),
    ("0 12 L * *", "UTC", "2028-02-01", "2028-03-31T23:00", ["29 12:00 +0000", "31 12:00 +0000"]),
    ("0 12 LW * *", "UTC", "2026-01-01", "2026-03-01", ["30 12:00 +0000", "27 12:00 +0000"]),
    ("0 12 * * MON#2", "UTC", "2026-01-01", "2026-03-01", ["12 12:00 +0000", "09 12:00 +0000"]),
    ("0 12 * * fri", "UTC", "2026-01-01", "2026-01-15", ["02 12:00 +0000", "09 12:00 +0000"]),
    ("0 0 29 2 *", "UTC", "2026-01-01", "2033-01-01", ["29 00:00 +0000"] * 2),
    # both days given: either of them; one begins with a star: both
    ("0 0 13 * FRI", "UTC", "2026-02-01", "2026-02-14",
     ["06 00:00 +0000", "13 00:00 +0000"]),
    ("0 0 */13 * SUN", "UTC", "2026-02-01T01:00", "2026-04-01", ["01 00:00 +0000"]),
    ("*/20 * * * * *", "UTC", "2026-01-01", "2026-01-01T00:00:45",
     ["01 00:00:20 +0000", "01 00:00:40 +0000"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "zone", "begin", "end", "expected"),
    CLOCKS_GO_FORWARD + CLOCKS_GO_BACK + DAYS,
    ids=str,
)
def test_instants(expression, zone, begin, end, expected):
    assert several(expression, zone, begin, end) == local(*expected)


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_its_expression(alias):
    assert cron(alias.upper())(at("2026-06-05")) == cron(ALIASES[alias])(at("2026-06-05"))


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana",
     "Asia/Kathmandu", "Africa/Cairo"]
)  # fmt: skip
EXPRESSIONS = st.sampled_from(
    ["*/7 * * * *", "30 1 * * *", "15 2 * * *", "0 */3 * * *", "0 0 * * *", "45 * * * SUN",
     "0 1-4 * * *", "5 30 1 * * *", "0,30 59 * * * *", "*/10 5 * * *"]
)  # fmt: skip


@given(ZONES, EXPRESSIONS, st.integers(at("2026-01-01"), at("2027-01-01")), st.data())
def test_what_comes_next_does_not_depend_on_where_one_stands(zone, expression, moment, data):
    """Two moments between the same two instants see the same one come next."""
    after = cron(expression, time_zone(zone))
    coming = after(moment)
    assert coming > moment
    between = data.draw(st.integers(moment, coming - 1))
    assert after(between) == coming


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana"])
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/30 * * * *", "0 */2 * * *"])
def test_instants_rise_through_a_year(zone, expression):
    after, moments = cron(expression, time_zone(zone)), [at("2026-01-01")]
    while moments[-1] < at("2027-01-01"):
        moments.append(after(moments[-1]))
    assert all(earlier < later for earlier, later in pairwise(moments))


def test_an_interval_is_counted_from_1970():
    quarter = interval(900_000)
    assert quarter(at("2026-06-05T10:07")) == at("2026-06-05T10:15")
    assert quarter(at("2026-06-05T10:15")) == at("2026-06-05T10:30")


def test_an_expression_ends_with_the_calendar():
    assert cron("0 0 1 1 *")(at("9999-06-01")) is None


@pytest.mark.parametrize(
    "junk", ["L", "*/0", "1-", "-1", "١", "1#1", "a" * 10_000, "* " * 99, "5L/2"]
)
def test_junk_is_refused(junk):
    for expression in (junk, f"{junk} * * * *", f"* * {junk} * */2 ,", f"* * * * {junk} *"):
        with pytest.raises(DefinitionError):
            cron(expression)
