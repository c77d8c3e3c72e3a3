"""What may stand in the list of a leaf: a table from a matcher's name to the test it becomes.

A test takes one scalar (text, number, true, false, null) and never an array or an object: arrays
are taken apart before, so that every row says only what it means for one value. A new matcher is
a new row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from json import dumps
from typing import Any, NamedTuple, NoReturn

from ostinato.core.patterns import keys, texts
from ostinato.core.patterns.keys import PRESENT, Keys, Kind
from ostinato.errors import PatternError, Problem

Test = Callable[[Any], bool]


class Matcher(NamedTuple):
    """``keys``: what fits the test has one of them."""

    test: Test
    wanted: str
    keys: Keys = PRESENT


Row = Callable[[Any, str], Matcher]
Rows = dict[str, Row]


def absent(value: Any) -> bool:
    """``{"exists": false}``, known by its identity: it asks for no value, not of one."""
    return False


def refuse(path: str, message: str, hint: str = "") -> NoReturn:
    problem = Problem(message, path, hint=hint)
    raise PatternError(f"pattern: {problem}", problems=(problem,))


def matcher(rule: Any, path: str, rows: Rows) -> Matcher:
    """A rule written as an object: exactly one member, its name a row of the table."""
    name, operand = one_member(rule, path)
    row = rows.get(name)
    if row is None:
        refuse(path, f"there is no matcher {dumps(name)}", nearest(name, rows))
    return row(operand, f"{path}.{name}")


def one_member(rule: Any, path: str) -> tuple[str, Any]:
    if len(rule) != 1:
        refuse(path, f"a matcher is an object with exactly one member, this has {len(rule)}")
    name, operand = next(iter(rule.items()))
    return str(name), operand


def nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1)
    return f"did you mean {dumps(close[0])}?" if close else f"one of {', '.join(sorted(known))}"


# -- exact values ------------------------------------------------------------------------------


def exactly(values: list[Any]) -> Matcher:
    """One set lookup for all plain values of a leaf; ``true`` is no number, Python or not."""
    chosen = frozenset(v for v in values if isinstance(v, str))
    numbers = frozenset(v for v in values if is_number(v))
    constants = frozenset(v for v in values if v is None or isinstance(v, bool))

    def test(value: Any) -> bool:
        if isinstance(value, str):
            return value in chosen
        if value is None or value is True or value is False:
            return value in constants
        return isinstance(value, (int, float)) and value in numbers

    wanted = " or ".join(dumps(v, ensure_ascii=False) for v in values)
    return Matcher(test, wanted, keys.of_values(values))


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def number(value: Any, path: str) -> float:
    if not is_number(value):
        refuse(path, f"a number is needed, not {kind(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        refuse(path, "a number of JSON is needed, not an infinity or NaN")
    return value  # type: ignore[no-any-return]


def kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return dumps(value)
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"


_KINDS: tuple[tuple[Any, str], ...] = (
    (str, "text"),
    ((int, float), "a number"),
    (dict, "an object"),
    ((list, tuple), "an array"),
)


# -- rows --------------------------------------------------------------------------------------


def text(operand: Any, path: str) -> str:
    if not isinstance(operand, str):
        refuse(path, f"a text is needed, not {kind(operand)}")
    return operand


def _only_text(operand: Any, path: str) -> Matcher:
    return exactly([text(operand, path)])


def _prefix(operand: Any, path: str) -> Matcher:
    if isinstance(operand, dict):
        start = _in_any_case(operand, path)
        return _of_text(
            texts.prefix_ignoring_case(start),
            "begins with, in any case,",
            start,
            keys.of_start_in_any_case(start),
        )
    start = text(operand, path)
    by = keys.of_affix(Kind.PREFIX, start)
    return _of_text(lambda value: value.startswith(start), "begins with", start, by)


def _suffix(operand: Any, path: str) -> Matcher:
    if isinstance(operand, dict):
        end = _in_any_case(operand, path)
        return _of_text(
            texts.suffix_ignoring_case(end),
            "ends with, in any case,",
            end,
            keys.of_end_in_any_case(end),
        )
    end = text(operand, path)
    by = keys.of_affix(Kind.SUFFIX, end)
    return _of_text(lambda value: value.endswith(end), "ends with", end, by)


def _in_any_case(operand: Any, path: str) -> str:
    name, inner = one_member(operand, path)
    if name != "equals-ignore-case":
        refuse(path, f"cannot hold {dumps(name)}", 'only a text or {"equals-ignore-case": text}')
    return text(inner, f"{path}.{name}")


def _equals_ignore_case(operand: Any, path: str) -> Matcher:
    wanted = text(operand, path)
    by = keys.of_start_in_any_case(wanted)
    return _of_text(texts.equal_ignoring_case(wanted), "is, in any case,", wanted, by)


def _wildcard(operand: Any, path: str) -> Matcher:
    try:
        parts = texts.literal_parts(text(operand, path))
    except ValueError as error:
        refuse(path, str(error))
    return _of_text(texts.wildcard(parts), "looks like", operand, keys.of_wildcard(parts))


def _cidr(operand: Any, path: str) -> Matcher:
    try:
        network = texts.network(text(operand, path))
    except ValueError as error:
        refuse(path, f"not a range of addresses: {error}", 'as "10.0.0.0/24" or "2001:db8::/32"')
    test = texts.address_in(network)
    said = f"an address in {operand}"
    return Matcher(lambda v: isinstance(v, str) and test(v), said, keys.of_network(network))


def _of_text(test: texts.TextTest, verb: str, wanted: str, by: Keys) -> Matcher:
    said = f"a text that {verb} {dumps(wanted, ensure_ascii=False)}"
    return Matcher(lambda value: isinstance(value, str) and test(value), said, by)


def _exists(operand: Any, path: str) -> Matcher:
    if not isinstance(operand, bool):
        refuse(path, f"true or false is needed, not {kind(operand)}")
    return Matcher(lambda value: True, "a value") if operand else Matcher(absent, "no value")


def _anything_but(operand: Any, path: str) -> Matcher:
    if isinstance(operand, dict):
        return _anything_but_text(*one_member(operand, path), path)
    values = _one_or_more(operand, path)
    if not (all(isinstance(v, str) for v in values) or all(is_number(v) for v in values)):
        refuse(path, "a text, a number, or an array of only texts or only numbers is needed")
    for value in values:
        if not isinstance(value, str):
            number(value, path)
    return _not(exactly(values))


def _anything_but_text(name: str, operand: Any, path: str) -> Matcher:
    if name not in _NEGATABLE:
        refuse(path, f"cannot hold {dumps(name)}", nearest(name, _NEGATABLE))
    inner = f"{path}.{name}"
    values = [text(v, inner) for v in _one_or_more(operand, inner)]
    if name in ("prefix", "suffix") and "" in values:
        refuse(inner, "an empty text would exclude every text")
    matchers = [ROWS[name](value, inner) for value in values]
    return _not(any_of(matchers))


_NEGATABLE = ("equals-ignore-case", "prefix", "suffix", "wildcard")


def _one_or_more(operand: Any, path: str) -> list[Any]:
    values = list(operand) if isinstance(operand, (list, tuple)) else [operand]
    if not values:
        refuse(path, "an empty array")
    return values


def _not(inner: Matcher) -> Matcher:
    test = inner.test
    return Matcher(lambda value: not test(value), f"anything but {inner.wanted}")


def any_of(matchers: list[Matcher]) -> Matcher:
    if len(matchers) == 1:
        return matchers[0]
    tests = tuple(m.test for m in matchers)

    def test(value: Any) -> bool:
        return any(one(value) for one in tests)

    wanted = " or ".join(m.wanted for m in matchers)
    return Matcher(test, wanted, keys.together([m.keys for m in matchers]))


# -- numeric -----------------------------------------------------------------------------------

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


def _numeric(operand: Any, path: str) -> Matcher:
    if not isinstance(operand, (list, tuple)) or len(operand) not in (2, 4):
        refuse(path, "needs an array [operator, number] or [lower, number, upper, number]")
    bounds = [_bound(operand, i, path) for i in range(0, len(operand), 2)]
    if len(bounds) == 2:
        _check_range(bounds, path)
    wanted = "a number " + " and ".join(f"{o} {n}" for o, n in bounds)
    return Matcher(_within(bounds), wanted, keys.of_bounds(bounds))


def _bound(operand: Any, at: int, path: str) -> tuple[str, float]:
    operator = operand[at]
    if not isinstance(operator, str) or operator not in _COMPARISONS:
        shown = dumps(operator) if isinstance(operator, str) else kind(operator)
        refuse(f"{path}[{at}]", f"{shown} is not an operator", "one of = < <= > >=")
    return operator, number(operand[at + 1], f"{path}[{at + 1}]")


def _check_range(bounds: list[tuple[str, float]], path: str) -> None:
    (lower, low), (upper, high) = bounds
    if lower not in (">", ">=") or upper not in ("<", "<="):
        refuse(path, "a range is a lower bound and then an upper one", 'as [">", 0, "<=", 5]')
    if low > high or (low == high and (lower, upper) != (">=", "<=")):
        refuse(path, f"no number is {lower} {low} and {upper} {high}")


def _within(bounds: list[tuple[str, float]]) -> Test:
    compare, limit = _COMPARISONS[bounds[0][0]], bounds[0][1]
    if len(bounds) == 1:
        return lambda value: is_number(value) and compare(value, limit)
    upper, top = _COMPARISONS[bounds[1][0]], bounds[1][1]
    return lambda value: is_number(value) and compare(value, limit) and upper(value, top)


ROWS: Rows = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "exactly": _only_text,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
