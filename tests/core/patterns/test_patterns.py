"""The pattern language: one line per fact, and a second, slower matcher as judge of arrays."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from ostinato.core.cloudevents import Event
from ostinato.core.patterns import Pattern, shape
from ostinato.errors import PatternError, UsageError

EVENT: dict[str, Any] = {
    "id": "e-1",
    "source": "shop.orders",
    "type": "ORDER_PLACED",
    "subject": "t-1",
    "time": "2026-01-02T03:04:05Z",
    "data": {
        "state": "running",
        "name": "Straße",
        "count": 5,
        "limit": 301.8,
        "big": 2**53 + 1,
        "flag": True,
        "off": False,
        "none": None,
        "empty": "",
        "nothing": [],
        "bare": {},
        "ip": "10.0.0.33",
        "ip6": "2001:db8::7",
        "file": "logs/2026/app.txt",
        "tags": ["red", "green", 7],
        "a.b": "dotted",
        "deep": {"er": {"est": "x"}},
        "items": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 5}],
        "nested": [[{"x": 1, "y": 1}], [{"x": 2, "y": 2}]],
    },
}

MATCHES = [
    # (leaf of data, rules, does it match)
    ("state", ["running"], True),
    ("state", ["stopped", "running"], True),
    ("state", ["run"], False),
    ("state", ["RUNNING"], False),
    ("state", [{"exactly": "running"}], True),
    ("count", [5], True),
    ("count", [5.0], True),
    ("count", ["5"], False),
    ("limit", [3.018e2], True),
    ("big", [2**53 + 1], True),
    ("big", [2**53], False),
    ("big", [float(2**53)], False),
    ("flag", [True], True),
    ("flag", [1], False),
    ("flag", ["true"], False),
    ("off", [0], False),
    ("off", [False], True),
    ("none", [None], True),
    ("none", [""], False),
    ("missing", [None], False),
    ("empty", [""], True),
    ("empty", [None], False),
    ("tags", ["green"], True),
    ("tags", [7], True),
    ("tags", ["blue"], False),
    ("nothing", [None], False),
    ("bare", [{"exists": True}], False),
    ("deep", ["x"], False),
    # prefix, suffix, case
    ("state", [{"prefix": "run"}], True),
    ("state", [{"prefix": ""}], True),
    ("state", [{"prefix": "ing"}], False),
    ("count", [{"prefix": "5"}], False),
    ("state", [{"suffix": "ing"}], True),
    ("state", [{"suffix": "run"}], False),
    ("state", [{"equals-ignore-case": "RunNing"}], True),
    ("name", [{"equals-ignore-case": "STRASSE"}], False),
    ("name", [{"equals-ignore-case": "sTRAßE"}], True),
    ("state", [{"equals-ignore-case": "runnin"}], False),
    ("state", [{"prefix": {"equals-ignore-case": "RUN"}}], True),
    ("state", [{"prefix": {"equals-ignore-case": "ING"}}], False),
    ("state", [{"suffix": {"equals-ignore-case": "ING"}}], True),
    ("state", [{"suffix": {"equals-ignore-case": "RUN"}}], False),
    # wildcard
    ("file", [{"wildcard": "logs/*/*.txt"}], True),
    ("file", [{"wildcard": "*"}], True),
    ("file", [{"wildcard": "*.txt"}], True),
    ("file", [{"wildcard": "logs/*.csv"}], False),
    ("file", [{"wildcard": "logs/2026/app.txt"}], True),
    ("file", [{"wildcard": r"logs/\*"}], False),
    ("empty", [{"wildcard": "*"}], True),
    ("count", [{"wildcard": "*"}], False),
    # addresses
    ("ip", [{"cidr": "10.0.0.0/24"}], True),
    ("ip", [{"cidr": "10.0.1.0/24"}], False),
    ("ip", [{"cidr": "2001:db8::/32"}], False),
    ("ip6", [{"cidr": "2001:db8::/32"}], True),
    ("state", [{"cidr": "10.0.0.0/24"}], False),
    ("count", [{"cidr": "0.0.0.0/0"}], False),
    # numeric
    ("count", [{"numeric": ["=", 5]}], True),
    ("count", [{"numeric": [">", 0, "<=", 5]}], True),
    ("count", [{"numeric": [">=", 5, "<", 6]}], True),
    ("count", [{"numeric": [">", 5]}], False),
    ("count", [{"numeric": ["<", 5]}], False),
    ("limit", [{"numeric": ["<=", 301.8]}], True),
    ("flag", [{"numeric": [">", 0]}], False),
    ("state", [{"numeric": [">", 0]}], False),
    ("tags", [{"numeric": [">", 6]}], True),
    # anything-but: any value that is there and is another
    ("state", [{"anything-but": "stopped"}], True),
    ("state", [{"anything-but": "running"}], False),
    ("state", [{"anything-but": ["stopped", "running"]}], False),
    ("count", [{"anything-but": 5}], False),
    ("count", [{"anything-but": [4, 6]}], True),
    ("count", [{"anything-but": "5"}], True),
    ("flag", [{"anything-but": 1}], True),
    ("none", [{"anything-but": "x"}], True),
    ("missing", [{"anything-but": "x"}], False),
    ("tags", [{"anything-but": "red"}], True),
    ("state", [{"anything-but": {"prefix": "run"}}], False),
    ("state", [{"anything-but": {"prefix": ["stop", "init"]}}], True),
    ("state", [{"anything-but": {"suffix": "ing"}}], False),
    ("state", [{"anything-but": {"wildcard": "r*g"}}], False),
    ("state", [{"anything-but": {"wildcard": ["s*", "i*"]}}], True),
    ("state", [{"anything-but": {"equals-ignore-case": ["RUNNING"]}}], False),
    ("count", [{"anything-but": {"prefix": "5"}}], True),
    # exists asks for leaves
    ("state", [{"exists": True}], True),
    ("none", [{"exists": True}], True),
    ("missing", [{"exists": True}], False),
    ("missing", [{"exists": False}], True),
    ("state", [{"exists": False}], False),
    ("deep", [{"exists": False}], True),
    ("nothing", [{"exists": False}], True),
    ("missing", ["x", {"exists": False}], True),
    ("state", ["running", {"exists": False}], True),
    ("state", ["x", {"exists": False}], False),
    ("a.b", ["dotted"], True),
    ("deep.er.est", ["x"], True),
    ("deep.er.est", [{"exists": False}], False),
    ("deep.er.none", [{"exists": False}], True),
]


@pytest.mark.parametrize(("field", "rules", "expected"), MATCHES)
def test_a_leaf(field: str, rules: list[Any], expected: bool) -> None:
    pattern = Pattern({"data": {field: rules}})
    assert pattern.matches(EVENT) is expected
    assert pattern.explain(EVENT).matched is expected


WHOLE = [
    ({"type": ["ORDER_PLACED"], "source": ["shop.orders"]}, True),
    ({"type": ["ORDER_PLACED"], "source": ["other"]}, False),
    ({"detail-type": ["ORDER_PLACED"], "detail": {"state": ["running"]}}, True),
    ({"detail": {"deep": {"er": {"est": ["x"]}}}}, True),
    ({"data": {"state": {"er": ["x"]}}}, False),
    ({"data": {"state": {"er": [{"exists": False}]}}}, True),
    # arrays of objects: one element has to fit
    ({"data": {"items": {"sku": ["a"]}}}, True),
    ({"data": {"items": {"sku": ["b"], "qty": [5]}}}, True),
    ({"data": {"items": {"sku": ["a"], "qty": [5]}}}, False),
    ({"data": {"nested": {"x": [2], "y": [2]}}}, True),
    ({"data": {"nested": {"x": [1], "y": [2]}}}, False),
    ({"data": {"items": {"sku": ["a"], "zip": [{"exists": False}]}}}, True),
    # $or
    ({"$or": [{"source": ["x"]}, {"type": ["ORDER_PLACED"]}]}, True),
    ({"$or": [{"source": ["x"]}, {"type": ["y"]}]}, False),
    ({"type": ["ORDER_PLACED"], "data": {"$or": [{"count": [1]}, {"state": ["running"]}]}}, True),
    ({"type": ["OTHER"], "data": {"$or": [{"count": [1]}, {"state": ["running"]}]}}, False),
    (
        {
            "$or": [{"source": ["x"]}, {"subject": ["t-1"]}],
            "data": {"$or": [{"count": [5]}, {"$or": [{"flag": [1]}, {"off": [1]}]}]},
        },
        True,
    ),
]


@pytest.mark.parametrize(("pattern", "expected"), WHOLE)
def test_a_whole_pattern(pattern: dict[str, Any], expected: bool) -> None:
    assert Pattern(pattern).matches(EVENT) is expected
    assert Pattern(pattern).explain(EVENT).matched is expected


def test_an_eventbridge_event_is_understood_under_its_own_names() -> None:
    event = {"detail-type": "T", "source": "s", "detail": {"state": "on"}}
    for names in (("detail-type", "detail"), ("type", "data")):
        assert Pattern({names[0]: ["T"], names[1]: {"state": ["on"]}}).matches(event)


def test_an_absence_is_asked_of_the_element_the_leaves_before_it_chose() -> None:
    event = {"a": [{"x": 1, "z": 1}, {"y": 2, "z": 2}]}
    assert Pattern({"a": {"x": [1], "y": [{"exists": False}]}}).matches(event)
    assert not Pattern({"a": {"x": [{"exists": False}], "y": [2]}}).matches(event)


# -- errors ------------------------------------------------------------------------------------


def tier(*rules: Any) -> dict[str, Any]:
    return {"detail": {"tenant": {"tier": list(rules)}}}


INVALID = [
    # (pattern, what the text says)
    ([], "is an object, not an array"),
    (None, "is an object, not null"),
    ({}, "an empty object"),
    ({"data": {}}, "data: an empty object"),
    (tier(), "detail.tenant.tier: an empty array"),
    ({"detail": {"tenant": "x"}}, "detail.tenant: an array of values is needed, not text"),
    ({"detail": {"tenant": "x"}}, 'as ["x"]'),
    ({"data": {"x": 5}}, "data.x"),
    ({1: ["x"]}, "name is text"),
    (tier({"prefx": "a"}), 'detail.tenant.tier[0]: there is no matcher "prefx" (did you mean "pre'),
    (tier("a", {"zzz": 1}), "detail.tenant.tier[1]: there is no matcher"),
    (tier({}), "detail.tenant.tier[0]: a matcher is an object with exactly one member"),
    (tier({"prefix": "a", "suffix": "b"}), "exactly one member, this has 2"),
    (tier(["a"]), "detail.tenant.tier[0]"),
    (tier(float("nan")), "infinity or NaN"),
    (tier({"prefix": 5}), "detail.tenant.tier[0].prefix: a text is needed, not a number"),
    (tier({"prefix": {"suffix": "x"}}), "equals-ignore-case"),
    (tier({"suffix": None}), "a text is needed, not null"),
    (tier({"equals-ignore-case": ["x"]}), "a text is needed, not an array"),
    (tier({"exists": "yes"}), "true or false is needed"),
    (tier({"numeric": 5}), "detail.tenant.tier[0].numeric"),
    (tier({"numeric": [">"]}), "needs an array"),
    (tier({"numeric": ["!=", 5]}), '"!=" is not an operator'),
    (tier({"numeric": [">", "5"]}), "detail.tenant.tier[0].numeric[1]: a number is needed"),
    (tier({"numeric": [">", True]}), "a number is needed, not true"),
    (tier({"numeric": ["<", 5, ">", 1]}), "a lower bound and then an upper one"),
    (tier({"numeric": [">", 5, "<", 1]}), "no number is > 5 and < 1"),
    (tier({"anything-but": [1, "a"]}), "only texts or only numbers"),
    (tier({"anything-but": []}), "an empty array"),
    (tier({"anything-but": True}), "only texts or only numbers"),
    (tier({"anything-but": {"numeric": ["=", 1]}}), "cannot hold"),
    (tier({"anything-but": {"prefix": ""}}), "empty text"),
    (tier({"wildcard": "a**b"}), "two wildcards"),
    (tier({"wildcard": "a\\b"}), "backslash"),
    (tier({"wildcard": "a\\"}), "backslash"),
    (tier({"cidr": "10.0.0.0"}), "mask"),
    (tier({"cidr": "10.0.0.0/99"}), "not a range of addresses"),
    ({"$or": {"a": ["x"]}}, "$or: needs an array of at least two"),
    ({"$or": [{"a": ["x"]}]}, "at least two"),
    ({"$or": [{"a": ["x"]}, 5]}, "$or[1]: an object is needed"),
    ({"$or": [{"prefix": ["x"]}, {"a": ["x"]}]}, "$or[0].prefix"),
    ({"a": [1], "$or": [{"a": [2]}, {"b": [1]}]}, "a is asked for twice"),
    ({"data": {"x": [1]}, "detail": {"x": [1]}}, "asked for twice"),
    ({f"k{i}": {"$or": [{"a": [1]}, {"b": [1]}]} for i in range(11)}, "1000 combinations"),
    ({"k": list(range(10_001))}, "more than 10000 values"),
    (tier({"anything-but": list(range(10_001))}), "more than 10000 values"),
    (tier({"anything-but": {"wildcard": [f"*{n}*" for n in range(10_001)]}}), "more than 10000 v"),
    ({".".join("a" * 2_000): ["x"]}, "deeper than 100"),
]


@pytest.mark.parametrize(("pattern", "said"), INVALID)
def test_an_invalid_pattern_says_where_and_what(pattern: Any, said: str) -> None:
    with pytest.raises(PatternError) as error:
        Pattern(pattern)
    assert said in str(error.value)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize("event", [None, 5, [], [("type", "A")], "{}", b"[]"])
def test_what_is_no_event_is_refused(event: Any) -> None:
    for ask in (Pattern({"type": ["A"]}).matches, Pattern({"type": ["A"]}).explain):
        with pytest.raises(UsageError, match="an event is an object, not"):
            ask(event)


def test_an_event_of_ours_is_asked_as_its_members() -> None:
    event = Event("1", "shop", "PAID", 1_800_000_000_000, None, Raw(b'{"tier": "gold"}'))
    pattern = Pattern({"type": ["PAID"], "time": [{"prefix": "2027-"}], "data": {"tier": ["gold"]}})
    assert pattern.matches(event)
    assert pattern.explain(event).matched
    assert not Pattern({"data": {"tier": ["silver"]}}).matches(event)


def deep(levels: int) -> dict[str, Any]:
    pattern: dict[str, Any] = {"x": [1]}
    for _ in range(levels):
        pattern = {"a": pattern}
    return pattern


def deep_or(levels: int) -> dict[str, Any]:
    pattern: dict[str, Any] = {"x": [1]}
    for _ in range(levels):
        pattern = {"$or": [pattern, {"y": [1]}]}
    return pattern


@pytest.mark.parametrize("pattern", [deep(100), deep(100_000), deep_or(101), deep_or(100_000)])
def test_a_pattern_that_is_too_deep_is_refused(pattern: dict[str, Any]) -> None:
    with pytest.raises(PatternError, match="deeper than 100"):
        Pattern(pattern)
    while pattern:  # taken apart by hand: the interpreter would recurse to free it
        pattern = next(iter(pattern.values())) if "a" in pattern else pattern.get("$or", [{}])[0]


def test_a_pattern_at_the_bound_works() -> None:
    event: Any = {"x": 1}
    for _ in range(99):
        event = {"a": [event]}
    assert Pattern(deep(99)).matches(event)


def test_an_event_nested_a_hundred_thousand_deep_is_asked_without_recursion() -> None:
    value: Any = [{"x": 1}]
    for _ in range(100_000):
        value = [value]
    assert Pattern({"data": {"x": [1]}}).matches({"data": value})
    assert not Pattern({"data": [1]}).matches({"data": value})
    assert Pattern({"data": {"y": [{"exists": False}]}}).matches({"data": value})
    while isinstance(value, list):
        value = value[0]


def test_a_wildcard_takes_linear_time() -> None:
    pattern = Pattern({"x": [{"wildcard": "*".join(["", *["a" * 20 + "b"] * 40, ""])}]})
    assert not pattern.matches({"x": "a" * 200_000})


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_wildcard_means_what_its_regular_expression_means(wanted: str, text: str) -> None:
    if "**" in wanted:
        return
    expected = re.fullmatch(wanted.replace("*", ".*"), text) is not None
    assert Pattern({"x": [{"wildcard": wanted}]}).matches({"x": text}) is expected


def test_a_suffix_in_any_case_takes_linear_time() -> None:
    pattern = Pattern({"x": [{"suffix": {"equals-ignore-case": "ß" * 20_000 + "b"}}]})
    assert not pattern.matches({"x": "ß" * 200_000})
    assert pattern.matches({"x": "x" + "SS" * 20_000 + "B"})


def test_dotted_names_below_dotted_names_do_not_multiply() -> None:
    pattern: dict[str, Any] = {"z": [1]}
    event: dict[str, Any] = {"z": 1}
    for level in range(49):
        pattern = {"a.b": pattern}
        event = {"a.b": event} if level % 2 else {"a": [{"b": event}]}
    assert Pattern(pattern).matches(event)
    assert not Pattern(pattern).explain({"a": {"b": {}}}).matched


def test_alternating_absences_do_not_multiply() -> None:
    pattern: dict[str, Any] = {"b": [1]}
    for _ in range(90):
        pattern = {"a": [{"exists": False}], "b": [1], "z": pattern}
    assert not Pattern(pattern).matches({"b": 1})


# -- explain -----------------------------------------------------------------------------------

EXPLAINED = [
    (
        {"data": {"state": ["stopped", {"prefix": "x"}], "missing": [1], "flag": [True]}},
        [
            'data.state: found "running", wanted "stopped" or a text that begins with "x"',
            "data.missing: found nothing, wanted 1",
        ],
    ),
    ({"detail": {"deep": ["x"]}}, ['detail.deep: found an object, wanted "x"']),
    ({"data": {"nothing": ["x"]}}, ["found an empty array"]),
    ({"data": {"items": {"qty": [{"numeric": [">", 9]}]}}}, ["found 1, 5, wanted a number > 9"]),
    (
        {"data": {"items": {"sku": ["a"], "qty": [5]}}},
        ['data.items: found no element that fits all, wanted qty 5 and sku "a"'],
    ),
    ({"data": {"state": [{"exists": False}]}}, ['found "running", wanted no value']),
    (
        {"$or": [{"type": ["X"], "source": ["Y"]}, {"subject": ["Z"]}]},
        ['subject: found "t-1", wanted "Z"', "the closest of 2 alternatives"],
    ),
]


@pytest.mark.parametrize(("pattern", "said"), EXPLAINED)
def test_an_explanation_names_path_found_and_wanted(
    pattern: dict[str, Any], said: list[str]
) -> None:
    explanation = Pattern(pattern).explain(EVENT)
    assert not explanation.matched
    assert all(one in str(explanation) for one in said), str(explanation)


# -- shape -------------------------------------------------------------------------------------


def test_a_shape_is_the_single_values_and_the_rest() -> None:
    pattern = {
        "detail-type": ["T"],
        "detail": {"a": {"id": [5]}, "b": ["x", "y"], "c": [{"prefix": "p"}], "d.e": [1]},
        "$or": [{"source": ["s"]}, {"subject": ["t"]}],
    }
    equalities, rest = shape(pattern)
    assert equalities == ((("data", "a", "id"), 5), (("type",), "T"))
    assert rest == {
        "detail": {"b": ["x", "y"], "c": [{"prefix": "p"}], "d.e": [1]},
        "$or": pattern["$or"],
    }
    assert shape({"type": ["T"]}) == (((("type",), "T"),), None)


# -- a second opinion --------------------------------------------------------------------------
# Event-ruler's own way: the event flattened to (name, value, which element of which array), then a
# search over all consistent choices, in the order of names.


def flat(value: Any, path: tuple[str, ...], at: tuple[Any, ...], seen: dict[Any, int]) -> Any:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from flat(member, (*path, name), (*at, name), seen)
    elif isinstance(value, list):
        for i, one in enumerate(value):
            inside = {**seen, at: i} if isinstance(one, (dict, list)) else seen
            yield from flat(one, path, (*at, i), inside)
    else:
        yield path, value, seen


def agree(left: dict[Any, int], right: dict[Any, int]) -> bool:
    return all(left.get(array, i) == i for array, i in right.items())


def search(leaves: list[Any], fields: list[Any], seen: dict[Any, int]) -> bool:
    if not leaves:
        return True
    leaf, *rest = leaves
    here = [f for f in fields if f[0] == leaf.path and agree(seen, f[2])]
    if leaf.test is None:
        return not here and search(rest, fields, seen)
    return any(leaf.test(value) and search(rest, fields, {**seen, **m}) for _, value, m in here)


SCALARS = st.sampled_from([1, 2, "x", None, True])
NAMES = st.sampled_from(["a", "b", "c"])
RULES = st.lists(
    st.one_of(
        SCALARS,
        st.sampled_from(
            [{"exists": False}, {"exists": True}, {"anything-but": 1}, {"numeric": [">", 1]}]
        ),
    ),
    min_size=1,
    max_size=2,
)
PATTERNS = st.recursive(
    st.dictionaries(NAMES, RULES, min_size=1, max_size=3),
    lambda inner: st.dictionaries(NAMES, st.one_of(RULES, inner), min_size=1, max_size=3),
    max_leaves=6,
)
EVENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)
        ),
        max_leaves=12,
    ),
    max_size=3,
)


@given(PATTERNS, EVENTS)
def test_closures_and_search_agree(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    compiled = Pattern(pattern)
    fields = list(flat(event, (), (), {}))
    judged = any(search(leaves, fields, {}) for leaves in compiled._alternatives)
    assert compiled.matches(event) is judged
    assert compiled.explain(event).matched is judged
    assert str(compiled.explain(event))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=3), st.sampled_from(["$or", "prefix", "numeric", "cidr"])),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=10,
)


@given(JSON, st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_anything_is_a_pattern_or_a_pattern_error(pattern: Any, event: dict[str, Any]) -> None:
    try:
        compiled = Pattern(pattern)
    except PatternError:
        return
    assert compiled.explain(event).matched is compiled.matches(event)
    equalities, rest = shape(compiled)
    assert json.dumps(rest) and len(equalities) >= 0
