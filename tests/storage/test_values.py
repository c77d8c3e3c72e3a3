"""Cutting a row's JSON and joining it again gives the same bytes; what is equal is cut equally."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.storage.values import DEEPEST, EVENT, RECORD, cut, holes_in, joined, text_of

BIG = b'"' + b"x" * 100 + b'"'
INLINE = 50

values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=90),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)
written = st.one_of(
    st.builds(msgspec.json.encode, values),
    st.builds(lambda value: json.dumps(value).encode(), values),
    st.builds(lambda value: json.dumps(value, indent=2).encode(), values),
    st.binary(),
)


def whole(data, levels=0):
    found = cut(data, INLINE, levels)
    if found is None:
        return None
    assert all(len(value) > INLINE for value in found.values.values())
    holes = holes_in(text_of(found.holes))
    return joined(found.rest, holes, found.values.__getitem__)


@given(written, st.integers(0, RECORD))
def test_what_was_cut_is_joined_again(data, levels):
    assert whole(data, levels) in (data, None)


@given(values)
def test_what_is_left_is_json_and_small(value):
    data = msgspec.json.encode(value)
    found = cut(data, INLINE)
    rest, holes = (data, ()) if found is None else (found.rest, found.holes)
    msgspec.json.decode(rest)
    assert len(rest) - len(holes) * len("null") <= INLINE


@pytest.mark.parametrize(
    ("data", "levels", "taken"),
    [
        (BIG, 0, [BIG]),
        (b'{"index":3,"order":%b}' % BIG, 0, [BIG]),
        (b'{"index":4,"order":%b,"again":%b}' % (BIG, BIG), 0, [BIG]),
        (b'{"a":{"b":[1,%b]}}' % BIG, 0, [BIG]),
        (b'[["job.ready","k",%b]]' % BIG, RECORD, [BIG]),
        (b'{"id":"e","data":%b}' % BIG, EVENT, [BIG]),
        (b"[%b]" % b",".join([b"123"] * 99), 0, [b"[%b]" % b",".join([b"123"] * 99)]),
        (b"[%b]" % b",".join([b"[1,2]"] * 99), RECORD, []),
        (b'{"a":1,"a":%b}' % BIG, 0, [b'{"a":1,"a":%b}' % BIG]),
        (b'{"order": %b}' % BIG, 0, [b'{"order": %b}' % BIG]),
        (b"r1\n" + BIG, 0, [b"r1\n" + BIG]),
    ],
    ids=[
        "a text", "a member", "twice", "deep inside", "in a fact", "in an event", "many small ones",
        "many facts", "a name that stands twice", "with blanks", "no json",
    ],
)  # fmt: skip
def test_what_is_taken_out(data, levels, taken):
    found = cut(data, INLINE, levels)
    assert (list(found.values.values()) if found else []) == taken


def test_one_looks_only_so_deep():
    data = b'{"a":' * 20 + BIG + b"}" * 20
    (value,) = cut(data, INLINE).values.values()
    assert value == data[5 * DEEPEST : -DEEPEST]


def test_what_is_small_is_not_looked_at(monkeypatch):
    monkeypatch.setattr("ostinato.storage.values._spans", None)
    assert cut(b"[" + b"1" * (INLINE - 2) + b"]", INLINE) is None
