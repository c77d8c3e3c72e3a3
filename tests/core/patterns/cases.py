"""Patterns and events as JSON text, drawn so that they have much to do with each other.

They are texts because a number has many forms there (`1`, `1.0`, `1e0`) and Python keeps one.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

Drawn = st.SearchStrategy[Any]


class Raw(NamedTuple):
    """A piece of JSON as it is to be written."""

    text: str


def write(value: Any) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        members = (f"{write(name)}:{write(member)}" for name, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def one_of(words: str) -> Drawn:
    return st.sampled_from(words.split())


NUMBERS = one_of(
    "0 -0 0.0 1 1.0 1e0 10 1E1 0.1 1e-1 -1 -1.50 2 3.018e2 301.8 300.000001 0.123456 "
    "100 1000 999999 4999999999 -5000000000 1234.5678"
).map(Raw)
LETTERS = "abAB*\\/éÉßσς😀ıİK"
WORDS = (
    one_of("a A ab aB abc ABC b ba aba * a/b a\\b a*b 1 1.0 true null")
    | one_of("ß ẞ SS é É σς ΣΣ 😀 a😀b K k ı I i İ ǆ ǅ Ǆ ŉ ﬃ")
    | st.sampled_from(["", " a", "a\n", "\u0000"])
)
TEXTS = WORDS | st.text(LETTERS, max_size=5)
ADDRESSES = one_of(
    "10.0.0.0 10.0.0.1 10.0.0.33 10.0.1.0 10.128.0.7 192.168.0.1 255.255.255.255 0.0.0.0 "
    "::1 :: 2001:db8::1 2001:db8:0:1::1 2001:0db8:0:0:0:0:0:1 fe80::1 "
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
)
CONSTANTS = st.sampled_from([True, False, None])
SCALARS = TEXTS | NUMBERS | CONSTANTS
NAMES = st.sampled_from(["a", "b", "c", "d", "é"])

# -- the list of a leaf ------------------------------------------------------------------------


def _one_or_more(values: Drawn) -> Drawn:
    return values | st.lists(values, min_size=1, max_size=3)


def _within(name: str, inner: Drawn) -> Drawn:
    return inner.map(lambda value: {name: value})


def _wildcards() -> Drawn:
    parts = st.sampled_from(["a", "b", "*", "*", "\\*", "\\\\", "é", "😀", "/"])
    texts = st.lists(parts, min_size=1, max_size=5).map("".join)
    return texts.filter(lambda text: "**" not in text.replace("\\*", ""))


def _range(bounds: tuple[Any, ...]) -> list[Any]:
    lower, low, upper, high = bounds
    if float(low.text) > float(high.text):
        low, high = high, low
    return [lower, low, upper, high]


COMPARISONS = st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), NUMBERS).map(list)
RANGES = st.tuples(
    st.sampled_from([">", ">="]), NUMBERS, st.sampled_from(["<", "<="]), NUMBERS
).map(_range)
SOLID = TEXTS.filter(bool)
WILDCARDS = _wildcards()
NETWORKS = st.tuples(ADDRESSES, st.integers(0, 128)).map(
    lambda it: f"{it[0]}/{it[1] if ':' in it[0] else it[1] // 4}"
)
IN_ANY_CASE = _within("equals-ignore-case", TEXTS)

MATCHERS: dict[str, Drawn] = {
    "exact text": TEXTS,
    "exact number": NUMBERS,
    "exact constant": CONSTANTS,
    "prefix": _within("prefix", SOLID),
    "prefix in any case": _within("prefix", IN_ANY_CASE),
    "suffix": _within("suffix", SOLID),
    "suffix in any case": _within("suffix", IN_ANY_CASE),
    "equals-ignore-case": IN_ANY_CASE,
    "wildcard": _within("wildcard", WILDCARDS),
    "numeric": _within("numeric", COMPARISONS),
    "numeric range": _within("numeric", RANGES),
    "cidr": _within("cidr", NETWORKS),
    "exists true": st.just({"exists": True}),
    "exists false": st.just({"exists": False}),
    "anything-but text": _within("anything-but", _one_or_more(TEXTS)),
    "anything-but number": _within("anything-but", _one_or_more(NUMBERS)),
    "anything-but prefix": _within("anything-but", _within("prefix", _one_or_more(SOLID))),
    "anything-but suffix": _within("anything-but", _within("suffix", _one_or_more(SOLID))),
    "anything-but wildcard": _within("anything-but", _within("wildcard", _one_or_more(WILDCARDS))),
    "anything-but in any case": _within(
        "anything-but", _within("equals-ignore-case", _one_or_more(TEXTS))
    ),
}
RULES = st.one_of(*MATCHERS.values())
LISTS = st.lists(RULES, min_size=1, max_size=3)
VALUES = st.lists(SCALARS | ADDRESSES, min_size=8, max_size=8)


def inside(rule: Any) -> list[Any]:
    """The scalars of a rule, at any depth."""
    if isinstance(rule, dict):
        return [one for member in rule.values() for one in inside(member)]
    if isinstance(rule, list):
        return [one for member in rule for one in inside(member)]
    return [rule]


def like(value: Any, chance: Random) -> Any:
    """A value that a rule with this one may fit, or may just miss."""
    if not isinstance(value, str):
        return value
    filled = value.replace("\\*", "\0").replace("*", "ab").replace("\0", "*").replace("\\\\", "\\")
    forms = [value, value + "b", "a" + value, value.upper(), value.lower(), value[:-1], filled]
    return chance.choice([*forms, value.partition("/")[0]])


def leaf_event(rules: list[Any], others: list[Any], chance: Random) -> Any:
    """An event for a pattern that asks one field, `a`, by these rules."""

    def value() -> Any:
        return like(chance.choice([*inside(rules), chance.choice(others)]), chance)

    held = [value(), value(), [value() for _ in range(chance.randrange(4))]]
    held += [chance.choice([{}, {"b": 1}, [[]], [{"b": 1}]])] if chance.random() < 0.3 else []
    return {"a": chance.choice(held)} if chance.random() < 0.9 else {"b": 1}


# -- whole patterns ----------------------------------------------------------------------------

PLAIN = st.sampled_from(["x", "y", Raw("1"), None, True])
SIMPLE = st.lists(
    PLAIN
    | st.sampled_from(
        [
            {"exists": False},
            {"exists": True},
            {"anything-but": "x"},
            {"anything-but": ["x", "y"]},
            {"numeric": [">", 0]},
            {"prefix": "x"},
        ]
    ),
    min_size=1,
    max_size=2,
)
SHAPES = st.recursive(
    st.dictionaries(NAMES, SIMPLE, min_size=1, max_size=3),
    lambda inner: st.dictionaries(NAMES, SIMPLE | inner, min_size=1, max_size=3),
    max_leaves=6,
)
OPTIONAL = st.dictionaries(NAMES, SIMPLE, max_size=1)


def _pairs(inner: Drawn) -> Drawn:
    return st.lists(inner, min_size=2, max_size=2)


WITH_OR = st.recursive(
    st.dictionaries(NAMES, SIMPLE, min_size=1, max_size=2),
    lambda inner: st.one_of(
        st.dictionaries(NAMES, SIMPLE | inner, min_size=1, max_size=2),
        st.lists(inner, min_size=2, max_size=3).map(lambda choices: {"$or": choices}),
        st.tuples(OPTIONAL, _pairs(inner)).map(lambda it: it[0] | {"$or": it[1]}),
    ),
    max_leaves=6,
)
EVENTS = st.dictionaries(
    NAMES,
    st.recursive(
        PLAIN,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=10,
    ),
    max_size=3,
)


def aimed(pattern: Any, chance: Random) -> Any:
    """An event of the pattern's shape, whole or with something missing, in arrays or not."""
    if isinstance(pattern, list):
        return _aimed_leaf(pattern, chance)
    if not isinstance(pattern, dict):
        return pattern
    made = {
        name: aimed(rules, chance)
        for name, rules in pattern.items()
        if name != "$or" and chance.random() < 0.85
    }
    choices = pattern.get("$or")
    chosen = aimed(chance.choice(choices), chance) if isinstance(choices, list) and choices else {}
    return made | chosen if isinstance(chosen, dict) else made


