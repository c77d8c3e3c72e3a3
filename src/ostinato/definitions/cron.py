"""Cron expressions, intervals and time zones: each gives the planned instant after any moment.

The rules are Debian cron's, by cronsim: a time of day that a change to summer time leaves out comes
at once after the gap, one that comes twice counts once. What has a `*` in its hour or minute goes
by the clock on the wall: it skips the gap, and comes in both of the doubled hours.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from ostinato.core.durations import format_duration
from ostinato.core.schedules import After
from ostinato.errors import DefinitionError, Problem

__all__ = ["cron", "interval", "time_zone"]

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
SHORTEST = 1_000
"""Milliseconds between two instants of an interval."""

_FIELDS = ("second", "minute", "hour", "day-of-month", "month", "day-of-week")
_RANGES = ("0-59", "0-59", "0-23", "1-31, L or LW", "1-12 or JAN-DEC", "0-7 or SUN-SAT")
_LONGEST = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_HOUR = 3_600_000


def interval(ms: int) -> After:
    """Counted from 1970-01-01T00:00:00Z, so that it never drifts and no deployment moves it."""
    if ms < SHORTEST:
        least = format_duration(SHORTEST)
        raise DefinitionError(f"an interval of at least {least} is needed, not {ms} ms")
    return lambda at: at // ms * ms + ms


def cron(expression: str, zone: tzinfo = UTC) -> After:
    """Five fields, or six with seconds first, or an alias as `@daily`.

    Raises ``DefinitionError``, also for what never comes.
    """
    fields = _read(expression)
    seconds, rest = (0, fields)
    if len(fields) == len(_FIELDS) and fields[0].isdigit():
        seconds, rest = int(fields[0]), fields[1:]  # one rule for `0 3 * * *` and `0 0 3 * * *`
    plan = _Cron(" ".join(rest), zone, seconds * 1_000)
    if plan.after(0) is None:
        raise _never(expression, fields)
    return plan.after


class _Cron:
    """``shift`` ms are added to each instant of the expression."""

    def __init__(self, expression: str, zone: tzinfo, shift: int) -> None:
        self.expression = expression
        self.zone = zone
        self.shift = shift

    def after(self, at: int) -> int | None:
        found = self._after(at - self.shift)
        return None if found is None else found + self.shift

    def _after(self, at: int) -> int | None:
        found = self._search(at, at)
        if found is None or self.zone is UTC or self._offset(at) == self._offset(found):
            return found
        # The clocks change in between, and cronsim steps by whole hours: it may have stepped over
        # one when they change by half an hour.
        closer = self._search(max(at, found - _HOUR), at)
        return found if closer is None else min(found, closer)

    def _search(self, start: int, at: int) -> int | None:
        """Its first instant after ``at``: in a doubled hour it may begin before ``start``."""
        try:
            for instant in CronSim(self.expression, self._moment(start)):
                found = (instant - _EPOCH) // timedelta(milliseconds=1)
                if found > at:
                    return found
        except (CronSimError, OverflowError):  # a 31st of February; beyond the year 9999
            pass
        return None

    def _moment(self, at: int) -> datetime:
        return (_EPOCH + timedelta(milliseconds=at)).astimezone(self.zone)

    def _offset(self, at: int) -> timedelta | None:
        return self._moment(at).utcoffset()


# reading


def _read(expression: str) -> list[str]:
    written = expression.strip()
    fields = _aliased(written).upper().split()
    if len(written) > _LONGEST:
        raise _refused(written, f"a cron expression has at most {_LONGEST} characters")
    if len(fields) not in (5, 6):
        hint = "minute hour day-of-month month day-of-week, as 0 3 * * *; six with seconds first"
        if len(fields) == 7:
            hint = "there is no field for the year"
        elif re.fullmatch(r"\d+[A-Z]+", "".join(fields)):
            hint = "a span of time is written every: 15m"
        raise _refused(written, f"a cron expression has five fields, not {len(fields)}", hint)
    for name, allowed, field in zip(
        _FIELDS[-len(fields) :], _RANGES[-len(fields) :], fields, strict=True
    ):
        _check(written, name, allowed, field)
    return fields


def _aliased(written: str) -> str:
    if not written.startswith("@"):
        return written
    if written.lower() in ALIASES:
        return ALIASES[written.lower()]
    known = "known are " + " ".join(ALIASES)
    if written.lower().startswith("@every"):
        known = "a span of time is written every: 15m"
    elif written.lower() == "@reboot":
        known = "nothing is started by a start of the server; " + known
    raise _refused(written, f"{written[:40]} is no name of a schedule", known)


def _check(written: str, name: str, allowed: str, field: str) -> None:
    index = _FIELDS.index(name)
    parts = ["*"] * len(_FIELDS)
    parts[index] = field
    try:
        CronSim(" ".join(parts), _SOME_DAY)
    except (CronSimError, AssertionError, TypeError, ValueError):
        message = f"`{field[:40]}` is no {name}: {allowed}, `*`, lists, ranges and steps"
        raise _refused(written, message, _field_hint(name, field)) from None


def _field_hint(name: str, field: str) -> str:
    if "?" in field:
        return "write * for ?"
    if "W" in field and name == "day-of-month":
        return "of W there is only LW, the last weekday of the month"
    if re.fullmatch(r"\w+-\w+", field):
        return "a range goes upwards; write two with a comma between"
    return ""


def _never(expression: str, fields: list[str]) -> DefinitionError:
    day, month = fields[-3], fields[-2]
    why = f"no month of `{month}` has a day `{day}`"
    if fields[-1] != "*":
        why = f"no day of `{month}` is both `{day}` and `{fields[-1]}`"
    return _refused(expression.strip(), f"this never comes: {why}")


def _refused(written: str, message: str, hint: str = "") -> DefinitionError:
    problem = Problem(f"`{written[:60]}`: {message}", hint=hint)
    return DefinitionError(str(problem), problems=(problem,))


# time zones


@lru_cache(256)
def time_zone(name: str) -> tzinfo:
    """By its IANA name, as `Europe/Berlin`. Raises ``DefinitionError`` that names the nearest."""
    if name == "UTC":
        return UTC
    known = available_timezones() - {"localtime", "posixrules", "Factory"}
    if name in known:
        return ZoneInfo(name)
    problem = Problem(f"{name[:60]!r} is no time zone", hint=_nearest_zone(name, sorted(known)))
    raise DefinitionError(str(problem), problems=(problem,))


def _nearest_zone(name: str, known: list[str]) -> str:
    plain = {one.lower(): one for one in known}
    cities = {one.lower().rpartition("/")[2]: one for one in known if "/" in one}
    wanted = name.lower().replace(" ", "_")
    found = plain.get(wanted) or cities.get(wanted)
    if found is None:
        near = get_close_matches(wanted, plain, 1, 0.6) or get_close_matches(wanted, cities, 1, 0.7)
        found = (plain | cities)[near[0]] if near else None
    return f"did you mean `{found}`?" if found else "an IANA name is needed, as Europe/Berlin"
