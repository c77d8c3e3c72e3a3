"""What a node of the graph does: the words of a workflow document, read once and frozen.

Durations are whole milliseconds. A ``Template`` is a value with expressions in it; an
``Expression`` is one expression.
"""

from __future__ import annotations

import enum
from fnmatch import fnmatchcase

import msgspec

from ostinato.core.expressions import Expression, Template


class Kind(enum.Enum):
    START = "start"
    END = "end"
    JOB = "job"
    GATEWAY = "gateway"
    SCOPE = "scope"
    UNDO = "undo"  # the scope in which what was done is taken back


class Join(enum.Enum):
    """When a node with several incoming flows is entered (BPMN 2.0.2 chapter 13.4)."""

    EACH = "each"  # every token enters (exclusive gateway, plain activity)
    ALL = "all"  # one token on every incoming flow (parallel gateway, `needs`)
    SOME = "some"  # no further token can come (inclusive gateway)


class Split(enum.Enum):
    """Which outgoing flows get a token."""

    ALL = "all"  # every one (parallel gateway, plain activity)
    FIRST = "first"  # the first whose guard is true, else the default (exclusive gateway)
    SOME = "some"  # every one whose guard is true, else the default (inclusive gateway)


class Retry(msgspec.Struct, frozen=True):
    """``attempts`` counts the first one. ``on`` and ``never`` are globs over error names."""

    attempts: int = 3
    delay: int = 1_000
    factor: float = 2.0
    max_delay: int = 3_600_000
    jitter: float = 0.2
    within: int | None = None
    on: tuple[str, ...] = ("*",)
    never: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True, tag=True):
    """Call the handler (or offer the topic) of this name."""

    handler: str


class Emit(msgspec.Struct, frozen=True, tag=True):
    """Publish an event; the job's input is ``{type, data, subject?, source?, headers?, bus?}``."""


class Set(msgspec.Struct, frozen=True, tag=True):
    """The job's input becomes variables of the run."""


class WaitUntil(msgspec.Struct, frozen=True, tag=True):
    """Until a span has passed, or until an instant that the job's input gives as ``until``."""

    span: int | None = None


class WaitEvent(msgspec.Struct, frozen=True, tag=True):
    """Until an event of one of these types matches; the job's input is the pattern.

    ``paths`` are the members whose values are known by equality: they make the key by which
    an event finds the wait. ``look_back`` says how far back an event may have come:
    None = since the run's own trigger, 0 = not at all.
    """

    types: tuple[str, ...]
    paths: tuple[str, ...] = ()
    look_back: int | None = None


class Task(msgspec.Struct, frozen=True, tag=True):
    """Until a person has answered; the job's input is what is asked."""


class End(msgspec.Struct, frozen=True, tag=True):
    """The run ends here: ``status`` is succeeded, failed or cancelled."""

    status: str


class Call(msgspec.Struct, frozen=True, tag=True):
    """Another workflow: the job's input becomes its run's.

    ``target`` gives ``{workflow, version?, uid?}``.
    """

    target: Template


Action = Run | Emit | Set | WaitUntil | WaitEvent | Task | End | Call


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """Do it again ``every`` so many ms until the condition holds, at most ``limit`` times."""

    until: Expression
    every: int
    limit: int = 1_000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """``timeout`` is for one attempt; for a wait, a task, a call or a callback it is for the whole.

    ``heartbeat`` is for a callback, also one of a handler that returned ``Later()``.
    ``catch``: the first that fits the error stands in for the job once it has failed for good.
    """

    action: Action
    input: Template | None = None
    retry: Retry = Retry()
    timeout: int | None = None
    expect: Expression | None = None
    callback: bool = False
    heartbeat: int | None = None
    repeat: Repeat | None = None
    catch: tuple[Catch, ...] = ()


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """For errors with one of these names (globs): do ``job``, or give ``output``."""

    on: tuple[str, ...]
    job: Job | None = None
    output: Template | None = None

    def fits(self, error: str) -> bool:
        return any(fnmatchcase(error, glob) for glob in self.on)


class OnError(enum.Enum):
    """What happens around a job that has failed for good."""

    CANCEL = "cancel"  # running siblings are cancelled
    FINISH = "finish"  # they may end first
    HOLD = "hold"  # the job waits for an operator


class Overflow(enum.Enum):
    """What happens to who finds no place."""

    QUEUE = "queue"  # it waits for its turn
    REJECT = "reject"  # it fails
    CANCEL = "cancel-running"  # who has the place is cancelled for it


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """``limit`` at the same time per value of ``key``; with ``per`` (ms) so many in that time."""

    key: Expression | None = None
    limit: int
    overflow: Overflow = Overflow.QUEUE
    per: int | None = None


class Again(enum.Enum):
    """What a start does when the earlier run of its uid is over."""

    NEW = "new"  # another run begins
    RESUME = "resume"  # one that has failed or was cancelled goes on
    REFUSE = "refuse"  # it is an error


class Meanwhile(enum.Enum):
    """What a start does while the run of its uid is open."""

    SAME = "same"  # it is answered with that run
    SIGNAL = "signal"  # that run hears of it
    QUEUE = "queue"  # it begins when that run has ended
    REFUSE = "refuse"  # it is an error


class UidRule(msgspec.Struct, frozen=True, kw_only=True):
    """``key`` makes the uid of a start that brings none."""

    key: Expression | None = None
    again: Again = Again.NEW
    open: Meanwhile = Meanwhile.SAME


class Dedup(msgspec.Struct, frozen=True, kw_only=True):
    """Starts with the same ``key`` are one for ``window`` ms after the first."""

    key: Expression
    window: int


class Each(msgspec.Struct, frozen=True, kw_only=True):
    """``tolerate`` items may fail: a number, or a share of all items when ``percent``."""

    items: Expression
    name: str
    at_once: int = 10
    tolerate: float = 0
    percent: bool = False

    def may_fail(self, total: int) -> int:
        return int(total * self.tolerate / 100) if self.percent else int(self.tolerate)
