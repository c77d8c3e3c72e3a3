"""Keys by which waits and events meet."""

from __future__ import annotations

from typing import Any

import pytest

from ostinato.core.correlation import key_of_event, key_of_values, shape_of
from ostinato.errors import UsageError

SHAPES = [
    ({"data": {"tenantId": ["${ input.tenant.id }"]}}, ("data.tenantId",)),
    ({"detail": {"b": [1], "a": ["x"]}, "detail-type": ["T"]}, ("data.a", "data.b", "type")),
    ({"data": {"a": ["x", "y"], "b": [{"prefix": "x"}], "c": [None]}}, ("data.c",)),
    ({"$or": [{"a": [1]}, {"b": [2]}]}, ()),
    ({"data": {"a.b": [1]}}, ()),
    ({"source": ["s"], "data": {"x": {"y": {"z": [True]}}}}, ("data.x.y.z", "source")),
]


@pytest.mark.parametrize(("pattern", "paths"), SHAPES)
def test_a_shape_is_the_paths_of_single_values(
    pattern: dict[str, Any], paths: tuple[str, ...]
) -> None:
    assert shape_of(pattern) == paths


PATHS = ("data.n", "data.t")

SAME = [((1, "x"), (1.0, "x"), True), ((1, "x"), (True, "x"), False), ((1, "x"), ("1", "x"), False)]
SAME += [((0, None), (-0.0, None), True), ((0, None), (False, None), False)]
SAME += [((2**53 + 1, ""), (2**53, ""), False), ((10**20, "é"), (1e20, "é"), True)]


@pytest.mark.parametrize(("left", "right", "same"), SAME)
def test_equal_values_have_equal_keys(left: Any, right: Any, same: bool) -> None:
    assert (key_of_values(PATHS, left) == key_of_values(PATHS, right)) is same


def test_an_event_has_the_key_of_its_values() -> None:
    event = {"data": {"n": 1.0, "t": "x", "other": [1]}}
    assert key_of_event(PATHS, event) == key_of_values(PATHS, (1, "x"))


def test_a_key_is_stable() -> None:
    assert key_of_values(("data.a",), ("x",)) == "931e218e3763469151c399f1b51a38bd"


@pytest.mark.parametrize(
    "data",
    [{}, {"n": 1}, {"n": [1], "t": "x"}, {"n": {}, "t": "x"}, "text", None, {"n": 1, "t": []}],
)
def test_an_event_without_a_plain_value_has_no_key(data: Any) -> None:
    assert key_of_event(PATHS, {"data": data}) is None


@pytest.mark.parametrize("value", [[1], {"a": 1}, float("nan"), float("inf"), object()])
def test_a_wait_for_no_plain_value_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UsageError, match=r"data\.t"):
        key_of_values(PATHS, (1, value))
