"""What expressions mean: one row per rule. The reference page has the plain cases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostinato.core.expressions import Budget, parse
from ostinato.errors import ExpressionError, ExpressionTooCostly

_numbers = itertools.count(1)


def named(text: str) -> str:
    """Short, and never the same twice."""
    return f"{next(_numbers)} {text[:30]}"


CONTEXT: dict[str, Any] = {
    "input": {
        "a": {"b": {"c": 1}},
        "list": [1, 2, 3],
        "empty": [],
        "none": None,
        "text": "Hello",
        "number": 4,
        "with-dash": {"x-y": 7, "in": 8},
        "yes": True,
        "big": 9007199254740993,
        "items": [{"n": "a", "v": 1}, {"n": "b", "v": None}],
        "größe": 3,
    },
    "jobs": {"build-it": {"output": {"url": "u"}}},
    "x": 99,
    "now": 1_798_761_600_000,
}


def evaluate(text: str) -> Any:
    return parse(text).evaluate(CONTEXT)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types throughout: 1, 1.0 and True are three values."""
    return repr(left) == repr(right)


VALUES: list[tuple[str, Any]] = [
    # members
    ("input.a.b.c", 1),
    ("input.a.x.y.z", None),
    ("input.none.x", None),
    ("input.none[0]", None),
    ("input.none['x']", None),
    ("input['a']['b'].c", 1),
    ("input[lower('A')].b.c", 1),
    ("input.with-dash.x-y", 7),
    ("input.with-dash.in", 8),
    ("jobs.build-it.output.url", "u"),
    ("input.number - x", -95),
    ("x-1", 98),
    ("x -1", 98),
    ("input.größe", 3),
    ("input.list[0] + input.list[2.0]", 4),
    ("[1, 2, 3][1]", 2),
    ("{'a': {'b': 2}}.a.b", 2),
    ("first(input.items).n", "a"),
    ("  x  ", 99),
    ("${ x }", 99),
    ("${x+1}", 100),
    ("x\n  +\n  1", 100),
    # has
    ("has(input.a)", True),
    ("has(input.a.b.c)", True),
    ("has(input.a.b.d)", False),
    ("has(input.none)", True),
    ("has(input.none.x)", False),
    ("has(input.q.r.s)", False),
    ("has(input['a'])", True),
    ("has(input.list[2])", True),
    ("has(input.list[3])", False),
    ("has(input.list[-1])", False),
    ("has(input[lower('A')])", True),
    ("has(first(input.items).n)", True),
    ("input.items.filter(i, has(i.v))", [{"n": "a", "v": 1}, {"n": "b", "v": None}]),
    # literals
    ("null", None),
    ("[]", []),
    ("[1, 'a', null,]", [1, "a", None]),
    ("{}", {}),
    ("{'a': 1, \"b\": [2],}", {"a": 1, "b": [2]}),
    ("{lower('K'): 1}", {"k": 1}),
    ("1.50", 1.5),
    (".5", 0.5),
    ("1e2", 100.0),
    ("2E-2", 0.02),
    ("9007199254740992", 2**53),
    ("-9007199254740992", -(2**53)),
    ("007", 7),
    ("0xff", 255),
    (r"'a\n\t\\\'\"\u0041\x41\U0001F600\101'", "a\n\t\\'\"AA\U0001f600A"),
    (r"'\ud83d\ude00'", "\U0001f600"),
    (r"r'\d\'", "\\d\\"),
    ("'=> \" ${ }'", '=> " ${ }'),
    # equality: no kind equals another
    ("1 == 1.0", True),
    ("true == 1", False),
    ("false == 0", False),
    ("1 == true", False),
    ("input.yes == true", True),
    ("input.yes != true", False),
    ("null == false", False),
    ("null == input.none", True),
    ("'' == null", False),
    ("'1' == 1", False),
    ("'Hello' == input.text", True),
    ("'Hello' != input.text", False),
    ("[true] == [1]", False),
    ("[1] == [1.0]", True),
    ("[1, 2] == [2, 1]", False),
    ("[1] == [1, 1]", False),
    ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
    ("{'a': null} == {}", False),
    ("{'a': 1} == {'b': 1}", False),
    ("{'a': true} == {'a': 1}", False),
    ("[] == {}", False),
    ("input.a != {'b': {'c': 1}}", False),
    ("input.big == 9007199254740992.0", False),
    # order
    ("1 < 1.5", True),
    ("2 <= 2.0", True),
    ("'a' < 'b'", True),
    ("'a' >= 'B'", True),
    ("x > 98 && x >= 99", True),
    # logic stops early
    ("false && 1", False),
    ("true || 1", True),
    ("true && true && false", False),
    ("false || false || true", True),
    ("!true || !false", True),
    ("!!true", True),
    ("true ? 1 : 1 / 0", 1),
    ("false ? 1 / 0 : 2", 2),
    ("false ? 1 : true ? 2 : 3", 2),
    ("(true ? false : true) ? 1 : 2", 2),
    ("true || false && false", True),
    ("1 + 2 == 3 && 2 in [2]", True),
    # in
    ("1.0 in [1]", True),
    ("'a'in['a']", True),
    ("true in [1]", False),
    ("[1] in [[1]]", True),
    ("null in [null]", True),
    ("'a' in input", True),
    ("'q' in input", False),
    # arithmetic
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("10 - 3 - 2", 5),
    ("2 * 7 % 4", 2),
    ("1 + 1.0", 2.0),
    ("7 / 2", 3.5),
    ("4 / 2", 2.0),
    ("7 % 3", 1),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("7.0 % 3", 1.0),
    ("-input.number", -4),
    ("- -3", 3),
    ("--3", 3),
    ("0.1 + 0.2", 0.1 + 0.2),
    ("input.big", 9007199254740993),
    ("'a' + 'b'", "ab"),
    ("[1] + [2]", [1, 2]),
    # functions where the page is silent
    ("default(input.none, 1)", 1),
    ("default(false, 1)", False),
    ("default(1, 1 / 0)", 1),
    ("size('\U0001f600')", 1),
    ("size({})", 0),
    ("merge({'a': 1}, null, {'a': 2})", {"a": 2}),
    ("keys({})", []),
    ("trim('\\t a b \\n')", "a b"),
    ("split('', ',')", [""]),
    ("split('a', ',')", ["a"]),
    ("join([], ',')", ""),
    ("join([1, 2.0, true, 'a'], '-')", "1-2-true-a"),
    ("replace('aaa', 'aa', 'b')", "ba"),
    ("string(null)", ""),
    ("string('a')", "a"),
    ("string(1.50)", "1.5"),
    ("string(-0.0)", "0"),
    ("string(1e300)", "1e+300"),
    ("string(false)", "false"),
    ("string({'a': [1, 'é']})", '{"a":[1,"é"]}'),
    ("number('12')", 12),
    ("number('-1.5e2')", -150.0),
    ("number(3)", 3),
    ("number('1970-01-01T00:00:01Z')", 1000),
    ("bool(true)", True),
    ("bool('false')", False),
    ("json('a\"')", '"a\\""'),
    ("json(1.0)", "1.0"),
    ("parse('[1, 2.0, null, \"x\"]')", [1, 2.0, None, "x"]),
    ("parse(json(input.a)) == input.a", True),
    ("date(0)", "1970-01-01T00:00:00.000Z"),
    ("date('2027-01-01T00:00:00Z', -1)", "2026-12-31T23:59:59.999Z"),
    ("date(now(), duration('1d'))", "2027-01-02T00:00:00.000Z"),
    ("number(now())", 1_798_761_600_000),
    ("duration('PT1M')", 60_000),
    ("min('b', 'a')", "a"),
    ("max([1, 2.5, 2])", 2.5),
    ("min([])", None),
    ("sum([])", 0),
    ("sort([3, 1.5, 2])", [1.5, 2, 3]),
    ("sort(['b', 'A', 'a'])", ["A", "a", "b"]),
    ("sort([])", []),
    ("first([])", None),
    ("last(input.list)", 3),
    ("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'python.org')",
        "886313e1-3b8a-5372-9b90-0c9aee199e5d",
    ),
    # comprehensions
    ("input.list.map(i, i * 2)", [2, 4, 6]),
    ("input.list.map(x, x) + [x]", [1, 2, 3, 99]),
    ("input.list.map(i, input.list.map(j, i * j))", [[1, 2, 3], [2, 4, 6], [3, 6, 9]]),
    ("input.list.map(i, input.list.filter(i, i > 2))", [[3], [3], [3]]),
    ("input.list.map(i, [i].map(i, i + 1)[0] + i)", [3, 5, 7]),
    ("input.items.map(i, i.n)", ["a", "b"]),
    ("input.empty.all(i, i)", True),
    ("input.empty.exists(i, i)", False),
    ("input.list.all(i, i > 1)", False),
    ("input.list.exists(i, i > 2)", True),
    ("input.list.filter(i, i % 2 == 1).map(i, i + x)", [100, 102]),
    ("[[1]].map(now, now[0])", [1]),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_what_an_expression_gives(text: str, value: Any) -> None:
    assert same(evaluate(text), value)


FAILURES: list[tuple[str, str]] = [
    ("inptu.a", "unknown name 'inptu' (did you mean 'input'?)"),
    ("zzz", "the names here are input, jobs, now, x"),
    ("input.text.x", "a text has no member 'x'"),
    ("input.list.x", "a list has no member 'x' (write list[0]"),
    ("input.number.x", "a number has no member 'x'"),
    ("has(input.text.x)", "a text has no member 'x'"),
    ("input.list[3]", "index 3 is outside a list of 3"),
    ("input.list[-1]", "index -1 is outside a list of 3"),
    ("input.list[0.5]", "the index of a list is a whole number, not 0.5"),
    ("input.list['a']", "a list has no member 'a'"),
    ("input.list[lower('A')]", "the index of a list is a whole number, not text"),
    ("input.list[true]", "the index of a list is a whole number, not bool"),
    ("input.text[0]", "a text has no items"),
    ("input[0]", "the keys of a map are texts, not number"),
    ("1 + 'a'", "cannot add number and text (write string(x)"),
    ("'a' + null", "cannot add text and null (write default(x"),
    ("{} + {}", "cannot add map and map (write merge(a, b))"),
    ("[1] + 1", "cannot add list and number"),
    ("true + true", "cannot add bool and bool"),
    ("null + 1", "cannot add null and number"),
    ("'a' - 'b'", "cannot subtract text and text"),
    ("'a' * 2", "cannot multiply text and number"),
    ("true / 2", "cannot divide bool and number"),
    ("null % 2", "cannot take the remainder of null and number"),
    ("-'a'", "cannot negate text"),
    ("-true", "cannot negate bool"),
    ("1 < 'a'", "cannot compare number and text"),
    ("1 < null", "cannot compare number and null (write default(x"),
    ("true < false", "cannot compare bool and bool"),
    ("[1] < [2]", "cannot compare list and list"),
    ("1 && true", "&& needs a bool, not number (write x != 0)"),
    ("true && 'a'", "&& needs a bool, not text"),
    ("false || null", "|| needs a bool, not null"),
    ("!1", "! needs a bool, not number"),
    ("1 ? 2 : 3", "?: needs a bool, not number"),
    ("input.list.filter(i, i)", "filter needs a bool, not number"),
    ("input.list.all(i, null)", "all needs a bool, not null"),
    ("1 / 0", "division by zero"),
    ("1 / 0.0", "division by zero"),
    ("1 % 0", "division by zero"),
    ("1.5 % 1", "% is for whole numbers"),
    ("9007199254740992 + 1", "a whole number is beyond 2^53"),
    ("-9007199254740992 - 1", "a whole number is beyond 2^53"),
    ("9007199254740992 * 9007199254740992", "a whole number is beyond 2^53"),
    ("input.big + 1", "a whole number is beyond 2^53"),
    ("-input.big", "a whole number is beyond 2^53"),
    ("sum([9007199254740992, 1])", "a whole number is beyond 2^53"),
    ("1e308 * 10", "a number is too large"),
    ("1e308 + 1e308", "a number is too large"),
    ("1e300 / 1e-300", "a number is too large"),
    ("'a' in 'abc'", "cannot look for text in text (write contains(text, part))"),
    ("1 in {}", "cannot look for number in map"),
    ("1 in null", "cannot look for number in null (write default(x, [])"),
    ("{1: 2}", "the keys of a map are texts, not number"),
    ("{'a': 1, 'a': 2}", "a map has the key 'a' twice"),
    ("input.none.map(i, i)", "map is for lists, not null (write default(x, [])"),
    ("input.a.map(i, i)", "map is for lists, not map (write keys(x)"),
    ("'abc'.filter(i, true)", "filter is for lists, not text"),
    ("size(null)", "size() needs text or list or map, not null (write default(x"),
    ("size(1)", "size() needs text or list or map, not number"),
    ("lower(1)", "lower() needs text, not number"),
    ("split('a', '')", "a separator that is not empty"),
    ("replace('a', '', 'b')", "not empty"),
    ("join([[1]], ',')", "cannot join list (make texts first"),
    ("join('a', ',')", "join() needs list, not text"),
    ("contains([1], 1)", "contains() is for texts, not list (write x in group)"),
    ("merge({}, [])", "merge() needs map or null, not list"),
    ("keys([])", "keys() needs map, not list"),
    ("number('x')", "'x' is not a number"),
    ("number('1,5')", "is not a number"),
    ("number('')", "is not a number"),
    ("number('NaN')", "is not a number"),
    ("number('1e999')", "a number is too large"),
    ("number('9007199254740993')", "beyond 2^53 (keep it as a text)"),
    ("number(true)", "number() needs number or text, not bool"),
    ("bool('yes')", "'yes' is neither 'true' nor 'false'"),
    ("bool(1)", "bool() needs bool or text, not number"),
    ("parse('{')", "cannot read this as JSON"),
    ("parse('NaN')", "cannot read this as JSON"),
    ("parse('[1e999]')", "cannot read this as JSON"),
    ("date('soon')", "'soon' is not an instant"),
    ("date(1e18)", "outside the years 1 to 9999"),
    ("date(null)", "date() needs text or number, not null"),
    ("date(0, 'soon')", "'soon' is not a duration"),
    ("duration('5')", "add a unit: 5s"),
    ("duration(5)", "duration() needs text, not number"),
    ("min([1, 'a'])", "min() cannot compare number and text"),
    ("max(1, null)", "max() needs numbers or texts, not null"),
    ("sort([true])", "sort() needs numbers or texts, not bool"),
    ("sort(['a', 1])", "sort() cannot compare text and number"),
    ("sum(['a'])", "sum() needs number, not text"),
    ("uuid5('nowhere', 'a')", "'nowhere' is not a namespace"),
    ("matches('a', lower('('))", "a group is not closed"),
]


@pytest.mark.parametrize(("text", "message"), FAILURES)
def test_what_fails_on_its_values(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text)
    assert message in str(caught.value)
    assert text in str(caught.value), "an error shows its expression"
    assert caught.value.problems


UNREADABLE: list[tuple[str, str]] = [
    ("", "an expression is empty"),
    ("   ", "an expression is empty"),
    ("${ }", "an expression is empty"),
    ("${ x", "`${` is not closed"),
    ("${ x } y", "here stands one expression and nothing else"),
    ("a and b", "found `and` at column 3 of `a and b` (write && for and)"),
    ("a or b", "write || for or"),
    ("not a", "write ! for not"),
    ("!a and b", "write && for and"),
    ("a not in b", "write ! for not"),
    ("a is null", "write == to compare"),
    ("if a then b", "write condition ? a : b"),
    ("a = b", "unexpected '=' at column 3 of `a = b` (to compare write ==)"),
    ("a === b", "write =="),
    ("a !== b", "write !="),
    ("a <> b", "write !="),
    ("a & b", "write && for and"),
    ("a | b", "write || for or"),
    ("a?.b", "a member of null is null already"),
    ("a ?? b", "write default(a, b)"),
    ("2 ** 3", "no power operator"),
    ("x => x", "write list.map(x, ...)"),
    ("a; b", "an expression is one value"),
    ("$a", "names stand without $"),
    ("“a”", "write straight quotes"),
    ("a @ b", "unexpected '@'"),
    ("1 +", "expected a value, found the end"),
    ("a b", "expected an operator or the end, found `b`"),
    ("(1", "expected `)`, found the end"),
    ("[1", "expected `,` or `]`, found the end"),
    ("[1 2]", "expected `,` or `]`, found `2`"),
    ("{'a' 1}", "expected `:` between key and value"),
    ("a ? b", "expected `:` of `condition ? a : b`"),
    ("a..b", "expected a name after the dot"),
    ("a.'b'", "expected a name after the dot"),
    ("a.5", "found `.5`"),
    ("'abc", "a text is not closed"),
    ("'a\nb'", "a text is not closed"),
    (r"'\q'", r"unknown escape \q"),
    (r"'\ud800'", "is not a character"),
    (r"'\U00110000'", "is not a character"),
    ("b'a'", "a text cannot start with b"),
    ("f'a'", "a text cannot start with f"),
    ("12ab", "a number runs into a name"),
    ("1u", "a number runs into a name"),
    ("9007199254740993", "a whole number is beyond 2^53"),
    ("0xffffffffffffffffffff", "a whole number is beyond 2^53"),
    ("1e400", "a number is too large"),
    ("1 < 2 < 3", "comparisons do not chain"),
    ("}", "expected a value, found `}`"),
    ("x }", "expected an operator or the end, found `}`"),
    ("x\n  + and", "line 2, column 5"),
    ("len(x)", "unknown function 'len' at column 1 of `len(x)` (did you mean size?)"),
    ("lowercase(x)", "did you mean lower?"),
    ("startswith(x, 'a')", "did you mean startsWith?"),
    ("qqqq(x)", "functions are all base64"),
    ("map(l, x, x)", "write list.map(x, …)"),
    ("l.size()", "it is a function: write size(x)"),
    ("t.split(',')", "it is a function: write split(x, …)"),
    ("l.reduce(x, x)", "unknown method 'reduce'"),
    ("l.any(x, x)", "did you mean exists?"),
    ("l.map(x)", "map() takes 2 arguments, not 1"),
    ("l.map(x.y, x)", "map wants a variable first"),
    ("size()", "size() takes 1 argument, not 0"),
    ("size(1, 2)", "size() takes 1 argument, not 2"),
    ("date()", "date() takes 1 to 2 arguments, not 0"),
    ("min()", "min() takes at least 1 argument"),
    ("now(1)", "now() takes 0 arguments, not 1"),
    ("has(a)", "has() asks for a member"),
    ("has(size(a))", "has() asks for a member"),
    ("has(a.b, c)", "has() takes 1 argument"),
    ("matches(a, '(')", "a group is not closed"),
    ("default(a)", "default() takes 2 arguments"),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_what_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_only_a_text_is_read() -> None:
    with pytest.raises(ExpressionError, match="an expression is a text, not bool"):
        parse(True)  # type: ignore[arg-type]


def test_an_error_knows_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("x ==\n  = 3")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.hint) == (2, 3, "to compare write ==")
    assert caught.value.details["position"] == 7


READS: list[tuple[str, set[tuple[str, ...]]]] = [
    ("1 + 2", set()),
    ("input", {("input",)}),
    ("jobs.build.output.appUrl", {("jobs", "build", "output", "appUrl")}),
    ("input['a'].b", {("input", "a", "b")}),
    ("input.l[0].x", {("input", "l")}),
    ("input[x.y].z", {("input",), ("x", "y")}),
    ("has(input.a.b)", {("input", "a", "b")}),
    ("input.l.map(i, i.x + y)", {("input", "l"), ("y",)}),
    ("l.map(l, l.x)", {("l",)}),
    ("l.map(i, has(i.a))", {("l",)}),
    ("now()", {("now",)}),
    ("a ? b.c : d", {("a",), ("b", "c"), ("d",)}),
    ("{a: b}", {("a",), ("b",)}),
    ("matches(a.b, 'x')", {("a", "b")}),
    ("${ a.b }", {("a", "b")}),
]


@pytest.mark.parametrize(("text", "paths"), READS)
def test_an_expression_knows_what_it_reads(text: str, paths: set[tuple[str, ...]]) -> None:
    expression = parse(text)
    assert expression.paths == paths
    assert expression.names == {path[0] for path in paths}


def test_the_text_is_what_stands_inside() -> None:
    assert parse("${  a + b }").text == "a + b"
    assert parse(" a ").text == "a"


class Lazy(Mapping[str, Any]):
    """A view that notes what it was asked for."""

    def __init__(self, members: dict[str, Any], asked: list[str]) -> None:
        self.members = members
        self.asked = asked

    def __getitem__(self, key: str) -> Any:
        self.asked.append(key)
        return self.members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)


