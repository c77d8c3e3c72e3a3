"""Filter policies of Amazon SNS: one line per fact, and what they share with event patterns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.core.patterns import Pattern, PatternIndex, shape
from ostinato.errors import PatternError, UsageError
from tests.core.patterns.cases import KINDS, Case

ATTRIBUTES: dict[str, Any] = {
    "store": {"Type": "String", "Value": "example_corp"},
    "number": {"Type": "String", "Value": "5"},
    "listed": {"Type": "String", "Value": '["rugby"]'},
    "price": {"Type": "Number", "Value": "301.5"},
    "power": {"Type": "Number", "Value": "3.015e2"},
    "bare": {"Type": "Number", "Value": 301.5},
    "fine": {"Type": "Number", "Value": "0.123456"},
    "huge": {"Type": "Number", "Value": "2000000000"},
    "broken": {"Type": "Number", "Value": "5 apples"},
    "likes": {"Type": "String.Array", "Value": '["rugby","baseball"]'},
    "mixed": {"Type": "String.Array", "Value": '["a",5,true,null]'},
    "none": {"Type": "String.Array", "Value": "[]"},
    "torn": {"Type": "String.Array", "Value": '["rugby"'},
    "single": {"Type": "String.Array", "Value": '"rugby"'},
    "yes": {"Type": "Number", "Value": True},
    "prices": {"Type": "Number.Array", "Value": "[100,50]"},
    "bytes": {"Type": "Binary", "Value": "cnVnYnk="},
    "own": {"Type": "String.mine", "Value": "rugby"},
    "ip": {"Type": "String", "Value": "10.0.0.33"},
}

ATTRIBUTE_FACTS = [
    # (attribute, rules, does it fit)
    ("store", ["example_corp"], True),
    ("store", ["other", "example_corp"], True),
    ("store", ["Example_corp"], False),
    ("absent", ["example_corp"], False),
    ("store", [{"anything-but": ["rugby", "tennis"]}], True),
    ("store", [{"anything-but": "example_corp"}], False),
    ("store", [{"anything-but": {"prefix": "order-"}}], True),
    ("store", [{"anything-but": {"prefix": "example"}}], False),
    ("absent", [{"anything-but": "x"}], False),
    ("absent", [{"anything-but": "x"}, {"exists": False}], True),
    ("store", [{"prefix": "exam"}], True),
    ("store", [{"suffix": "corp"}], True),
    ("store", [{"suffix": "exam"}], False),
    ("store", [{"equals-ignore-case": "EXAMPLE_Corp"}], True),
    ("ip", [{"cidr": "10.0.0.0/24"}], True),
    ("ip", [{"cidr": "10.0.1.0/24"}], False),
    # a type is what it says: the text "5" is no number, and 301.5 no text
    ("number", [5], False),
    ("number", ["5"], True),
    ("number", [{"numeric": ["=", 5]}], False),
    ("price", ["301.5"], False),
    ("price", [{"prefix": "301"}], False),
    ("price", [301.5], True),
    ("price", [{"numeric": ["=", 301.5]}], True),
    ("power", [{"numeric": ["=", 301.5]}], True),
    ("bare", [{"numeric": ["=", 301.5]}], True),
    ("price", [{"numeric": [">", 300, "<=", 301.5]}], True),
    ("price", [{"numeric": ["<", 0]}], False),
    ("price", [{"anything-but": [100, 500]}], True),
    ("price", [{"anything-but": 301.5}], False),
    # five digits after the point, and a thousand million at most
    ("fine", [0.12346], True),
    ("fine", [0.123458], True),
    ("fine", [0.12345], False),
    ("fine", [{"numeric": [">", 0.12345]}], True),
    ("fine", [{"numeric": [">", 0.123457]}], False),
    ("fine", [{"anything-but": 0.123458}], False),
    ("huge", [{"numeric": [">", 0]}], False),
    ("huge", [{"anything-but": 5}], True),
    ("huge", [{"exists": True}], True),
    # an array fits where one of its elements does; a text that looks like one is a text
    ("likes", ["rugby", "tennis"], True),
    ("likes", ["tennis"], False),
    ("likes", [{"anything-but": ["rugby"]}], True),
    ("likes", [{"anything-but": ["rugby", "baseball"]}], False),
    ("likes", [{"prefix": "base"}], True),
    ("listed", ["rugby"], False),
    ("listed", ['["rugby"]'], True),
    ("mixed", [5], True),
    ("mixed", [True], True),
    ("mixed", [1], False),
    ("mixed", [None], True),
    ("store", [None], False),
    ("prices", [{"anything-but": [100, 500]}], True),
    ("prices", [50], True),
    # what SNS does not compare is not there
    ("bytes", [{"exists": True}], False),
    ("bytes", [{"exists": False}], True),
    ("bytes", [{"anything-but": "x"}], False),
    ("own", ["rugby"], False),
    ("torn", [{"exists": True}], False),
    ("single", ["rugby"], False),
    ("single", [{"exists": True}], False),
    ("yes", [{"exists": True}], False),
    ("broken", [{"exists": True}], False),
    ("none", [{"exists": True}], False),
    ("price", [{"exists": True}], True),
    ("price", [{"exists": False}], False),
    ("absent", [{"exists": True}], False),
    ("absent", [{"exists": False}], True),
]


@pytest.mark.parametrize(("name", "rules", "fits"), ATTRIBUTE_FACTS)
def test_an_attribute(name: str, rules: list[Any], fits: bool) -> None:
    policy = Pattern.sns({name: rules})
    assert policy.matches(ATTRIBUTES) is fits
    assert policy.explain(ATTRIBUTES).matched is fits


RECORDS = {
    "Records": {"s3": {"object": {"key": [{"prefix": "auto-"}]}}, "eventName": [{"prefix": "Obj"}]}
}
OR = {
    "source": ["cloudwatch"],
    "$or": [{"metric": ["CPU", "Reads"]}, {"kind": ["alarm"], "$or": [{"n": [1]}, {"n": [2]}]}],
}

BODY_FACTS = [
    # (policy, body, does it fit)
    ({"store": ["a"]}, {"store": "a", "more": 1}, True),
    ({"store": ["a"]}, {"store": ["b", "a"]}, True),
    ({"store": ["a"]}, {"store": {"a": "a"}}, False),
    ({"user": {"roles": ["admin"]}}, {"user": {"roles": ["user", "admin"]}}, True),
    ({"a.b": [1]}, {"a": {"b": 1}}, True),
    ({"a.b": [1]}, {"a.b": 1}, True),
    (RECORDS, {"Records": [{"eventName": "Obj", "s3": {"object": [[{"key": "auto-1"}]]}}]}, True),
    (RECORDS, {"Records": [{"eventName": "Obj"}, {"s3": {"object": {"key": "auto-1"}}}]}, False),
    (OR, {"source": "cloudwatch", "metric": "CPU"}, True),
    (OR, {"source": "cloudwatch", "kind": "alarm", "n": 2}, True),
    (OR, {"source": "cloudwatch", "kind": "alarm", "n": 3}, False),
    (OR, {"source": "events", "metric": "CPU"}, False),
    ({"flag": [True]}, {"flag": True}, True),
    ({"flag": [True]}, {"flag": 1}, False),
    ({"gone": [None]}, {"gone": None}, True),
    ({"gone": [None]}, {}, False),
    ({"price": [0.5]}, {"price": 0.500001}, True),
    ({"price": [0.5]}, {"price": 0.50001}, False),
    ({"price": [{"numeric": [">", 5]}]}, {"price": 1_000_000_000}, True),
    ({"price": [{"numeric": [">", 5]}]}, {"price": 1_000_000_001}, False),
    # presence: neither null nor empty
    ({"x": [{"exists": True}]}, {"x": 0}, True),
    ({"x": [{"exists": True}]}, {"x": None}, False),
    ({"x": [{"exists": True}]}, {"x": ""}, False),
    ({"x": [{"exists": True}]}, {"x": []}, False),
    ({"x": [{"exists": True}]}, {"x": {"y": 1}}, False),
    ({"x": [{"exists": False}]}, {"x": None}, False),
    ({"x": [{"exists": False}]}, {}, True),
    # a name of an event's member is a name like any other
    ({"detail": [1]}, {"data": 1}, False),
    ({"type": [1]}, {"detail-type": 1}, False),
    ({"type": [1], "detail-type": [2]}, {"type": 1, "detail-type": 2}, True),
    # what is no JSON object fits nothing but the empty policy
    ({"x": [{"exists": False}]}, "no JSON", False),
    ({"x": [{"exists": False}]}, b"\xff", False),
    ({"x": [{"exists": False}]}, "[]", False),
    ({"x": [{"exists": False}]}, "[" * 100_000, False),
    ({}, "no JSON", True),
    ({}, {}, True),
]


@pytest.mark.parametrize(("policy", "body", "fits"), BODY_FACTS)
def test_a_body(policy: dict[str, Any], body: Any, fits: bool) -> None:
    forms = [body] if isinstance(body, (str, bytes)) else [body, json.dumps(body)]
    forms += [json.dumps(body).encode()] if isinstance(body, dict) else []
    for form in forms:
        assert Pattern.sns(policy, scope="body").matches(form) is fits
        assert Pattern.sns(policy, scope="body").explain(form).matched is fits


def test_the_empty_policy_takes_every_message_and_an_absence_needs_some_attribute() -> None:
    assert Pattern.sns({}).matches({})
    assert not Pattern.sns({"a": [{"exists": False}]}).matches({})
    only_binary = {"a": {"Type": "Binary", "Value": "aGk="}}
    assert not Pattern.sns({"b": [{"exists": False}]}).matches(only_binary)


def test_a_policy_may_be_json_text() -> None:
    for text in ('{"a": ["x"]}', b'{"a": ["x"]}'):
        assert Pattern.sns(text).matches({"a": {"Type": "String", "Value": "x"}})


# -- what is refused ---------------------------------------------------------------------------

REFUSED: list[tuple[Any, str, str]] = [
    ('{"a": ["\ud800"]}', "attributes", "the policy is no JSON"),
    ({"tier": [{"prefx": "a"}]}, "body", 'tier[0]: there is no matcher "prefx" (did you mean'),
    ({"tier": [{"wildcard": "a*"}]}, "body", "tier[0].wildcard: this is a matcher of event"),
    ({"tier": [{"exactly": "a"}]}, "body", "tier[0].exactly: this is a matcher of event"),
    ({"a": [{"anything-but": {"suffix": "x"}}]}, "body", 'SNS takes no "suffix" here'),
    ({"a": [{"anything-but": {"prefix": ["x"]}}]}, "body", "a text is needed, not an array"),
    ({"a": [{"prefix": {"equals-ignore-case": "x"}}]}, "body", "a text is needed, not an object"),
    ({"a": [{"anything-but": [1, "x"]}]}, "body", "only texts or only numbers"),
    ({"a": {"b": {"c": ["x", {"numeric": ["<", "5"]}]}}}, "body", "a.b.c[1].numeric[1]: a number"),
    ({"a": [1, 1_000_000_001]}, "body", "a[1]: SNS compares numbers from -1000000000"),
    ({"a": [{"numeric": [">", -2e9]}]}, "body", "a[0].numeric[1]: SNS compares numbers"),
    ({"a": [{"anything-but": 2e9}]}, "body", "a[0].anything-but: SNS compares numbers"),
    ({"a": [{"anything-but": [0, 2e9]}]}, "body", "a[0].anything-but[1]: SNS compares numbers"),
    ({"a": []}, "attributes", "a: an empty array matches nothing"),
    ({"a": {}}, "body", "a: an empty object"),
    ({"a": "x"}, "body", 'a: an array of values is needed, not text (as ["x"])'),
    ({"a": [["x"]]}, "body", "a[0]: a value is text, a number, true, false or null"),
    ({"a": {"b": ["x"]}}, "attributes", "a: an array of values is needed, not an object (attr"),
    ({"a": {"b": ["x"]}, "$or": [{"a": {"b": [1]}}, {"c": [1]}]}, "body", "$or: a.b is asked for"),
    ({"$or": [{"a": ["x"]}]}, "attributes", "$or: needs an array of at least two objects"),
    (["x"], "body", "a pattern is an object, not an array"),
    ("{", "body", "the policy is no JSON"),
    ("[" * 100_000, "body", "the policy is no JSON"),
    ({name: ["x"] for name in "abcdef"}, "attributes", "at most 5 keys, this has 6"),
    ({"a": ["x" * 256 * 1024]}, "attributes", "at most 262144 bytes of JSON, this has 262154"),
]


@pytest.mark.parametrize(("policy", "scope", "said"), REFUSED)
def test_what_sns_refuses_is_refused_with_its_place(policy: Any, scope: Any, said: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern.sns(policy, scope)
    assert said in str(caught.value)


def of(size: int) -> list[Any]:
    return list(range(size))


COMBINATIONS = [
    # (policy, combinations)
    ({"a": of(150)}, 150),
    ({"a": of(151)}, 151),
    ({"a": of(3), "b": of(1), "c": of(2)}, 6),
    ({"a": {"b": {"c": of(4)}}, "d": {"e": of(3)}}, 72),
    ({"a": {"b": of(75)}}, 150),
    ({"a": {"b": of(76)}}, 152),
    ({"a": of(3), "$or": [{"b": of(6)}, {"c": of(4), "$or": [{"d": of(4)}, {"e": of(7)}]}]}, 150),
    ({"a": of(4), "$or": [{"b": of(6)}, {"c": of(4), "$or": [{"d": of(4)}, {"e": of(4)}]}]}, 152),
    (
        {
            "$or": [{"a": of(3)}, {"b": of(2)}],
            "c": {"d": of(2), "$or": [{"e": of(1)}, {"f": of(3)}]},
        },
        160,
    ),
]


@pytest.mark.parametrize(("policy", "number"), COMBINATIONS)
def test_values_multiply_with_their_depth_and_branches_add_up(
    policy: dict[str, Any], number: int
) -> None:
    if number <= 150:
        Pattern.sns(policy, scope="body")
        return
    with pytest.raises(
        PatternError, match=f"at most 150 combinations of values, this has {number}"
    ):
        Pattern.sns(policy, scope="body")


def test_a_key_below_another_does_not_count_among_the_five() -> None:
    Pattern.sns({"a": {name: ["x"] for name in "abcdef"}}, scope="body")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"a": {"DataType": "String", "StringValue": "x"}}, "a: an attribute is an object of Type"),
        ({"a": "x"}, "a: an attribute is an object of Type and Value"),
        ({"a": {"Type": "Text", "Value": "x"}}, "a.Type: there is no such type (one of String,"),
        ("a=x", "attributes are an object of names"),
    ],
)
def test_attributes_that_are_none_are_refused_with_their_place(message: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Pattern.sns({"a": ["x"]}).matches(message)
    assert said in str(caught.value)


def test_half_a_character_in_a_policy_is_a_text_like_any_other() -> None:
    assert Pattern.sns({"\ud800": ["\udc00"]}, "body").matches({"\ud800": "\udc00"})


def test_whether_a_text_is_a_number_takes_linear_time_to_tell() -> None:
    policy = Pattern.sns({"n": [{"exists": True}]})
    assert not policy.matches({"n": {"Type": "Number", "Value": "1" * 200_000 + "x"}})
    assert policy.matches({"n": {"Type": "Number", "Value": " +1.e-2 "}})


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(UsageError, match="'MessageBody' is none; one of 'attributes', 'body'"):
        Pattern.sns({"a": ["x"]}, scope="MessageBody")


# -- why ---------------------------------------------------------------------------------------


def test_why_not_is_said_in_the_words_of_attributes() -> None:
    policy = Pattern.sns({"bytes": ["x"], "gone": ["x"], "number": [5], "store": ["x"]})
    assert str(policy.explain(ATTRIBUTES)) == (
        'bytes: found a Binary that is not compared, wanted "x"\n'
        'gone: found no such attribute, wanted "x"\n'
        'number: found the String "5", wanted 5\n'
        'store: found the String "example_corp", wanted "x"'
    )
    assert str(policy.explain({})) == "message: found no attribute to compare, wanted some"


def test_why_not_of_a_body_names_the_path_in_the_body() -> None:
    policy = Pattern.sns({"a": {"b": [1], "c": [2]}}, scope="body")
    assert str(policy.explain('{"a": {"b": 3, "c": 2}}')) == "a.b: found 3, wanted 1"
    assert str(policy.explain({"a": [{"b": 1}, {"c": 2}]})) == (
        "a: found no element that fits all, wanted b 1 and c 2"
    )
    assert str(policy.explain("x")) == "message: found no JSON object, wanted some"


# -- beside event patterns ---------------------------------------------------------------------


def test_a_policy_shows_itself_and_has_no_shape() -> None:
    policy = Pattern.sns({"a": ["x"]}, scope="body")
    assert repr(policy) == "Pattern.sns({'a': ['x']}, 'body')"
    with pytest.raises(UsageError, match="only an event pattern has a shape"):
        shape(policy)


def test_an_index_holds_policies_of_one_scope() -> None:
    index: PatternIndex[str] = PatternIndex()
    index.add("fan", Pattern.sns({"likes": ["rugby"]}))
    index.add("rich", Pattern.sns({"price": [{"numeric": [">", 300]}]}))
    index.add("poor", Pattern.sns({"price": [{"numeric": ["<", 300]}]}))
    index.add("all", Pattern.sns({}))
    assert index.match(ATTRIBUTES) == ["fan", "rich", "all"]
    assert index.match({}) == ["all"]
    for other in ({"type": ["x"]}, Pattern.sns({"a": [1]}, scope="body")):
        with pytest.raises(UsageError, match="it needs an index of its own"):
            index.add("other", other)
    for key in ("fan", "rich", "poor", "all"):
        index.remove(key)
    index.add("event", {"type": ["x"]})
    assert index.match({"type": "x"}) == ["event"]


def test_an_index_compares_numbers_as_a_policy_does() -> None:
    rules = {
        "is": [0.1],
        "above": [{"numeric": [">=", 0.1]}],
        "below": [{"numeric": ["<", 0.1]}],
        "other": [{"anything-but": 0.1}],
    }
    for body in ({"a": 0.100004}, {"a": 0.099996}, {"a": 0.10001}, {"a": 0.09999}, {"a": 2e9}):
        index: PatternIndex[str] = PatternIndex()
        policies = {name: Pattern.sns({"a": rule}, scope="body") for name, rule in rules.items()}
        for name, policy in policies.items():
            index.add(name, policy)
        assert index.match(body) == [name for name, one in policies.items() if one.matches(body)]
    assert policies["is"].matches({"a": 0.100004})


ANY = st.one_of(*KINDS.values())


def policy_of(pattern: Any) -> Pattern | None:
    try:
        return Pattern.sns(pattern, scope="body")
    except PatternError:
        return None


def holds(value: Any, wanted: Any) -> bool:
    if isinstance(value, dict):
        return any(holds(one, wanted) for one in value.values())
    if isinstance(value, list):
        return any(holds(one, wanted) for one in value)
    return wanted(value)


def coarse(value: Any) -> bool:
    """A number that SNS compares otherwise than an event pattern does."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and (abs(value) > 1e9 or round(value, 5) != value)