def _aimed_leaf(rules: list[Any], chance: Random) -> Any:
    values = [one for one in inside(rules) if one not in (">", True, False)]
    values += ["x", "y", 1, 2]
    if chance.random() < 0.7:
        return chance.choice(values)
    return [chance.choice(values) for _ in range(chance.randrange(3))]


def in_arrays(value: Any, chance: Random) -> Any:
    """Some of its objects become arrays of objects, with others beside them."""
    if not isinstance(value, dict):
        return value
    made = {name: in_arrays(member, chance) for name, member in value.items()}
    return {
        name: _among(member, chance) if isinstance(member, dict) else member
        for name, member in made.items()
    }


def _among(one: dict[str, Any], chance: Random) -> Any:
    halves: list[dict[str, Any]] = [{}, {}]
    for name, member in one.items():
        chance.choice(halves)[name] = member
    return chance.choice([one, one, [one], halves, [halves[0], one], [[one], 1], [halves]])


# -- what may be no pattern --------------------------------------------------------------------

OPERANDS = st.recursive(
    SCALARS
    | st.sampled_from([[], {}, ">", [">", 1], ["<", 1, ">", 0], "10.0.0.0/33", "**", "a\\"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "x"]),
            inner,
            max_size=2,
        ),
    ),
    max_leaves=3,
)
MATCHER_NAMES = ["anything-but", "cidr", "equals-ignore-case", "exactly", "exists", "numeric"]
MATCHER_NAMES += ["prefix", "suffix", "wildcard", "prefx", "$or"]
DOUBTFUL = st.one_of(
    st.tuples(st.sampled_from(MATCHER_NAMES), OPERANDS).map(lambda it: {"a": [{it[0]: it[1]}]}),
    OPERANDS.map(lambda value: {"a": value}),
    OPERANDS.map(lambda value: {"$or": value}),
    OPERANDS.map(lambda value: {"$or": [{"a": ["x"]}, {"b": value}]}),
    st.sampled_from(MATCHER_NAMES).map(lambda name: {"$or": [{name: ["x"]}, {"a": ["x"]}]}),
)