def test_only_what_is_touched_is_asked_for() -> None:
    asked: list[str] = []
    jobs = Lazy({"a": {"x": 1}, "b": {"x": 2}}, asked)
    context = Lazy({"jobs": jobs, "input": {}}, asked)
    assert parse("jobs.b.x + default(jobs.c.x, 1)").evaluate(context) == 3
    assert asked == ["jobs", "b", "jobs", "c"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("jobs", {"a": {"x": 1}}),
        ("[jobs]", [{"a": {"x": 1}}]),
        ("{'j': jobs}.j.a", {"x": 1}),
        ("jobs == {'a': {'x': 1}}", True),
        ("merge(jobs, {'b': 2})", {"a": {"x": 1}, "b": 2}),
        ("keys(jobs)", ["a"]),
        ("json(jobs)", '{"a":{"x":1}}'),
        ("'a' in jobs && has(jobs.a.x) && !has(jobs.b)", True),
        ("size(jobs)", 1),
    ],
)
def test_a_lazy_map_is_a_map_and_never_a_result(text: str, value: Any) -> None:
    result = parse(text).evaluate({"jobs": Lazy({"a": {"x": 1}}, [])})
    assert same(result, value)


def test_now_is_given_with_the_context() -> None:
    expression = parse("now()")
    assert expression.evaluate({"now": 0}) == "1970-01-01T00:00:00.000Z"
    assert expression.evaluate({"now": "2027-01-01T02:00:00+02:00"}) == "2027-01-01T00:00:00.000Z"
    with pytest.raises(ExpressionError, match=r"unknown name 'now\(\)'"):
        expression.evaluate({})


