"""The filter policies of Amazon SNS: fewer matchers than event patterns, coarser numbers, limits.

A policy becomes leaves as an event pattern does (see ``parse``); what is particular to SNS is a
table of rows and the limits, as Amazon documents them. Its fields stand under one name in what is
asked (see ``messages``), so that ``detail`` and ``data`` are names like any other there.
"""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps
from math import prod
from typing import Any

import msgspec

from ostinato.core.patterns import matchers
from ostinato.core.patterns.keys import Key, Keys, Kind
from ostinato.core.patterns.matchers import ROWS, Matcher, Row, Rows, is_number, refuse
from ostinato.core.patterns.messages import ATTRIBUTES, BODY, Form
from ostinato.core.patterns.parse import OR, Language, Leaf, parse
from ostinato.errors import UsageError

MAX_KEYS = 5
MAX_COMBINATIONS = 150
MAX_BYTES = 256 * 1024
LARGEST = 10**9  # numbers are compared from its negative to it
DIGITS = 5  # after the point

# A number within this of another may be the same one, and its key must let it through.
_NEAR = 10**-DIGITS
_BEYOND: Any = object()


def read(policy: Any, scope: str) -> tuple[list[list[Leaf]], Form]:
    """The policy as an object or as JSON text. An empty one takes every message."""
    if scope not in tuple(_LANGUAGES):
        raise UsageError(f"scope: {scope!r} is none; one of {', '.join(map(repr, _LANGUAGES))}")
    policy = _decoded(policy)
    language, form = _LANGUAGES[scope]
    if policy == {}:
        return [[]], form
    alternatives = parse(policy, language)
    _check_limits(policy)
    return alternatives, form


def _decoded(policy: Any) -> Any:
    if isinstance(policy, (str, bytes)):
        try:
            _check_size(policy if isinstance(policy, bytes) else policy.encode())
            return msgspec.json.decode(policy)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            refuse("", f"the policy is no JSON: {error}")
    return policy


# -- limits ------------------------------------------------------------------------------------


def _check_limits(policy: Mapping[str, Any]) -> None:
    if len(policy) > MAX_KEYS:
        refuse("", f"a policy has at most {MAX_KEYS} keys, this has {len(policy)}")
    number = _combinations(policy)
    if number > MAX_COMBINATIONS:
        refuse(
            "",
            f"a policy has at most {MAX_COMBINATIONS} combinations of values, this has {number}",
            "each list counts its values, times its depth, and the lists multiply",
        )
    text = dumps(policy, separators=(",", ":"), ensure_ascii=False)
    _check_size(text.encode(errors="surrogatepass"))


def _combinations(policy: Mapping[str, Any], depth: int = 1) -> int:
    """A key below another counts twice, below two three times; the branches of ``$or`` add up."""
    return prod(_factor(name, value, depth) for name, value in policy.items())


def _factor(name: str, value: Any, depth: int) -> int:
    if name == OR:
        return sum(_combinations(choice, depth) for choice in value)
    if isinstance(value, Mapping):
        return _combinations(value, depth + 1)
    return len(value) * depth


def _check_size(policy: bytes) -> None:
    if len(policy) > MAX_BYTES:
        refuse("", f"a policy has at most {MAX_BYTES} bytes of JSON, this has {len(policy)}")


# -- numbers -----------------------------------------------------------------------------------


def _number(value: Any, path: str) -> float:
    number = matchers.number(value, path)
    if abs(number) > LARGEST:
        refuse(path, f"SNS compares numbers from -{LARGEST} to {LARGEST} only")
    return round(number, DIGITS)


def _rounded(operand: Any, path: str) -> Any:
    """The operand with its numbers as SNS compares them."""
    if is_number(operand):
        return _number(operand, path)
    if isinstance(operand, (list, tuple)):
        return [
            _number(one, f"{path}[{at}]") if is_number(one) else one
            for at, one in enumerate(operand)
        ]
    return operand


def _in_digits(inner: Matcher) -> Matcher:
    def test(value: Any) -> bool:
        return inner.test(_compared(value) if is_number(value) else value)

    return Matcher(test, inner.wanted, _near(inner.keys))


def _compared(number: float) -> Any:
    return round(number, DIGITS) if -LARGEST <= number <= LARGEST else _BEYOND


def _near(keys: Keys) -> Keys:
    return tuple(_near_key(*key) for key in keys)


def _near_key(kind: Kind, value: Any) -> Key:
    if kind is Kind.NUMBER:
        return Key(Kind.RANGE, (value - _NEAR, value + _NEAR))
    if kind is Kind.RANGE:
        return Key(kind, (value[0] - _NEAR, value[1] + _NEAR))
    return Key(kind, value)


def _exactly(values: list[Any]) -> Matcher:
    inner = matchers.exactly([round(v, DIGITS) if is_number(v) else v for v in values])
    return _in_digits(inner) if any(map(is_number, values)) else inner


# -- rows --------------------------------------------------------------------------------------


def _numeric(operand: Any, path: str) -> Matcher:
    return _in_digits(ROWS["numeric"](_rounded(operand, path), path))


def _anything_but(operand: Any, path: str) -> Matcher:
    if isinstance(operand, dict):
        name, inner = matchers.one_member(operand, path)
        if name != "prefix":
            refuse(path, f"SNS takes no {dumps(name)} here", "only values or a prefix")
        matchers.text(inner, f"{path}.{name}")
        return ROWS["anything-but"](operand, path)
    return _in_digits(ROWS["anything-but"](_rounded(operand, path), path))


def _exists(operand: Any, path: str) -> Matcher:
    inner = ROWS["exists"](operand, path)
    if operand is False:
        return inner
    return Matcher(lambda v: v is not None and v != "", "a value that is not null or empty")


def _of_text(name: str) -> Row:
    def row(operand: Any, path: str) -> Matcher:
        return ROWS[name](matchers.text(operand, path), path)

    return row


def _unknown(name: str) -> Row:
    def row(operand: Any, path: str) -> Matcher:
        refuse(path, "this is a matcher of event patterns, and SNS has none such")

    return row


_SNS: Rows = {
    "anything-but": _anything_but,
    "cidr": ROWS["cidr"],
    "equals-ignore-case": ROWS["equals-ignore-case"],
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _of_text("prefix"),
    "suffix": _of_text("suffix"),
}
_ROWS: Rows = {name: _unknown(name) for name in ROWS} | _SNS

_FLAT = 'attributes are not nested; scope="body" takes such a policy'
_LANGUAGES: dict[str, tuple[Language, Form]] = {
    "attributes": (Language((ATTRIBUTES.root,), _ROWS, _exactly, _number, _FLAT), ATTRIBUTES),
    "body": (Language((BODY.root,), _ROWS, _exactly, _number), BODY),
}
