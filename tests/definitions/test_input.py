"""The input against its schema: defaults first, then every problem."""

import copy

import pytest

from ostinato.definitions.input import input_check
from ostinato.errors import InvalidInput

PLAN = {"type": "object", "properties": {"tier": {"default": "basic"}, "size": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "given", "filled"),
    [
        (None, {"a": 1}, {"a": 1}),
        ({}, [1], [1]),
        ({"properties": {"a": {"default": 1}}}, {}, {"a": 1}),
        ({"properties": {"a": {"default": None}}}, {}, {"a": None}),
        ({"properties": {"a": {"default": 1}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"default": 1}}, "required": ["a"]}, {}, {"a": 1}),
        ({"properties": {"p": PLAN}}, {"p": {}}, {"p": {"tier": "basic"}}),
        ({"properties": {"p": PLAN}}, {}, {}),
        ({"properties": {"p": PLAN | {"default": {}}}}, {}, {"p": {"tier": "basic"}}),
        ({"items": PLAN}, [{}, {"tier": "x"}], [{"tier": "basic"}, {"tier": "x"}]),
        ({"prefixItems": [{}, PLAN], "items": False}, [{}, {}], [{}, {"tier": "basic"}]),
        ({"$ref": "#/$defs/p", "$defs": {"p": PLAN}}, {}, {"tier": "basic"}),
        ({"allOf": [PLAN, {"properties": {"b": {"default": 2}}}]}, {}, {"tier": "basic", "b": 2}),
        (
            {"properties": {"p": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"default": 3}}},
            {},
            {"p": 3},
        ),
        ({"anyOf": [PLAN, {"type": "null"}]}, {}, {}),
        ({"properties": {"a": {"default": 1}}}, "text", "text"),
    ],
)
def test_defaults(schema, given, filled):
    before = copy.deepcopy(given)
    assert input_check(schema)(given) == filled
    assert given == before


def test_a_default_is_never_shared():
    check = input_check({"properties": {"a": {"default": []}}})
    check({})["a"].append(1)
    assert check({}) == {"a": []}


@pytest.mark.parametrize(
    ("schema", "given", "problems"),
    [
        (
            {"type": "object", "required": ["a", "b"], "properties": {"c": {"type": "integer"}}},
            {"c": "x"},
            {("", '"a" is a required property'), ("", '"b" is a required property'),
             ("/c", '"x" is not of type "integer"')},
        ),
        (
            {"properties": {"a/b": {"items": {"type": "string"}}}},
            {"a/b": ["x", 1]},
            {("/a~1b/1", '1 is not of type "string"')},
        ),
        ({"properties": {"a": {"type": "string", "default": 1}}}, {},
         {("/a", '1 is not of type "string"')}),
    ],
)  # fmt: skip
def test_every_problem_is_told(schema, given, problems):
    with pytest.raises(InvalidInput) as caught:
        input_check(schema)(given)
    assert {(one.path, one.message) for one in caught.value.problems} == problems


@pytest.mark.parametrize("value", [{1, 2}, object()])
def test_what_is_not_json(value):
    with pytest.raises(InvalidInput, match="not JSON"):
        input_check({"properties": {"a": {"type": "string"}}})({"a": value})


def test_a_schema_that_leads_back_to_itself_ends():
    tree = {"properties": {"a": {"$ref": "#", "default": {}}, "b": {"$ref": "#", "default": {}}}}
    with pytest.raises(InvalidInput, match=r"adds more than|too deeply"):
        input_check(tree)({})
    circle = {"allOf": [{"$ref": "#"}, {"$ref": "#"}], "properties": {"a": {"default": 1}}}
    assert input_check(circle)({}) == {"a": 1}


def test_patterns_are_matched_in_linear_time():
    check = input_check({"pattern": "^(a+)+$"})
    with pytest.raises(InvalidInput):
        check("a" * 10_000 + "b")


def test_long_values_are_cut():
    with pytest.raises(InvalidInput) as caught:
        input_check({"type": "integer"})("x" * 10_000)
    assert len(caught.value.problems[0].message) < 400