def test_an_evaluation_leaves_nothing_behind() -> None:
    expression = parse("l.map(i, l.map(j, i + j))")
    first = expression.evaluate({"l": [1, 2]})
    with pytest.raises(ExpressionError):
        expression.evaluate({"l": ["a", 1]})
    assert expression.evaluate({"l": [1, 2]}) == first == [[2, 3], [3, 4]]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(JSON)
def test_json_and_parse_are_inverse(value: Any) -> None:
    assert parse("parse(json(v)) == v").evaluate({"v": value}) is True


@given(JSON, JSON)
@example([True], [1])
@example({"a": 0}, {"a": False})
def test_equality_is_that_of_json(left: Any, right: Any) -> None:
    def tagged(value: Any) -> Any:
        if isinstance(value, bool):
            return ("bool", value)
        if isinstance(value, list):
            return [tagged(item) for item in value]
        if isinstance(value, dict):
            return {key: tagged(member) for key, member in value.items()}
        return value

    context = {"l": left, "r": right}
    assert parse("l == r").evaluate(context) is (tagged(left) == tagged(right))
    assert parse("l != r").evaluate(context) is (tagged(left) != tagged(right))


SIGNS = "( ) [ ] { } , : ? + - * / % == < && || ! in . ${ ' \\ ="
NAMES = "a a.b-c 1 2.5 't' null true map has default l.map(x,x size( matches( and"
WORDS = st.sampled_from(f"{SIGNS} {NAMES}".split())


