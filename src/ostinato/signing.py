"""Signatures of what is sent over HTTP: made here, and verified by whoever receives it.

task      what the task service signs its webhooks with: body ``:`` timestamp, in hex
arc       what the control plane wants from provisioning: body, context, timestamp, in hex
standard  Standard Webhooks: id ``.`` timestamp ``.`` body, in Base64

All are HMAC-SHA256. Bodies are bytes, exactly as they travel. Timestamps are in ms since epoch,
those of ``standard`` in seconds. A verifier compares in constant time and returns nothing; what
does not fit is a ``SignatureError``. Its text says why: it is for a log, not for who sent it.

Anybody may send anything here, so what costs little is looked at first: is it of now, do its bytes
fit, and only then whatever else might.
"""

from __future__ import annotations

import binascii
import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

LONGEST_REWRITTEN = 64 << 10
"""Bytes of a body that is also tried as JavaScript writes it. Larger ones must fit as they are:
reading and writing a megabyte for whoever asks would hold up everybody else."""


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
    given.must_be_fresh(_milliseconds() if now is None else now, tolerance)
    given.must_be_one_of([sign_task(secret, body, given.timestamp)])


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

    Older senders sign not what they send, but what JavaScript writes of it: that fits as well, for
    bodies of up to ``LONGEST_REWRITTEN`` bytes.
    """
    ArcCall(body, headers, now, tolerance=tolerance).verify([(secret, context)])


class ArcCall:
    """One call as ``verify_arc`` has it, when several secrets may have signed it: what does not
    depend on them is done once.

    Raises ``SignatureError`` when it is not of now, whoever has signed it.
    """

    def __init__(
        self,
        body: bytes,
        headers: Mapping[str, str],
        now: int | None = None,
        *,
        tolerance: int | None = ARC_TOLERANCE,
    ) -> None:
        self._body = body
        self._given = _Given(headers, "x-signature", "x-timestamp")
        self._given.must_be_fresh(_milliseconds() if now is None else now, tolerance)

    def verify(self, secrets: Sequence[tuple[str, str]]) -> tuple[int, str]:
        """Which of the (secret, context) has signed it, and the signature that fits.

        That signature is the same for all that can be made of one signed call: other spaces, or
        more in the header. Raises ``SignatureError`` when none of them has.
        """
        for text in self._texts():
            for number, (secret, context) in enumerate(secrets):
                signature = sign_arc(secret, text, self._given.timestamp, context)
                if self._given.has(signature):
                    return number, signature
        raise self._given.unfit()

    def _texts(self) -> Iterator[bytes]:
        yield self._body
        if len(self._body) <= LONGEST_REWRITTEN and (text := _rewritten(self._body)) is not None:
            yield text


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
    given.must_be_fresh(time.time() if now is None else now, tolerance)
    given.must_be_one_of(sign_standard(secret, id, given.timestamp, body).split())


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

    def must_be_one_of(self, wanted: Iterable[str]) -> None:
        if not any(map(self.has, wanted)):
            raise self.unfit()

    def has(self, wanted: str) -> bool:
        digest = wanted.encode()
        given = (one.encode("utf-8", "replace") for one in self.signatures)
        return any(hmac.compare_digest(digest, one) for one in given)

    def unfit(self) -> SignatureError:
        return SignatureError("the signature does not fit: another secret, or another text")

    def must_be_fresh(self, now: float, tolerance: float | None) -> None:
        if tolerance is not None and abs(now - self.timestamp) > tolerance:
            raise SignatureError(f"it was signed at {self.timestamp}, too far from {now}")


# -- what JavaScript writes of a body ----------------------------------------------------------


def _rewritten(body: bytes) -> bytes | None:
    """None for what is no JSON: then it is nothing else."""
    try:
        value = json.loads(body.decode(), parse_int=float, parse_constant=_refuse)
        return _stringified(value).encode("utf-8", "backslashreplace")
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _stringified(value: Any) -> str:
    """As ``JSON.stringify`` writes what ``JSON.parse`` has read: also its numbers and their order
    as keys."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value: Any, out: Callable[[str], None]) -> None:
    if isinstance(value, dict):
        out("{")
        for n, name in enumerate(sorted(value, key=_place)):
            out(f"{',' if n else ''}{_quoted(name)}:")
            _write(value[name], out)
        out("}")
    elif isinstance(value, list):
        out("[")
        for n, item in enumerate(value):
            if n:
                out(",")
            _write(item, out)
        out("]")
    else:
        out(_number(value) if isinstance(value, float) else _quoted(value))


def _place(name: str) -> float:
    """Of a member: names that are indexes come first, in their order; the others as they came."""
    index = name.isascii() and name.isdigit() and len(name) <= 10 and str(int(name)) == name
    return int(name) if index and int(name) < 2**32 - 1 else float("inf")


def _number(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "null"
    if value == 0:
        return "0"
    text = repr(value)
    if "e" not in text:  # then both write the same digits, and most numbers are so
        return text.removesuffix(".0")
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
