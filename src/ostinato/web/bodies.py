"""Bodies of requests: bounded while they are read, and strict JSON.

Malformed (not JSON, not UTF-8, NaN, nested without end) is 400; JSON that does not fit is 422.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request

from ostinato.core.cloudevents import MalformedBody
from ostinato.errors import Problem
from ostinato.web.door import Bound, headers_of
from ostinato.web.errors import Refusal

T = TypeVar("T")

_PLACE = re.compile(r" - at `(?:key in )?\$?\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<name>.*)`")

_LONGEST_LENGTH = 20
"""Digits of a length that can be meant; Python itself reads no more than some thousands."""

# All that is whole, pairs among it, and then half of one.
_HALF = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\(?!u[dD][89a-fA-F]).)*+"
    rb"(?P<half>\\u[dD][89a-fA-F]..)",
    re.DOTALL,
)


async def read_body(request: Request, bound: Bound) -> bytes:
    headers = headers_of(request)
    coding = headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        message = f"a body with content-encoding {coding[:40]!r} is not understood; send it plain"
        raise Refusal(415, "UnsupportedMediaTypeError", message, headers={"accept-encoding": ""})
    _check_length(headers.get("content-length", "0"), bound)
    parts, size, more = [], 0, True
    while more:
        came = await request.receive()
        if came["type"] == "http.disconnect":
            raise ClientDisconnect
        part, more = came.get("body", b""), came.get("more_body", False)
        size += len(part)
        if size > bound.size:
            raise _too_large(bound)
        parts.append(part)
    return b"".join(parts)


def _check_length(announced: str, bound: Bound) -> None:
    if not announced.isdecimal():
        return
    if len(announced) > _LONGEST_LENGTH:
        message = f"a content-length of {len(announced):,} digits is no length of a body"
        raise Refusal(400, "BadRequestError", message, headers={"connection": "close"})
    if int(announced) > bound.size:
        raise _too_large(bound)


def _too_large(bound: Bound) -> Refusal:
    message = f"the body is larger than {bound.size:,} bytes, the limit here ({bound.says})"
    return Refusal(413, "TooLarge", message, headers={"connection": "close"})


class Why(Struct, forbid_unknown_fields=True, kw_only=True):
    why: str = ""


async def read_why(request: Request, bound: Bound) -> str:
    """No body is no reason."""
    body = await read_body(request, bound)
    return decode(body, Why).why if body.strip() else ""


def decode(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise unfit_body(error) from None
    except RecursionError:
        raise malformed("nested too deeply") from None
    except ValueError as error:
        raise malformed(_halved(body, str(error)) or str(error)) from None


def members(body: bytes) -> dict[str, msgspec.Raw]:
    """The members of a JSON object, not looked into."""
    if not body.strip():
        return {}
    return decode(body, dict[str, msgspec.Raw])


def value(raw: msgspec.Raw) -> Any:
    return decode(raw, object)


def malformed(why: str) -> Refusal:
    return Refusal(400, "BadRequestError", f"the body is not JSON: {why.removeprefix('JSON is ')}")


@contextmanager
def explained(body: bytes) -> Iterator[None]:
    """A reader of events in this body says why it is no JSON as ``decode`` does."""
    try:
        yield
    except MalformedBody as error:
        if why := _halved(body, str(error)):
            raise malformed(why) from None
        raise


def _halved(body: bytes | msgspec.Raw, why: str) -> str:
    """msgspec says of half a character that the body was truncated, when little comes after it."""
    found = _HALF.match(body) if "truncated" in why or "surrogate" in why else None
    if found is None:
        return ""
    half = found["half"].decode(errors="replace")
    return f"{half} is half of a character; the other half, another \\u…, must follow it"


def unfit_body(error: msgspec.ValidationError, what: str = "the body") -> Refusal:
    problem = problem_of(error)
    message = f"{what} does not fit: {problem}"
    return Refusal(422, "UnprocessableEntityError", message, problems=(problem,))


def problem_of(error: msgspec.ValidationError) -> Problem:
    """msgspec says where in its own words; we say it in ours."""
    text = str(error)
    place = _PLACE.search(text)
    path = place["path"] if place else ""
    said = text[: place.start()] if place else text
    unknown = _UNKNOWN.search(said)
    if unknown:
        path = f"{path}.{unknown['name']}" if path else unknown["name"]
    return Problem(said, path)
