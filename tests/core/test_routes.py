"""Where emitted events go, by the types that a bus sends."""

import time

import pytest

from ostinato.core.patterns import Pattern
from ostinato.core.routes import Likes, Routes, wildcard_of

LIKE = [
    ("A*", "A", True), ("A*", "BA", False), ("*A", "BA", True), ("*", "", True),
    ("A*B", "AB", True),
    ("A*B", "A", False), ("A*A", "A", False), ("A*B*C", "AxBxC", True), ("A*B*C", "AxCxB", False),
    ("A**C", "AC", True), (r"A\*", r"A\x", True), (r"A\*", "A*", False), ("A.B*", "AxB1", False),
    ("A", "A", True), ("A", "AB", False), ("A*\n", "Ab\n", True), ("*ab*ab*", "aab", False),
]  # fmt: skip


@pytest.mark.parametrize(("like", "type", "fits"), LIKE)
def test_a_star_is_any_letters_and_nothing_else_is_special(like, type, fits):
    assert Likes([like]).fit(type) is fits
    assert Likes(["OTHER", like]).fit(type) is fits
    pattern = Pattern({"type": [{"wildcard": wildcard_of(like)}]})
    assert pattern.matches({"type": type}) is fits


def test_many_stars_cost_no_more_than_the_text():
    likes, text = Likes(["*a" * 30 + "*b"]), "a" * 256
    began = time.process_time()
    assert not any(likes.fit(text) for _ in range(100))
    assert time.process_time() - began < 1


def test_an_event_goes_to_its_own_engine_and_where_its_type_is_sent():
    routes = Routes({"far": ["A*"], "near": ["AB"], "none": []}, ["far", "near", "none"])
    assert routes.of("AB") == ("", "far", "near")
    assert routes.of("B") == ("",)
    assert Routes().of("A") == ("",)


def test_a_bus_that_nobody_knows_is_named_with_those_there_are():
    routes = Routes({}, ["far"])
    assert routes.problem("far") == routes.problem("memory") == ""
    why = "'x' has no place where events go out: [bus.x] makes one; there is far"
    assert routes.problem("x") == why
    assert Routes().problem("x") == ""  # where nobody knows, any name will do
