"""Signatures of what is sent over HTTP: made here, and verified by whoever receives it.

task      what the task service signs its webhooks with: body ``:`` timestamp, in hex
arc       what the control plane wants from provisioning: body, context, timestamp, in hex
standard  Standard Webhooks: id ``.`` timestamp ``.`` body, in Base64

All are HMAC-SHA256. Bodies are bytes, exactly as they travel. Timestamps are in ms since epoch,
those of ``standard`` in seconds. A verifier compares in constant time and returns nothing; what
does not fit is a ``SignatureError``. Its text says why: it is for a log, not for who sent it.
"""

from __future__ import annotations

import binascii
import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ostinato.errors import SignatureError, UsageError

__all__ = [
    "SignatureError",
    "sign_arc",
    "sign_standard",
    "sign_task",
    "verify_arc",
    "verify_standard",
    "verify_task",
]

FIVE_MINUTES = 300
ARC_TOLERANCE = 20_000


def sign_task(secret: str, body: bytes, timestamp: int) -> str:
    """For ``x-task-signature``, beside ``x-task-timestamp``."""
    return _digest(secret.encode(), b"%b:%d" % (body, timestamp)).hex()


def verify_task(
    secret: str,
    body: bytes,
    headers: Mapping[str, str],
    now: int | None = None,
    *,
    tolerance: int | None = FIVE_MINUTES * 1000,
) -> None:
    """``tolerance`` in ms, either way; None: a timestamp of any age will do."""
    given = _Given(headers, "x-task-signature", "x-task-timestamp")
    given.must_be_one_of([sign_task(secret, body, given.timestamp)])
    given.must_be_fresh(_milliseconds() if now is None else now, tolerance)


def sign_arc(secret: str, body: bytes, timestamp: int, context: str = "") -> str:
    """For ``x-signature``, beside ``x-timestamp``. A callback has no ``context``."""
    return _digest(secret.encode(), b"%b%b%d" % (body, context.encode(), timestamp)).hex()


def verify_arc(
    secret: str,
    body: bytes,
    headers: Mapping[str, str],
    context: str = "",
    now: int | None = None,
    *,
    tolerance: int | None = ARC_TOLERANCE,
) -> None:
    """``tolerance`` in ms, either way and inclusive.

    Older senders sign not what they send, but what JavaScript writes of it: that fits as well.
    """
    given = _Given(headers, "x-signature", "x-timestamp")
    wanted = (sign_arc(secret, text, given.timestamp, context) for text in _texts(body))
    given.must_be_one_of(wanted)
    given.must_be_fresh(_milliseconds() if now is None else now, tolerance)


def sign_standard(secret: str | Sequence[str], id: str, timestamp: int, body: bytes) -> str:
    """For ``webhook-signature``, beside ``webhook-id`` and ``webhook-timestamp``.

    With several secrets, while one takes the place of another: a signature by each. Raises
    ``UsageError`` for a secret that is not Base64, with or without ``whsec_`` before it.
    """
    text = b"%b.%d.%b" % (id.encode(), timestamp, body)
    signed = (b64encode(_digest(key, text)).decode() for key in _keys(secret))
    return " ".join(f"v1,{one}" for one in signed)


def verify_standard(
    secret: str | Sequence[str],
    body: bytes,
    headers: Mapping[str, str],
    now: float | None = None,
    *,
    tolerance: float | None = FIVE_MINUTES,
) -> None:
    """``now`` and ``tolerance`` are in seconds. One signature that fits one secret is enough."""
    given = _Given(headers, "webhook-signature", "webhook-timestamp")
    id = given.header("webhook-id")
    given.must_be_one_of(sign_standard(secret, id, given.timestamp, body).split())
    given.must_be_fresh(time.time() if now is None else now, tolerance)


def _digest(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _keys(secret: str | Sequence[str]) -> list[bytes]:
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets:
        raise UsageError("no secret: nothing can be signed")
    return [_key(one) for one in secrets]


def _key(secret: str) -> bytes:
    text = secret.removeprefix("whsec_").rstrip("=")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise UsageError("a secret of Standard Webhooks is whsec_ and then Base64; this one is not")
    return key


class _Given:
    """What headers say. Names of headers have no case; a timestamp is decimal digits."""

    def __init__(self, headers: Mapping[str, str], signature: str, timestamp: str) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}
        said = self.header(timestamp)
        if not (said.isascii() and said.isdigit() and len(said) <= 16):
            raise SignatureError(f"{timestamp} is no time: it is decimal digits")
        self.timestamp = int(said)
        self.signatures = self.header(signature).split()

    def header(self, name: str) -> str:
        if not (value := self._headers.get(name, "")):
            raise SignatureError(f"the header {name} is missing")
        return value

    def must_be_one_of(self, wanted: Iterator[str] | Sequence[str]) -> None:
        for one in wanted:
            for signature in self.signatures:
                if hmac.compare_digest(one.encode(), signature.encode("utf-8", "replace")):
                    return
        raise SignatureError("the signature does not fit: another secret, or another text")

    def must_be_fresh(self, now: float, tolerance: float | None) -> None:
        if tolerance is not None and abs(now - self.timestamp) > tolerance:
            raise SignatureError(f"it was signed at {self.timestamp}, too far from {now}")


# -- what JavaScript writes of a body ----------------------------------------------------------


def _texts(body: bytes) -> Iterator[bytes]:
    yield body
    try:
        value = json.loads(body.decode(), parse_int=float, parse_constant=_refuse)
        yield "".join(_stringified(value)).encode("utf-8", "backslashreplace")
    except (ValueError, RecursionError):
        return  # no JSON, then it is nothing else


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _stringified(value: Any) -> Iterator[str]:
    """As ``JSON.stringify`` writes what ``JSON.parse`` has read: also its numbers and their order
    as keys."""
    if isinstance(value, dict):
        yield "{"
        for n, name in enumerate(sorted(value, key=_place)):
            yield f"{',' if n else ''}{_quoted(name)}:"
            yield from _stringified(value[name])
        yield "}"
    elif isinstance(value, list):
        yield "["
        for n, item in enumerate(value):
            yield "," if n else ""
            yield from _stringified(item)
        yield "]"
    else:
        yield _number(value) if isinstance(value, float) else _quoted(value)


def _place(name: str) -> float:
    """Of a member: names that are indexes come first, in their order; the others as they came."""
    index = name.isascii() and name.isdigit() and len(name) <= 10 and str(int(name)) == name
    return int(name) if index and int(name) < 2**32 - 1 else float("inf")


def _number(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "null"
    if value == 0:
        return "0"
    _, many, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    digits, minus = "".join(map(str, many)), "-" if value < 0 else ""
    point = len(digits) + int(exponent)
    if 0 < point <= 21:
        whole, rest = digits[:point].ljust(point, "0"), digits[point:]
        return f"{minus}{whole}{'.' if rest else ''}{rest}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if digits[1:] else ""
    return f"{minus}{digits[0]}{rest}e{point - 1:+d}"
