"""What a start does whose uid another run has, or had: the whole table."""

import pytest

from ostinato.core.expressions import parse
from ostinato.core.model import Again, Dedup, Meanwhile, UidRule
from ostinato.core.uids import dedup_key, line, move, refusal, uid_of
from ostinato.errors import ExpressionError

NOBODY, OPEN = None, "waiting"

TABLE = [
    # again, open, the run that counts, what the start does
    ("new", "same", NOBODY, "begin"),
    ("refuse", "refuse", NOBODY, "begin"),
    ("new", "same", OPEN, "same"),
    ("new", "same", "pending", "same"),
    ("new", "signal", OPEN, "signal"),
    ("new", "queue", OPEN, "queue"),
    ("new", "refuse", OPEN, "refuse"),
    ("resume", "queue", OPEN, "queue"),
    ("refuse", "same", OPEN, "same"),
    ("new", "refuse", "succeeded", "begin"),
    ("new", "same", "failed", "begin"),
    ("new", "same", "cancelled", "begin"),
    ("resume", "same", "succeeded", "same"),
    ("resume", "same", "failed", "resume"),
    ("resume", "refuse", "cancelled", "resume"),
    ("refuse", "same", "succeeded", "refuse"),
    ("refuse", "queue", "failed", "refuse"),
    ("refuse", "signal", "cancelled", "refuse"),
]


@pytest.mark.parametrize(("again", "open", "status", "does"), TABLE)
def test_what_a_start_does(again, open, status, does):
    rule = UidRule(again=Again(again), open=Meanwhile(open))
    assert move(rule, status) == does


def test_a_refusal_says_which_run_why_and_how_to_mend_it():
    assert str(refusal("order", "o1", "r1", None)) == (
        "run r1 of order is open under the uid 'o1' (`open: refuse`); wait for its end, or "
        "cancel it"
    )
    assert "has failed (`again: refuse`)" in str(refusal("order", "o1", "r1", "failed"))


def test_two_workflows_never_share_a_line():
    assert line("a", "b:c") != line("a:b", "c:") and line("a", "b") == "uid:a:b"


@pytest.mark.parametrize(("value", "uid"), [(None, None), ("", None), (7, "7"), ("x", "x")])
def test_a_uid_is_a_text(value, uid):
    assert uid_of(value) == uid


@pytest.mark.parametrize("value", [True, 1.5, [], {}])
def test_anything_else_is_none(value):
    with pytest.raises(ExpressionError, match="not a text"):
        uid_of(value)


DEDUP = Dedup(key=parse("input.order"), window=1)


@pytest.mark.parametrize(("order", "key"), [("o1", "o1"), (7, "7"), (None, None), ("", None)])
def test_what_makes_two_starts_one(order, key):
    assert dedup_key(DEDUP, {"input": {"order": order}}) == key


@pytest.mark.parametrize("order", [True, [1], "x" * 257, "a\nb"])
def test_what_cannot_make_two_starts_one(order):
    with pytest.raises(ExpressionError, match=r"dedup\.key"):
        dedup_key(DEDUP, {"input": {"order": order}})