@given(st.lists(WORDS, max_size=20).map(" ".join) | st.text(max_size=40))
def test_any_text_is_an_expression_or_an_expression_error(text: str) -> None:
    try:
        parse(text).evaluate({"a": {"b-c": 1}, "l": [1, 2]})
    except ExpressionError as error:
        assert str(error)


HOSTILE = {
    "l": list(range(100)),
    "long": "x" * 900_000,
    "many": list(range(5_000)),
    "huge": 10**5_000,
    "nan": float("nan"),
    "numbered": {1: "a"},
    "odd": {"at": {1, 2}},
    "half": "\ud800",
    "foreign": object(),
}

TOO_COSTLY = [
    "l.map(a, l.map(b, l.map(c, a * b * c)))",
    "many.map(a, a + 1)",
    "many.exists(a, a == 0 || a == 1)",
    "l.map(a, many == many + [])",
    "l.map(a, 1 in many)",
    "l.map(a, sort(many))",
    "long + long",
    "replace(long, 'x', 'xxxx')",
    "join(l.map(a, long), '')",
    "join(split(long, 'x'), 'yy')",
    "split(long, 'x')",
    "l.map(a, upper(long))",
    "l.map(a, contains(long, 'y'))",
    "l.map(a, long < long + 'y')",
    "l.map(a, json(many))",
    "l.map(a, matches(long, 'x'))",
    "matches(long, '(x+x+)+y')",
    "matches(join(l.map(a, 'aaaa'), ''), '(a?){300}a{300}')",
    "[1]" + ".map(a, [a, a])" * 40,
    "[long, long]",
    "{'a': long, 'b': long}",
    "base64(long)",
    "parse(json(split(replace(long, 'xxxx', 'x,'), ',')))",
    "merge(" + ", ".join(["many.map(a, {'k': a})[0]"] * 4) + ")",
]


