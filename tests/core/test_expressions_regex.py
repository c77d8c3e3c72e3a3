"""Our regexes find what Python's find, and nothing they are given makes them slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.regex import Regex
from ostinato.errors import ExpressionError


def found(pattern: str, text: str) -> bool:
    return Regex(pattern).search(text, Budget(operations=10**9))


def found_by_python(pattern: str, text: str) -> bool:
    # Python's `$` is also true before a last newline; ours, like RE2's, only at the end.
    return re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("", "", True),
        ("", "a", True),
        ("b", "abc", True),
        ("^b", "abc", False),
        ("^a", "abc", True),
        ("c$", "abc", True),
        ("c$", "abc\n", False),
        ("^$", "", True),
        ("^$", "a", False),
        ("^^a$$", "a", True),
        ("$a", "a", False),
        ("a|b|", "c", True),
        ("^(?:a|bc)+$", "abcbca", True),
        ("^(?P<name>a)(?<other>b)$", "ab", True),
        (".", "\n", False),
        (r"^\d{3,5}$", "1234", True),
        (r"^\d{3,5}$", "123456", False),
        (r"^a{2}$", "aaa", False),
        (r"^a{2,}$", "aaa", True),
        (r"^a{0}$", "", True),
        (r"^a{,2}$", "a{,2}", True),
        (r"a{x}", "a{x}", True),
        (r"^\w+@\w+\.com$", "me@home.com", True),
        (r"[\w.-]+", "-", True),
        (r"^[^\d]$", "5", False),
        (r"^[^\D]$", "5", True),
        (r"^[\W\d]$", "5", True),
        (r"^[]a]$", "]", True),
        (r"^[^]a]$", "]", False),
        (r"^[a-]$", "-", True),
        (r"^[\-\]\\]$", "\\", True),
        (r"^\x41\u00e9\.\/$", "Aé./", True),
        (r"^\S+\s\S+$", "a b", True),
        (r"\Aab\z", "ab", True),
        (r"^a+?$", "aa", True),
        (r"^(a*)*$", "aaab", False),
        (r"^(a|aa)+$", "aaaa", True),
        ("é", "caf\u00e9", True),
        (r"^\d$", "\u0663", False),
        (r"^\$\{x\}$", "${x}", True),
    ],
)
def test_what_a_regex_finds(pattern: str, text: str, wanted: bool) -> None:
    assert found(pattern, text) is wanted


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a", "a group is not closed"),
        ("a)", "`)` without `(`"),
        ("[a", "a class is not closed"),
        ("[", "a class is not closed"),
        ("[z-a]", "a range runs backwards"),
        (r"[a-\d]", "a range runs backwards or ends in a class"),
        ("[[:alpha:]]", "named classes are not supported"),
        ("*a", "nothing to repeat"),
        ("a|*", "nothing to repeat"),
        ("{2}", "nothing to repeat"),
        ("a**", "a repetition is repeated"),
        ("a{2}{3}", "a repetition is repeated"),
        ("a{3,2}", "m ≤ n"),
        ("a{1001}", "m ≤ n"),
        (r"(a)\1", "references to groups are not supported"),
        (r"\bword", r"\b is not supported"),
        (r"\p{L}", r"\p is not supported"),
        ("a\\", "ends in a backslash"),
        (r"\x4", "hexadecimal digits"),
        ("(?=a)", "lookahead is not supported"),
        ("(?!a)", "lookahead is not supported"),
        ("(?<=a)", "lookbehind is not supported"),
        ("(?<!a)", "lookbehind is not supported"),
        ("(?P=x)", "a reference to a group is not supported"),
        ("(?>a)", "an atomic group is not supported"),
        ("(?i)a", "flags are not supported"),
        ("(?<1>a)", "no proper name"),
        ("(a{1000}){1000}", "states"),
        ("((((){1000}){1000}){1000}){1000}", "parts"),
        ("(" * 60 + ")" * 60, "nested deeper"),
        ("a" * 2_000, "longer than"),
    ],
)
def test_what_is_not_supported_is_named(pattern: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Regex(pattern)
    assert message in str(caught.value)


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "c",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\S",
        "[ab]",
        "[^a]",
        "[a-c1]",
        r"[^\d]",
        "^",
        "$",
        "",
    ]
)
TIMES = st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    grouped = inner.map(lambda one: f"({one})")
    repeated = st.tuples(grouped, TIMES).map("".join)
    return (
        repeated
        | st.lists(inner, min_size=2, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map("|".join)
    )


PATTERNS = st.recursive(ATOMS, grown, max_leaves=8)
TEXTS = st.text("abc1 \n", max_size=12)


@settings(max_examples=1_000)
@given(PATTERNS, TEXTS)
def test_it_agrees_with_python(pattern: str, text: str) -> None:
    assert found(pattern, text) is found_by_python(pattern, text)


@given(PATTERNS, st.lists(TEXTS, min_size=2, max_size=5))
def test_what_it_keeps_changes_no_answer(pattern: str, texts: list[str]) -> None:
    kept = Regex(pattern)
    for text in texts:
        assert kept.search(text, Budget()) is found(pattern, text)


@given(st.text(max_size=15))
def test_any_text_is_a_regex_or_an_error(pattern: str) -> None:
    try:
        found(pattern, "abc")
    except ExpressionError as error:
        assert str(error)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+$b", "(x+x+)+y", "(a?){25}a{25}b", "(.*)(.*)(.*)(.*)z"]
)
def test_bombs_do_not_go_off(pattern: str) -> None:
    assert found(pattern, "a" * 20_000) is False


def test_many_characters_do_not_fill_the_memory() -> None:
    regex = Regex("[^a]{3}b")
    for start in range(0x4E00, 0x9000, 0x400):
        text = "".join(map(chr, range(start, start + 0x400)))
        assert regex.search(text, Budget(operations=10**6)) is False
    assert regex._kept <= 500
