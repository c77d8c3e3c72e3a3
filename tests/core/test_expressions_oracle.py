"""Where our language and CEL mean the same, another implementation of CEL gives the same values.

Expressions are made by type, nested and with macros in macros. Where only the form differs, CEL's
is made beside ours (``startsWith(a, b)`` is ``a.startsWith(b)`` there). Left out is where we differ
on purpose: ``/``, numbers of two kinds, missing members, the size of texts beyond ASCII, errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from ostinato.core.expressions import parse
from ostinato.testing.generate.chance import Chance

cel = pytest.importorskip("cel", reason="missing: common-expression-language")

CONTEXT: dict[str, Any] = {
    "n": 7,
    "m": {"k": -3, "t": "text", "z": None, "deep": {"l": [1, "a"]}},
    "l": [3, 1, 2],
    "w": ["b", "é", "B"],
    "s": "abc",
    "b": True,
    "none": None,
}


class Both(NamedTuple):
    """The same expression in our language and in CEL."""

    ours: str
    cel: str


Known = dict[str, list[str]]  # by type: the variables of the macros around

LEAVES: Known = {
    "number": ["1", "0", "-4", "0x1F", "n", "m.k", 'm["k"]', "l[0]", "size(l)", "size(m)"],
    "truth": ["b", "true", "false", "has(m.k)", "has(m.z)", "has(m.q)", '"k" in m', "s in w"],
    "text": ["s", "''", '"b"', r"'\x41\n'", r'r"\d"', r"'\u00e9'", "m.t", "w[0]", "string(n)"],
    "numbers": ["l", "[]", "[5]", "[1, n]"],
    "texts": ["w", "['a', s]"],
    "value": ["none", "null", "m", "m.z", "m.deep", "[]", "{}", "[1, 'a', null, [true]]"],
}


def made(chance: Chance, kind: str, depth: int, known: Known) -> Both:
    """An expression of this type, at most so deep."""
    if depth <= 0 or chance.happens(0.2):
        text = chance.one(LEAVES[kind] + known.get(kind, []) * 4)
        return Both(text, text)
    if chance.happens(0.1):
        return form(chance, "({0} ? {1} : {2})", ("truth", kind, kind), depth, known)
    return chance.one(WAYS[kind])(chance, depth, known)


def form(chance: Chance, text: str, kinds: tuple[str, ...], depth: int, known: Known) -> Both:
    """``text`` is a form for both languages, or ours and CEL's with `` => `` between."""
    parts = [made(chance, kind, depth - 1, known) for kind in kinds]
    ours, _, other = text.partition(" => ")
    other = other or ours
    return Both(ours.format(*(p.ours for p in parts)), other.format(*(p.cel for p in parts)))


Way = Callable[[Chance, int, Known], Both]


def way(text: str, *kinds: str) -> Way:
    return lambda chance, depth, known: form(chance, text, kinds, depth, known)


def macro(name: str, items: str, gives: str) -> Way:
    """``list.name(x, …)``: inside, ``x`` is known, and it hides an ``x`` around."""

    def write(chance: Chance, depth: int, known: Known) -> Both:
        over = made(chance, items, depth - 1, known)
        variable = chance.one(["x", "y"])
        inside = {kind: [one for one in names if one != variable] for kind, names in known.items()}
        one = items.removesuffix("s")
        inside[one] = [variable, *inside.get(one, [])]
        body = made(chance, gives, depth - 1, inside)
        return Both(*(f"({a}).{name}({variable}, {b})" for a, b in zip(over, body, strict=True)))

    return write


def compared(kind: str, signs: list[str]) -> Way:
    return lambda chance, depth, known: form(
        chance, f"({{0}}) {chance.one(signs)} ({{1}})", (kind, kind), depth, known
    )


ORDER = ["<", "<=", ">", ">=", "==", "!="]
SAME = ["==", "!="]