@pytest.mark.parametrize("text", TOO_COSTLY, ids=named)
def test_what_would_take_too_long_is_stopped(text: str) -> None:
    with pytest.raises(ExpressionTooCostly):
        parse(text).evaluate(HOSTILE)


TOO_DEEP = [
    "(" * 30_000 + "1" + ")" * 30_000,
    "(" * 100_000,
    "[" * 60_000,
    "{'a':" * 10_000,
    "!" * 60_000 + "true",
    "- " * 30_000 + "1",
    "true ? 1 : " * 5_000 + "2",
    "[1]" + "[0]" * 10_000,
    "[1]" + ".map(a, [a])" * 5_000,
    "size(" * 10_000,
    "a" * 70_000,
    "1+" * 40_000 + "1",
    "9" * 60_000,
    "1." + "9" * 60_000 + "e99999",
]


@pytest.mark.parametrize("text", TOO_DEEP, ids=named)
def test_what_is_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_even_on_a_nearly_full_stack() -> None:
    def deeper() -> None:
        try:
            deeper()
        except RecursionError:
            parse("((((1))))")

    with pytest.raises((ExpressionError, RecursionError)):
        deeper()


@pytest.mark.parametrize(
    ("text", "size"), [("1" + " + 1" * 3_000, 3_001), ("size([" + "1, " * 3_000 + "])", 3_000)]
)
def test_what_is_long_and_flat_is_fine(text: str, size: int) -> None:
    assert parse(text).evaluate({}) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("string(huge)", "a number is too large"),
        ("huge + 1", "beyond 2^53"),
        ("huge / 2", "a number is too large"),
        ("huge * 1.5", "a number is too large"),
        ("l[huge]", "a number is too large"),
        ("date(huge)", "outside the years"),
        ("json(huge)", "is not JSON"),
        ("nan", "NaN"),
        ("[nan]", "NaN"),
        ("string(nan)", "NaN"),
        ("json([nan])", "NaN"),
        ("nan + 1", "too large"),
        ("[numbered]", "the keys of a map are texts, not number"),
        ("numbered[1]", "the keys of a map are texts"),
        ("json(numbered)", "the keys of a map are texts"),
        ("[odd]", "a value of type set is not JSON"),
        ("foreign", "a value of type object is not JSON"),
        ("foreign.x", "a object has no member"),
        ("foreign + 1", "cannot add object and number"),
        ("sha256(half)", "lone surrogate"),
        ("json(half)", "is not JSON"),
    ],
)
def test_what_is_not_json_is_told(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text).evaluate(HOSTILE)
    assert message in str(caught.value)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("text", ["[v]", "json(v)", "v", "v == w", "string(v)"])
