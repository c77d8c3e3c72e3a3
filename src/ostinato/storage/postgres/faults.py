"""PostgreSQL's errors in our words: what happened, to which server, how to mend it."""

from __future__ import annotations

import re
import struct

from ostinato.errors import AdapterError, Overtaken, Refused, StoreError, UnknownCommit

BAD_ROW = (
    OverflowError, TypeError, ValueError, AttributeError, struct.error,
)  # fmt: skip
"""What making an argument of a value may raise."""

DIVISION_BY_ZERO = "22012"
"""What a statement ends with that is there to refuse."""

AGAIN = ("40001", "40P01")
"""Two transactions stood in each other's way; one was undone, and may be tried again."""

AGAIN_FROM_ANEW = (*AGAIN, "26000", "57P01", "57P02", "57P03", "57P05", "25P03", "08006")
"""Nothing was done, as the connection or what was prepared on it went away."""

PASSING = ("57P03", "53300")
"""What goes over by itself, also where nothing has worked yet."""

_OVERTAKEN = {
    "event_identity": "an event with this source and id was accepted by another process",
    "run_open_uid": "another run holds this uid",
    "reply_pkey": "this Idempotency-Key was answered by another process",
    "place_pkey": "this place was taken by another process",
}
"""Constraint → what it says when another process was first."""

_MENDS = (
    ("28", "look at user and password in the store's URL, and at pg_hba.conf of the server"),
    ("3D000", "create the database (CREATE DATABASE … ENCODING 'UTF8'), or name another one"),
    ("3F000", "let the owner of the database run `ostinato tables`"),
    ("42501", "give this role the rights that docs/how-to/postgresql.md lists"),
    ("42P01", "let the owner of the database run `ostinato tables`"),
    ("53100", "make room on the server's disk"),
    ("53200", "give the server more memory, or let it serve fewer connections"),
    ("53300", "raise max_connections of the server, or end connections that nobody uses"),
    ("25006", "name the server that takes writes, as with ?target_session_attrs=read-write"),
    ("58", "look at the server's log and at its disk"),
    ("XX", "look at the server's log; bring the database back from a copy if it is damaged"),
)

_SIGNS = (
    ("too many", "53300"), ("connection slots", "53300"), ("password", "28"),
    ("pg_hba.conf", "28"), ('role "', "28"), ("SSL", "SSL"), ("certificate", "SSL"),
    ("starting up", "57P03"), ("shutting down", "57P03"), ("not yet accepting", "57P03"),
    ("recovery mode", "57P03"), ("does not exist", "3D000"), ("refused", "gone"),
    ("No such file", "gone"), ("resolve", "name"), ("translate", "name"), ("not known", "name"),
    ("timeout", "gone"), ("timed out", "gone"), ("read-only", "25006"),
    ("invalid connection option", "url"), ("invalid URI", "url"),
)  # fmt: skip
"""While connecting there is only text: what it says → which error that is."""

_CONNECTING = {
    "SSL": "look at sslmode and the certificates that the store's URL names",
    "gone": "start the server, or mend host and port in the store's URL",
    "name": "mend the host in the store's URL",
    "url": "mend the store's URL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE",
    "57P03": "wait until the server has started",
}


def connecting(place: str, said: str) -> tuple[StoreError, str]:
    """The error, and the sign of what it is: one of ``_SIGNS``, or nothing."""
    said = " ".join(re.sub(r"\s+", " ", said).split())
    code = next((code for sign, code in _SIGNS if sign in said), "")
    mend = _CONNECTING.get(code) or _mend(code)
    return StoreError(f"{place} cannot be reached: {said}{mend and f'; {mend}'}"), code


def of_statement(place: str, code: str, said: str, constraint: str | None) -> AdapterError:
    """What an answer says; ``code`` is an SQLSTATE."""
    if code == "23505" and constraint in _OVERTAKEN:
        return Overtaken(f"{_OVERTAKEN[constraint]}: {said}")
    if code[:2] in ("22", "23", "54") or code == "0A000":
        return Refused(f"the store does not take this data: {said}")
    mend = _mend(code)
    return StoreError(f"{place}: {said}{mend and f'; {mend}'}")


def refused(error: Exception) -> Refused:
    return Refused(f"the store does not take this data: {error}")


def unknown(place: str, error: Exception) -> UnknownCommit:
    return UnknownCommit(f"{place}: it is not known whether the batch was kept: {error}")


def _mend(code: str) -> str:
    if not code:
        return ""
    return next((mend for sign, mend in _MENDS if code.startswith(sign)), "")