# -- all of them -------------------------------------------------------------------------------


class Case(NamedTuple):
    kind: str
    pattern: str
    events: list[str]


SEEDS = st.integers(0, 2**32)


def _leaf_cases(kind: str, rules: Drawn) -> Drawn:
    def case(drawn: tuple[Any, ...]) -> Case:
        leaf, others, chance = drawn[0], drawn[1], Random(drawn[2])
        return _case(kind, {"a": leaf}, [leaf_event(leaf, others, chance) for _ in range(7)])

    return st.tuples(rules, VALUES, SEEDS).map(case)


def _case(kind: str, pattern: Any, events: list[Any]) -> Case:
    texts = dict.fromkeys(map(write, events))
    return Case(kind, write(pattern), list(texts))


def _shape_cases(kind: str, patterns: Drawn) -> Drawn:
    def case(drawn: tuple[Any, ...]) -> Case:
        pattern, event, chance = drawn[0], drawn[1], Random(drawn[2])
        aims = [in_arrays(aimed(pattern, chance), chance) for _ in range(7)]
        return _case(kind, pattern, [event, *aims] if isinstance(pattern, dict) else [event])

    return st.tuples(patterns, EVENTS, SEEDS).map(case)


KINDS: dict[str, Drawn] = {
    name: _leaf_cases(name, rule.map(lambda one: [one])) for name, rule in MATCHERS.items()
} | {
    "lists": _leaf_cases("lists", LISTS),
    "shapes": _shape_cases("shapes", SHAPES),
    "or": _shape_cases("or", WITH_OR),
    "doubtful": _shape_cases("doubtful", DOUBTFUL),
}
