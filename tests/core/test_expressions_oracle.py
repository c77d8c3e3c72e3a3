"""Where our language and CEL mean the same, another implementation of CEL gives the same values.

Left out is where we differ on purpose: ``/``, numbers of two kinds, missing members, errors.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.core.expressions import parse

cel = pytest.importorskip("cel", reason="missing: common-expression-language")

CONTEXT: dict[str, Any] = {
    "n": 7,
    "m": {"k": -3, "t": "text"},
    "l": [3, 1, 2],
    "s": "abc",
    "b": True,
}

Words = st.SearchStrategy[str]


def numbers(inner: Words) -> Words:
    signs = st.sampled_from("+-*")
    return st.one_of(
        st.tuples(inner, signs, inner).map(lambda it: f"{it[0]} {it[1]} {it[2]}"),
        st.tuples(inner, st.integers(1, 5)).map(lambda it: f"({it[0]}) % {it[1]}"),
        inner.map(lambda it: f"({it})"),
        inner.map(lambda it: f"-({it})"),
        st.tuples(truths_of(inner), inner, inner).map(lambda it: f"({it[0]} ? {it[1]} : {it[2]})"),
    )


def truths_of(number: Words) -> Words:
    relations = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.tuples(number, relations, number).map(lambda it: f"{it[0]} {it[1]} {it[2]}")


NUMBERS = st.recursive(
    st.sampled_from(["1", "2", "n", "m.k", 'm["k"]', "l[0]", "size(l)", "size(s)", "-4"]),
    numbers,
    max_leaves=6,
)
SAMPLES = r"""
b
true
false
has(m.k)
has(m.q)
"k" in m
2 in l
s == "abc"
s < "b"
l == [3, 1, 2]
{'a': [1]} == {'a': [1]}
l.exists(x, x > 2)
l.all(x, x > n - 7)
l.filter(x, x != 2).map(x, x * n) == [21, 7]
l + [4] == [3, 1, 2, 4]
'\x41' == 'A'
"""
PLAIN = st.sampled_from(SAMPLES.split("\n")[1:-1])
TRUTHS = st.recursive(
    PLAIN | truths_of(NUMBERS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join),
        inner.map(lambda it: f"!({it})"),
        st.tuples(inner, inner, inner).map(lambda it: f"({it[0]} ? {it[1]} : {it[2]})"),
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(NUMBERS | TRUTHS)
def test_it_agrees_with_another_cel(text: str) -> None:
    assert parse(text).evaluate(CONTEXT) == cel.evaluate(text, CONTEXT)