def test_a_value_that_is_too_deep_never_overflows(text: str) -> None:
    try:
        parse(text).evaluate({"v": nested(50_000), "w": nested(50_000)}, Budget(operations=10**6))
    except ExpressionError as error:
        assert "deep" in str(error) or "not JSON" in str(error)


def test_deep_json_text_is_refused() -> None:
    with pytest.raises(ExpressionError, match="cannot read this as JSON"):
        parse("parse(t)").evaluate({"t": "[" * 100_000})


def test_a_budget_is_shared_by_those_it_is_given_to() -> None:
    budget, expression = Budget(operations=100), parse("l.map(a, a)")
    expression.evaluate({"l": [1] * 30}, budget)
    with pytest.raises(ExpressionTooCostly, match="more than 100 operations"):
        expression.evaluate({"l": [1] * 30}, budget)


def test_what_is_only_read_counts_by_its_size_too() -> None:
    with pytest.raises(ExpressionTooCostly, match="hands on more than 20,000,000 bytes"):
        parse("v").evaluate({"v": ["x" * 1_000_000] * 20})
    assert parse("v").evaluate({"v": ["x" * 1_000_000]}) == ["x" * 1_000_000]
    assert parse("v").evaluate({"v": list(range(100_000))}) == list(range(100_000))


def test_the_same_costs_the_same_every_time() -> None:
    expression = parse("matches(t, '[a-c]+x') || l.exists(a, a > 2)")
    spent = set()
    for _ in range(3):
        budget = Budget()
        expression.evaluate({"t": "abcabc", "l": [1, 2, 3]}, budget)
        spent.add(budget.left)
    assert len(spent) == 1
