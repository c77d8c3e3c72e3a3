from __future__ import annotations

from typing import Any

import pytest

from ostinato.core.expressions import Budget, parse_template
from ostinato.errors import ExpressionError, ExpressionTooCostly

CONTEXT: dict[str, Any] = {
    "n": 1,
    "f": 1.0,
    "t": "text",
    "b": True,
    "none": None,
    "l": [1, "é", None],
    "m": {"k": 1.5},
}

RENDERED: list[tuple[Any, Any]] = [
    # alone it keeps its type
    ("${ n }", 1),
    ("${n}", 1),
    ("${ l }", [1, "é", None]),
    ("${ none }", None),
    ("${ {'a': {'b': 1}} }", {"a": {"b": 1}}),
    ("${ '}' }", "}"),
    ('${ "${" }', "${"),
    # in a text it becomes text
    ("a ${ n } b", "a 1 b"),
    ("${ n }${ n }", "11"),
    (" ${ n }", " 1"),
    ("${ f }!", "1!"),
    ("${ 2.5 }!", "2.5!"),
    ("${ b }!", "true!"),
    ("${ none }!", "!"),
    ("${ l }!", '[1,"é",null]!'),
    ("${ m }!", '{"k":1.5}!'),
    ("${ t }-${ t }", "text-text"),
    # what is no expression
    ("plain", "plain"),
    ("$n {n} $ {n} }", "$n {n} $ {n} }"),
    ("$${ n }", "${ n }"),
    ("a $${ n } ${ n }", "a ${ n } 1"),
    ("$$${ n }", "$${ n }"),
    ("$$", "$$"),
    # inside values
    (
        {"a": "${ n }", "b": ["x", "${ t }", {"c": "${ none }"}]},
        {"a": 1, "b": ["x", "text", {"c": None}]},
    ),
    ({"z": "${ n }", "a": 1, "m": "${ n }"}, {"z": 1, "a": 1, "m": 1}),
    ({"${ n }": "x"}, {"${ n }": "x"}),
    ([1, 2.5, None, True, []], [1, 2.5, None, True, []]),
    (5, 5),
]


@pytest.mark.parametrize(("value", "wanted"), RENDERED, ids=str)
def test_what_a_template_gives(value: Any, wanted: Any) -> None:
    assert repr(parse_template(value).render(CONTEXT)) == repr(wanted)


@pytest.mark.parametrize(
    ("value", "constant"),
    [("plain", True), ("$${ n }", True), (7, True), ({"a": ["b"]}, True), ("${ 1 }", False)],
)
def test_a_template_knows_whether_it_is_constant(value: Any, constant: bool) -> None:
    assert parse_template(value).constant is constant


def test_what_is_constant_is_neither_copied_nor_charged() -> None:
    template = parse_template({"a": ["x" * 10]})
    budget = Budget(operations=0, size=0)
    assert template.render({}, budget) is template.render({}, budget)


def test_rendering_twice_shares_nothing_that_changes() -> None:
    template = parse_template({"a": ["${ n }"]})
    first = template.render({"n": 1})
    assert (first, template.render({"n": 2})) == ({"a": [1]}, {"a": [2]})


def test_it_knows_what_it_reads() -> None:
    template = parse_template({"a": "${ input.x.y }", "b": ["${ jobs.j.output } ${ input.z }"]})
    assert template.names == {"input", "jobs"}
    assert template.paths == {("input", "x", "y"), ("jobs", "j", "output"), ("input", "z")}


UNREADABLE: list[tuple[Any, str, str]] = [
    ("${ a", "", "`${` is not closed"),
    ("${ }", "", "`${ }` is empty"),
    ("x ${ a b }", "", "expected an operator or the end, found `b`"),
    ({"tenant": {"name": "${ a and b }"}}, "/tenant/name", "write && for and"),
    ({"l": ["ok", "${ 'a }"]}, "/l/1", "a text is not closed"),
    ({"a/b~c": "${ = }"}, "/a~1b~0c", "to compare write =="),
    ({1: "x"}, "", "the keys of a map are texts, not number"),
]


@pytest.mark.parametrize(("value", "pointer", "message"), UNREADABLE)
def test_an_error_says_where_in_the_value(value: Any, pointer: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template(value)
    (problem,) = caught.value.problems
    assert problem.path == pointer
    assert message in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ExpressionError, match="and 1 more") as caught:
        parse_template({"a": "${ }", "b": "ok", "c": "${ x = 1 }"})
    assert [problem.path for problem in caught.value.problems] == ["/a", "/c"]


def test_a_failure_says_where_in_the_value() -> None:
    template = parse_template({"to": [{"id": "x-${ inptu.id }"}]})
    with pytest.raises(ExpressionError, match="/to/0/id: unknown name 'inptu'") as caught:
        template.render({"input": {}})
    assert caught.value.problems[0].path == "/to/0/id"
    assert caught.value.problems[0].hint == "did you mean 'input'?"


def test_each_expression_has_its_own_operations() -> None:
    template = parse_template(["${ l.map(x, x) }"] * 5)
    context = {"l": list(range(3_000))}
    assert len(template.render(context)) == 5
    with pytest.raises(ExpressionTooCostly, match="/1: takes more than"):
        template.render(context, Budget())


def test_all_expressions_share_the_size() -> None:
    template = parse_template(["${ t } and", "${ t } and more"])
    with pytest.raises(ExpressionTooCostly, match="/1: makes a value larger"):
        template.render({"t": "x" * 600_000})


def test_what_is_only_handed_on_may_be_larger() -> None:
    whole = {"rows": ["x" * 1_000] * 5_000}
    assert parse_template({"a": "${ v.rows }"}).render({"v": whole}) == {"a": whole["rows"]}
    with pytest.raises(ExpressionTooCostly, match="/3: hands on more than 20,000,000 bytes"):
        parse_template(["${ v.rows }"] * 4).render({"v": whole})
    with pytest.raises(ExpressionTooCostly, match="makes a value larger"):
        parse_template("rows: ${ v.rows }").render({"v": whole})


def test_a_value_that_is_too_deep_is_refused() -> None:
    value: Any = "${ n }"
    for _ in range(5_000):
        value = [value]
    with pytest.raises(ExpressionError, match="nested deeper than 100 levels"):
        parse_template(value)


@pytest.mark.timeout(10)
def test_many_openings_are_read_in_one_pass() -> None:
    with pytest.raises(ExpressionError):
        parse_template("${ " * 20_000)
    assert parse_template("$${" * 20_000).render({}) == "${" * 20_000
    assert parse_template("${ 1 }" * 5_000).render({}) == "1" * 5_000


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("${input.x}", "${ input.x }"),
        ("${\n input.x  }", "${ input.x }"),
        ("a ${ 'b}' + \"{\" } c", "a ${ 'b}' + \"{\" } c"),
        ("$${ no } ${x}$${", "$${ no } ${ x }$${"),
        ("$$${", "$$${"),
        ({"k": ["${x}", 1, None], "${x}": "t"}, {"k": ["${ x }", 1, None], "${x}": "t"}),
    ],
)
def test_a_template_can_be_written_again(written, source):
    template = parse_template(written)
    assert template.source == source
    assert parse_template(source).source == source
    context = {"x": 1, "input": {"x": 2}}
    assert parse_template(source).render(context) == template.render(context)
