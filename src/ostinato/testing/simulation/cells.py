"""Every construct in every other one that may hold it, as a small document: the cells of a table.

The table is made from the language's own (``generate.pairs``): a word that is new there has no
line in ``SHAPES`` here, and that is an error that says so. The step in question is called ``cell``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ostinato.testing.generate.pairs import BODIES, DOES, JOB_KEYS, PLACES
from ostinato.testing.simulation.parts import Data, N, job, phase

FATES = ("fails", "late", "cancelled", "crashed")

HOLDERS = (*PLACES, *BODIES, "each", "repeat")
"""Places for jobs, what stands in for a job or takes it back, and what does a job many times."""

WORDS = (*DOES, *JOB_KEYS)

AT_WORK: dict[str, Data] = {
    "fails": {"run": "lost", "retry": 1},
    "late": {"run": "hang", "timeout": "200ms", "retry": 1},
    "cancelled": {"run": "hang"},
    "crashed": {"run": "slow"},
}
"""What a job does that meets its fate; keys stand beside it."""

AWAY: dict[str, Data] = {
    "fails": {"http": {"url": "http://peer/refuses"}, "retry": 1},
    "late": {"http": {"url": "http://peer/hangs"}, "timeout": "200ms", "retry": 1},
    "cancelled": {"http": {"url": "http://peer/hangs"}},
    "crashed": {"http": {"url": "http://peer/slow"}},
}
IMPOSSIBLE = "1 / (input.n - 1)"
"""An error that no check can foresee: the runs of cells have number 1."""

NOTHING_MORE = f"${{ {IMPOSSIBLE} }}"
NEVER: Data = {"event": "NEVER"}
SIGN: Data = {"name": "Sign", "outcomes": ["yes", "no"]}
ASKED: Data = {"run": "ask", "callback": True}
OTHERWISE: dict[str, Data] = {"quick": {"run": "quick"}, "stops": {"run": "lost", "retry": 1}}

Shape = Callable[[str], Data | None]


def _by(fails: Any = None, late: Any = None, cancelled: Any = None, crashed: Any = None) -> Shape:
    """None: this cannot happen to it."""
    table = dict(zip(FATES, (fails, late, cancelled, crashed), strict=True))
    return table.__getitem__


def _beside(**members: Any) -> Shape:
    return lambda fate: AT_WORK[fate] | members


CALL: Data = {"call": "below", "with": N}

SHAPES: dict[str, Shape] = {
    "run": AT_WORK.__getitem__,
    "http": AWAY.__getitem__,
    # done in the commit that begins it: nothing can happen to it but a crash
    "emit": _by({"emit": {"type": "TOLD", "data": NOTHING_MORE}}, crashed={"emit": {"type": "A"}}),
    "set": _by({"set": {"a": NOTHING_MORE}}, crashed={"set": {"a": 1}}),
    "end": _by(crashed={"end": "succeeded"}),
    "wait span": _by(
        {"wait": f"{NOTHING_MORE}s"}, {"wait": "1h"}, {"wait": "1h"}, {"wait": "500ms"}
    ),
    "wait until": _by(
        {"wait": {"until": IMPOSSIBLE}},
        {"wait": {"until": "'1h'"}},
        {"wait": {"until": "'1h'"}},
        {"wait": {"until": "'500ms'"}},
    ),
    "wait event": _by(
        {"wait": NEVER | {"match": {"data": {"n": [NOTHING_MORE]}}}},
        {"wait": NEVER | {"timeout": "200ms"}},
        {"wait": NEVER},
        {"wait": NEVER},
    ),
    "call": _by(CALL, CALL | {"timeout": "200ms"}, CALL, CALL),
    "task": _by(
        {"task": {"name": NOTHING_MORE}},
        {"task": SIGN, "timeout": "200ms"},
        {"task": SIGN},
        {"task": SIGN | {"escalate": [{"after": "100ms", "to": "bob"}]}},
    ),
    "needs": _beside(needs=["before"]),
    "when": _beside(when="input.n > 0"),
    "each": _beside(each={"in": "[1, 2]", "as": "one"}),
    "optional": _beside(optional=True),
    "on_error": _beside(on_error="hold"),
    "retry": lambda fate: AT_WORK[fate] | {"retry": {"attempts": 2, "delay": "10ms"}},
    "timeout": lambda fate: {"timeout": "20s"} | AT_WORK[fate],
    "expect": lambda fate: (
        AT_WORK[fate] | {"expect": "true"}
        if fate != "fails"
        else {"run": "quick", "expect": "output == 1", "retry": 1}
    ),
    "callback": _by(
        ASKED | {"with": {"answer": "error"}},
        ASKED | {"timeout": "200ms", "retry": 1},
        ASKED,
        ASKED,
    ),
    "heartbeat": _by(
        ASKED | {"heartbeat": "20s", "with": {"answer": "error"}},
        ASKED | {"heartbeat": "200ms", "retry": 1},
        ASKED | {"heartbeat": "20s"},
        ASKED | {"heartbeat": "20s"},
    ),
    "concurrency": _beside(concurrency={"limit": 1}),
    "rate": _beside(rate={"limit": 3, "per": "1s"}),
    "repeat": lambda fate: (
        AT_WORK[fate] | {"repeat": {"until": "job.attempt > 1", "every": "20ms"}}
        if fate != "fails"
        else {"run": "quick", "repeat": {"until": "false", "every": "20ms", "limit": 2}, "retry": 1}
    ),
    "catch": lambda fate: AT_WORK["fails"] | {"catch": [{"on": "*", "do": AT_WORK[fate]}]},
    "undo": lambda fate: {"run": "quick", "undo": AT_WORK[fate]},
}

RIVAL = job("rival", "hang", timeout="3s", retry=1)
STOP: Data = {"job": "stop", "end": "failed"}
THEN: Data = {"job": "then", "end": "failed"}
TIMELESS = ("wait span", "wait until")
"""They have no time-out of their own: what they are in runs out of time."""


OUTSIDE = ("on_failure", "finally", "undo")
"""They come after the work, whose time is over then: a run's time-out says nothing to them."""


