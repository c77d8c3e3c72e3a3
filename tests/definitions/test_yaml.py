"""YAML and JSON to values, and everything that is refused on the way."""

import time

import pytest

from ostinato.definitions.source import decoded
from ostinato.definitions.strict_json import NotJSON, read_json
from ostinato.definitions.yaml import read_yaml
from ostinato.errors import DefinitionError


def values(text):
    return [place.data() for place in read_yaml(text)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2027-01-01", "2027-01-01"),
        ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("017", 17),
        ("0o17", 15),
        ("0xff", 255),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("nan", "nan"),
        ("NaN", "NaN"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("a\n  b", "a b"),
        ("[1, [a, {b: c}]]", [1, ["a", {"b": "c"}]]),
    ],
)
def test_the_core_schema(written, value):
    assert values(f"x: {written}") == [{"x": value}]


def test_keys_are_texts_as_written():
    assert values("on: 1\n404: 2\ntrue: 3\nnull: 4") == [{"on": 1, "404": 2, "true": 3, "null": 4}]


def test_an_alias_is_its_value():
    assert values("a: &x {b: 1}\nc: *x") == [{"a": {"b": 1}, "c": {"b": 1}}]


def test_several_documents():
    assert values("a: 1\n---\nb: 2\n---\n") == [{"a": 1}, {"b": 2}]


def test_places():
    (place,) = read_yaml('a:\n  - b: "x"\n    c: y\n')
    inner = place.value["a"].value[0].value
    assert (inner["b"].line, inner["b"].column, inner["b"].plain) == (2, 8, False)
    assert (inner["c"].line, inner["c"].column, inner["c"].plain) == (3, 8, True)


BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n"
    for n in range(1, 15)
)

REFUSED = [
    ("a: 1\na: 2", 2, 1, "the key `a` stands here twice"),
    ("a: {b: 1, b: 2}", 1, 11, "the key `b` stands here twice"),
    ("a: !!python/object:os.system x", 1, 4, "`!!python/object:os.system` is a YAML tag"),
    ("a: !!str 1", 1, 4, "is a YAML tag"),
    ("a: !!binary aGk=", 1, 4, "is a YAML tag"),
    ("a: !x", 1, 4, 'write a: "!x"'),
    ("a: !x && y", 1, 7, 'write a: "!x && y"'),
    ("- {a: !x }", 1, 7, 'write a: "!x"'),
    ("a: b ? c : d", 1, 10, 'write a: "b ? c : d"'),
    ('a: "b" == c\nd: 1', 1, 8, "write a: '\"b\" == c'"),
    ("a: ${ {b: 1} }", 1, 9, 'write a: "${ {b: 1} }"'),
    ('a: ${ {"b": 1} }', 1, 11, "write a: '${ {\"b\": 1} }'"),
    ("x: {a: ${ b }}", 1, 9, 'write a: "${ b }"'),
    ("x: {a: 1, b: ${ c }, d: 2}", 1, 15, 'write b: "${ c }"'),
    ("a: [${ b }]", 1, 6, 'write "${ b }"'),
    ('a: "it\'s" == b', 1, 11, 'write a: "\\"it\'s\\" == b"'),
    ("a: @x", 1, 4, 'write a: "@x"'),
    ("a: *x", 1, 4, "*x has no anchor &x before it"),
    ("a: &x [*x]", 1, 8, "*x stands inside &x itself"),
    ("a: &x {b: 1}\nc: {<<: *x}", 2, 5, "`<<` merges no maps"),
    ("a:\n\t- x", 2, 1, "indent with spaces, not tabs"),
    ("? [a]\n: b", 1, 3, "a key is a text"),
    ("a: .nan", 1, 4, ".nan is no number that JSON has"),
    ("a: -.INF", 1, 4, "-.INF is no number that JSON has"),
    ("a: 1e999", 1, 4, "too large for a number"),
    ("a: 9007199254740993", 1, 4, "beyond 2^53"),
    ("a: 0x" + "f" * 200, 1, 4, "number"),
    ("a: " + "9" * 5000, 1, 4, "a number of 5000 characters"),
    ('a: "\\ud800"', 1, 4, "half a character"),
    ("%YAML 1.1\n---\na: 1", 2, 1, "documents are YAML 1.2"),
    ('a: "x', 1, 6, "not YAML"),
    ("a: 1\n b: 2", 2, 3, "not YAML"),
    ("a: " + "[" * 200, 1, 103, "nested more than 100 levels"),
    ("a: " + "[" * 100_000, 1, 103, "nested more than 100 levels"),
    ("{a: " * 100_000, 1, 401, "nested more than 100 levels"),
    ("- " * 100_000, 1, 201, "nested more than 100 levels"),
    (BOMB, None, None, "the aliases blow the document up"),
    ("a: &x 1\nb: [" + "*x, " * 101 + "]", None, None, "more than 100 aliases"),
    ("a: &x " + "y" * 60_000 + "\nb: [" + "*x, " * 50 + "]", None, None, "blow the document up"),
    ("a: &x " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*x" + "]" * 60, 2, 64, "by an alias"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    REFUSED,
    ids=[str(n) for n in range(len(REFUSED))],
)
def test_refused(text, line, column, said):
    begun = time.perf_counter()
    with pytest.raises(DefinitionError) as caught:
        read_yaml(text)
    assert time.perf_counter() - begun < 20
    problem = next(one for one in caught.value.problems if said in str(one))
    if line is not None:
        assert (problem.line, problem.column) == (line, column)


def test_all_problems_of_a_text_at_once():
    with pytest.raises(DefinitionError) as caught:
        read_yaml("a: !x\nb: .nan\nb: 2\nc: *y\n")
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3, 4]
    assert "and 3 more" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        (b"a: 1\nb: \xff", 2, 4, "byte 0xFF"),
        (b"\xff\xfea\x00", 1, 1, "save the file as UTF-8"),
        ("a: 1\nb: x\x07y", 2, 5, "U+0007"),
        ("a\x00b", 1, 2, "U+0000"),
        ("x" * 1001, 1, 1, "1,001 bytes"),
    ],
)
def test_texts_that_are_none(text, line, column, said):
    with pytest.raises(DefinitionError) as caught:
        decoded(text, 1000)
    (problem,) = caught.value.problems
    assert said in str(problem)
    assert (problem.line, problem.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [" + "x," * 200_000 + "]", "more than 100,000 values"),
        ("- !x y\n" * 1_000, "and 199 more"),
    ],
    ids=["values", "problems"],
)
def test_work_is_bounded(text, said):
    with pytest.raises(DefinitionError, match=said):
        read_yaml(text)


def test_a_byte_order_mark_is_no_text():
    assert decoded("\ufeffa: 1".encode(), 100) == "a: 1"


def test_json():
    place = read_json('{"a": [1, -2.5, "x\\n", true, null],\n "b": {"c": {}}}')
    assert place.data() == {"a": [1, -2.5, "x\n", True, None], "b": {"c": {}}}
    assert (place.value["b"].line, place.value["b"].column) == (2, 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "the key `a` stands here twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 9007199254740993}', "beyond 2^53"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"a": ' + "[" * 100_000, "nested more than 100 levels"),
    ],
    ids=lambda text: text[:30],
)
def test_json_that_is_refused(text, said):
    with pytest.raises(DefinitionError, match=said.replace("^", r"\^")):
        read_json(text)


@pytest.mark.parametrize(
    "text", ['{"a": 1,}', '{"a" 1}', '{"a": x}', '{"a": 1} b', '{"a": "x', "{"]
)
def test_what_is_not_json(text):
    with pytest.raises(NotJSON):
        read_json(text)
