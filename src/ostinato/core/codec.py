"""Facts and values to bytes and back: JSON, by msgspec.

A record (the facts of one event) is one JSON array. ``VERSION`` is kept beside it and rises
when a fact's meaning changes; ``MIGRATIONS`` then says how older records are read.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from msgspec import Raw

from ostinato.core.facts import AnyFact, Fact
from ostinato.errors import NotStorable, Problem

VERSION = 1
MAX_DEPTH = 200

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[AnyFact])
NULL = Raw(b"null")


def encode_facts(facts: list[Fact]) -> bytes:
    return _encoder.encode(facts)


def decode_facts(data: bytes, version: int = VERSION) -> list[AnyFact]:
    """Raises ``NotStorable`` for a version that this code does not know."""
    if version != VERSION:
        raise NotStorable(f"a record of version {version} needs a newer Ostinato than this one")
    return _decoder.decode(data)


def encode_value(value: Any) -> Raw:
    """A user's value as JSON. Raises ``NotStorable`` naming the member that JSON cannot hold."""
    if value is None:
        return NULL
    if type(value) in _CONTAINERS or isinstance(value, float):
        _check(value, "", 0)
    try:
        return Raw(_encoder.encode(value))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _unstorable("", str(error) or type(error).__name__) from None


_CONTAINERS = (dict, list, tuple)


def _check(value: Any, path: str, depth: int) -> None:
    """msgspec writes NaN as null without a word, so floats are looked at first."""
    if depth > MAX_DEPTH:
        raise _unstorable(path[:80], f"nested deeper than {MAX_DEPTH}")
    kind = type(value)
    if kind is dict:
        for name, member in value.items():
            if not isinstance(name, str):
                raise _unstorable(path, f"the key {name!r} is not text")
            if type(member) not in _PLAIN:
                _check(member, f"{path}.{name}", depth + 1)
    elif kind is list or kind is tuple:
        for index, member in enumerate(value):
            if type(member) not in _PLAIN:
                _check(member, f"{path}[{index}]", depth + 1)
    elif kind is float and not math.isfinite(value):
        raise _unstorable(path, f"{value} is not a JSON number")


_PLAIN = (str, int, bool, type(None))


def _unstorable(path: str, message: str) -> NotStorable:
    where = path.lstrip(".") or "the value"
    problem = Problem(
        message, where, hint="return dicts, lists, text, finite numbers, bool or None"
    )
    return NotStorable(f"cannot be stored as JSON: {problem}", problems=(problem,))