class Cell(NamedTuple):
    """``word`` in ``holder``, and what becomes of it."""

    holder: str
    word: str
    fate: str

    @property
    def happens(self) -> bool:
        """Whether it can."""
        if self.fate == "late" and self.word in TIMELESS and self.holder in OUTSIDE:
            return False
        return SHAPES[self.word](self.fate) is not None

    def document(self) -> Data:
        body = SHAPES[self.word](self._shown) or SHAPES[self.word]("crashed") or {}
        made: Data = {"workflow": "nested"} | _held(self.holder, {"job": "cell"}, body)
        if self.word == "undo" and self.holder != "undo":
            made["phases"].append(phase("then", THEN))
        if self.fate == "late" and self.word in TIMELESS:
            made["timeout"] = "500ms"
        return made

    def below(self) -> dict[str, Data]:
        """The workflow that it calls, if it does: there its fate is met."""
        if self.word != "call":
            return {}
        does = {"fails": "lost", "crashed": "slow"}.get(self._shown, "hang")
        under = phase("p", job("under", does, retry=1))
        return {"below": {"workflow": "below", "phases": [under]}}

    @property
    def takes_back(self) -> bool:
        return "undo" in (self.holder, self.word)

    @property
    def _shown(self) -> str:
        """What takes back is not stopped by a cancel: it has an end of its own."""
        return "crashed" if self.takes_back and self.fate == "cancelled" else self.fate

    @property
    def mark(self) -> bytes:
        """What a record says, in which this step is first heard of in its holder."""
        if self.takes_back:
            return b":undo"
        if "catch" in (self.holder, self.word):
            return b"job.caught"
        return b"cell"


def _held(holder: str, named: Data, body: Data) -> Data:
    before, cell = job("before", "quick"), named | body
    first = [before] if "needs" in body else []
    match holder:
        case "on_failure":
            return {"phases": [phase("p", STOP)], "on_failure": [*first, cell]}
        case "finally":
            return {"phases": [phase("p", job("work", "quick"))], "finally": [*first, cell]}
        case "undo":
            taken_back = named | {"run": "quick", "undo": body}
            return {"phases": [phase("p", taken_back), phase("then", STOP)]}
        case "catch":
            outer = named | {"run": "fail", "catch": [{"on": "*", "do": body}]}
            return {"phases": [phase("p", outer)]}
        case "each":
            many = {"each": {"in": "[1, 2]", "as": "two"}} | cell
            return {"phases": [phase("p", before, many)]}
        case "repeat":
            again = {"repeat": {"until": "job.attempt > 1", "every": "20ms"}} | cell
            return {"phases": [phase("p", before, again)]}
        case "race phase":
            return {"phases": [phase("first", before), phase("p", cell, RIVAL, mode="race")]}
        case "phase with enough":
            return {"phases": [phase("first", before), phase("p", cell, RIVAL, enough=1)]}
        case "phase with each":
            each = {"in": "[1, 2]", "as": "item"}
            return {"phases": [phase("p", before, cell, each=each)]}
        case "parallel phase" | "sequential phase":
            return {"phases": [phase("p", before, cell, mode=holder.partition(" ")[0])]}
    raise LookupError(f"nobody has said how a cell stands in {holder!r}: add it to cells._held")


def cells(holder: str, fate: str) -> list[Cell]:
    """A key stands in its job once, so it cannot hold itself."""
    return [Cell(holder, word, fate) for word in WORDS if word != holder]
