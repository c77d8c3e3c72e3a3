"""What a start does whose uid another run of the workflow has, or had.

``open`` rules while that run is open, ``again`` once it is over. The run that counts is the one
that is open, else the first that waits for its turn under the uid, else the newest that has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ostinato.core.commands import Want
from ostinato.core.labels import is_label
from ostinato.core.model import Again, Dedup, Meanwhile, UidRule
from ostinato.core.state import OVER
from ostinato.errors import ConflictError, ExpressionError

__all__ = [
    "LINE", "START", "Move", "dedup_key", "is_line", "line", "line_want", "move", "refusal",
    "uid_of", "uid_problem",
]  # fmt: skip

Move = Literal["begin", "same", "signal", "queue", "resume", "refuse"]
"""A new run begins; the start is answered with the other run; the other run hears of it; a new run
waits for the other's end; the other goes on; an error."""

START = "ostinato.start"
"""The type of the event that an open run hears of when a start without an event is a signal."""

LINE = "line"
"""The ``overflow`` of a place whose turns come strictly in order."""

_MEANWHILE: Mapping[Meanwhile, Move] = {
    Meanwhile.SAME: "same",
    Meanwhile.SIGNAL: "signal",
    Meanwhile.QUEUE: "queue",
    Meanwhile.REFUSE: "refuse",
}
_AGAIN: Mapping[tuple[Again, str], Move] = {
    (Again.RESUME, "failed"): "resume",
    (Again.RESUME, "cancelled"): "resume",
    (Again.RESUME, "succeeded"): "same",
    (Again.REFUSE, "failed"): "refuse",
    (Again.REFUSE, "cancelled"): "refuse",
    (Again.REFUSE, "succeeded"): "refuse",
}


def move(rule: UidRule, status: str | None) -> Move:
    """``status`` is that of the run that counts; None when there is none."""
    if status is None:
        return "begin"
    if status in OVER:
        return _AGAIN.get((rule.again, status), "begin")
    return _MEANWHILE[rule.open]


def refusal(workflow: str, uid: str, run_id: str, status: str | None) -> ConflictError:
    """``status`` of a run that has ended; None of one that is open."""
    if status is None:
        why = f"run {run_id} of {workflow} is open under the uid {uid!r} (`open: refuse`)"
        return ConflictError(f"{why}; wait for its end, or cancel it")
    why = f"run {run_id} of {workflow} under the uid {uid!r} has {status} (`again: refuse`)"
    return ConflictError(f"{why}; start with another uid, or retry that run if it failed")


def line(workflow: str, uid: str) -> str:
    """The name under which runs of one uid wait for one another."""
    return f"uid:{workflow}:{uid}"


def is_line(name: str) -> bool:
    return name.startswith("uid:")


def line_want(name: str) -> Want:
    return Want(name, 1, LINE)


LONGEST_UID = 256


def uid_of(value: Any) -> str | None:
    """What an expression gave, as a uid; null and an empty text are none."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ExpressionError(f"uid gave {value!r:.80}, not a text")
    if why := uid_problem(value):
        raise ExpressionError(why)
    return value


def uid_problem(uid: str) -> str:
    """Why this cannot be a uid; empty when it can."""
    if is_label(uid, LONGEST_UID):
        return ""
    return f"a uid has 1 to {LONGEST_UID} printable characters, not {uid!r:.40}"


def dedup_key(rule: Dedup, names: Mapping[str, Any]) -> str | None:
    """By what two starts are the same; None: this one is like no other."""
    value = rule.key.evaluate(names)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ExpressionError(f"dedup.key gave {value!r:.80}, not a text")
    if why := uid_problem(str(value)):
        raise ExpressionError(f"dedup.key: {why.replace('a uid', 'a key')}")
    return str(value)