WAYS: dict[str, list[Way]] = {
    "number": [
        way("{0} + {1}", "number", "number"),
        way("{0} - {1}", "number", "number"),
        way("{0} * {1}", "number", "number"),
        way("({0}) * ({1})", "number", "number"),
        way("{0} % 3", "number"),
        way("({0}) % -4", "number"),
        way("-{0}", "number"),
        way("-({0})", "number"),
        way("size({0})", "numbers"),
        way("size({0})", "texts"),
        way("[{0}, {1}][1]", "number", "number"),
        way("{{'a': {0}, 'b': {1}}}.b", "number", "number"),
        way("{{'a': {0}}}['a']", "number"),
    ],
    "truth": [
        way("{0} && {1}", "truth", "truth"),
        way("({0}) || ({1})", "truth", "truth"),
        way("!({0})", "truth"),
        way("{0} < {1}", "number", "number"),
        way("{0} >= {1} || {2}", "text", "text", "truth"),
        way("{0} == {1} && {2} in {3}", "numbers", "numbers", "number", "numbers"),
        compared("number", ORDER),
        compared("text", ORDER),
        compared("truth", SAME),
        compared("numbers", SAME),
        compared("texts", SAME),
        compared("value", SAME),
        way("({0}) == ({1})", "number", "text"),
        way("({0}) != ({1})", "value", "truth"),
        way("({0}) in ({1})", "number", "numbers"),
        way("({0}) in ({1})", "text", "texts"),
        way("({0}) in {{'abc': 1, 'b': {1}}}", "text", "value"),
        way("startsWith({0}, {1}) => ({0}).startsWith({1})", "text", "text"),
        way("endsWith({0}, {1}) => ({0}).endsWith({1})", "text", "text"),
        way("contains({0}, {1}) => ({0}).contains({1})", "text", "text"),
        way("matches({0}, '^a?b+|[xt]$') => ({0}).matches('^a?b+|[xt]$')", "text"),
        macro("all", "numbers", "truth"),
        macro("exists", "numbers", "truth"),
        macro("exists", "texts", "truth"),
        macro("all", "texts", "truth"),
    ],
    "text": [
        way("{0} + {1}", "text", "text"),
        way("string({0})", "number"),
        way("{{'k': {0}}}.k", "text"),
        way("[{0}][0]", "text"),
    ],
    "numbers": [
        way("{0} + {1}", "numbers", "numbers"),
        way("[{0}, {1}]", "number", "number"),
        macro("filter", "numbers", "truth"),
        macro("map", "numbers", "number"),
        macro("map", "texts", "number"),
    ],
    "texts": [
        way("{0} + {1}", "texts", "texts"),
        way("[{0}]", "text"),
        macro("filter", "texts", "truth"),
        macro("map", "texts", "text"),
        macro("map", "numbers", "text"),
    ],
    "value": [
        way("[{0}, {1}]", "value", "truth"),
        way("{{'a': {0}, 'b': [{1}]}}", "value", "number"),
        way("[{0}, null, {1}]", "text", "numbers"),
        macro("map", "numbers", "value"),
        macro("map", "texts", "value"),
    ],
}

CHANCE = st.randoms(use_true_random=False)


@pytest.mark.parametrize("kind", WAYS)
@settings(max_examples=400)
@given(random=CHANCE)
def test_it_agrees_with_another_cel(kind: str, random: Random) -> None:
    both = made(Chance(random), kind, 4, {})
    note(both.ours)
    same(both)


def same(both: Both) -> None:
    """The same value of the same type: true is not 1 here."""
    ours, other = parse(both.ours).evaluate(CONTEXT), cel.evaluate(both.cel, CONTEXT)
    assert json.dumps(ours, sort_keys=True) == json.dumps(other, sort_keys=True), both


ALONE = [(kind, number) for kind, ways in WAYS.items() for number in range(len(ways))]


@pytest.mark.parametrize(("kind", "number"), ALONE)
def test_each_way_alone(kind: str, number: int) -> None:
    """So that every row is tried, whatever chance draws."""
    for seed in range(10):
        same(WAYS[kind][number](Chance(Random(seed)), 1, {}))