def languages_agree(pattern: dict[str, Any], body: Any) -> bool:
    """But for coarse numbers, and for the presence of what is null or empty."""
    if holds(pattern, coarse) or holds(body, coarse):
        return False
    return '"exists":true' not in json.dumps(pattern, separators=(",", ":")) or not holds(
        body, lambda value: value is None or value == ""
    )


@given(ANY)
def test_a_body_fits_a_policy_as_an_event_fits_the_pattern(case: Case) -> None:
    pattern = json.loads(case.pattern)
    policy = policy_of(pattern)
    if policy is None or pattern == {}:
        return
    for text in case.events:
        body = json.loads(text)
        if isinstance(body, dict) and languages_agree(pattern, body):
            assert policy.matches(text) is Pattern(pattern).matches(body)


@given(st.lists(ANY, min_size=1, max_size=30))
def test_an_index_finds_the_policies_that_asking_one_by_one_finds(cases: list[Case]) -> None:
    index: PatternIndex[int] = PatternIndex()
    policies = dict(enumerate(filter(None, (policy_of(json.loads(c.pattern)) for c in cases))))
    for key, policy in policies.items():
        index.add(key, policy)
    for text in (event for case in cases for event in case.events):
        assert index.match(text) == [key for key, one in policies.items() if one.matches(text)]
