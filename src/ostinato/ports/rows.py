"""What a store keeps: one type per kind of row, and the batch that is written at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from ostinato.core.cloudevents import Event
from ostinato.core.commands import Want
from ostinato.core.run_ids import partition_of
from ostinato.core.schedules import Schedule
from ostinato.ports.jobs import JobChange
from ostinato.ports.operations import Operation, Settled


class Record(Struct, frozen=True, gc=False):
    """The facts of one event of one run: ``data`` is what ``core.codec`` made of them.

    ``seq`` is the number of the first fact; ``version`` the codec's.
    """

    run_id: str
    seq: int
    at: int
    version: int
    data: bytes


class Head(Struct, frozen=True, gc=False):
    """What lists show of a run. ``busy`` says that it has work in some process's hands."""

    run_id: str
    workflow: str
    version: int
    status: str
    started_at: int
    uid: str | None = None
    doing: str = "work"
    waiting_for: str | None = None
    busy: bool = False
    ended_at: int | None = None
    error_name: str | None = None
    error_message: str | None = None
    event_source: str | None = None
    event_id: str | None = None

    @property
    def in_line(self) -> bool:
        """It waits for the end of another run of its uid: many may, and one may be open."""
        return self.waiting_for == "uid"


@dataclass(frozen=True, slots=True)
class Timer:
    """One per (run, key, kind); setting it again moves it."""

    run_id: str
    key: str
    kind: str
    due_at: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A step that looks for an event. ``since`` None: not for one that came before it.

    One per (run, key, type); opening it again replaces it.
    """

    run_id: str
    key: str
    type: str
    values_key: str
    since: int | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An accepted event. ``answer`` (JSON) is what its sender was told, and is told again.

    ``values_keys`` are the keys by which waits may find it.
    """

    event: Event
    received_at: int
    answer: bytes
    values_keys: tuple[str, ...] = ()


class DamagedEvent(Event, frozen=True, gc=False):
    """What a store has of an event that cannot be read any more; ``why`` says what is wrong.

    Its ``data`` is null. A store gives it in the place of the event, so that the others are read.
    """

    why: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way out. ``number`` is given by the store, in the order of commits.

    ``bus`` is the name of the one that it goes to; empty: back to this engine's own triggers.
    """

    event: Event
    run_id: str = ""
    number: int = 0
    bus: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer that was given to an ``Idempotency-Key``; ``digest`` is of the request's body.

    One per (scope, key); another is refused unless this one had expired ``at`` that time.
    """

    scope: str
    key: str
    digest: str
    answer: bytes
    at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a workflow's document. ``digest`` is of its content.

    ``retired`` is the store's to say; storing a version again with the same digest brings it back.
    """

    workflow: str
    version: int
    digest: str
    document: bytes
    created_at: int
    workflow_id: str
    retired: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be processed: the event itself, and every reason (JSON).

    ``kind`` says what ``target`` is: "trigger", its name; "consumer", its workflow, and ``run_id``
    the run that failed; "outgoing", the run that emitted it. ``event`` is None when an older
    version kept the letter without it. ``attempts`` counts redrives that did not fit, too.
    ``redriven_run`` is the run that a redrive started.
    """

    id: str
    at: int
    kind: str
    target: str
    event_source: str
    event_id: str
    reasons: bytes
    event: Event | None = None
    run_id: str | None = None
    attempts: int = 1
    redriven_at: int | None = None
    redriven_by: str | None = None
    redriven_run: str | None = None


EVER = 2**62
"""Later than any time."""


@dataclass(slots=True)
class Removal:
    """What is old enough to go. What is no longer so by then stays: a run that goes on, or that
    went on and has not ended again ``ended_before`` that time.

    Runs go with all that is theirs: their histories are gone to every reader at once, and are
    deleted ``rows`` records at a time. ``replies`` (scope, key) go when they had expired ``at``
    that time. The newest event stays. Operations go unless they are running: ``rows`` of their
    runs at a time, and they themselves with the last.
    """

    at: int = 0
    rows: int = 0
    ended_before: int = EVER
    runs: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    replies: list[tuple[str, str]] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AgedEvent:
    """An event as it is judged for removal. ``keyed``: a wait could find it; ``place`` rises."""

    place: int
    source: str
    id: str
    type: str
    received_at: int
    keyed: bool


Line = tuple[str, str, str, int]
"""Who says what over which call: (kind, run that waits, key of its step, attempt)."""


class Mail(Struct, frozen=True, gc=False):
    """What one run tells another, from the batch that says it to the batch that takes it.

    ``to`` is the run that is told, empty where a process is; ``kind`` says what ``body`` (JSON) is.
    It lies in the ``partition`` of whoever takes it: that of ``to``, unless said otherwise. One per
    line: saying it again replaces it.
    """

    kind: str
    to: str
    caller: str
    key: str
    attempt: int
    body: bytes
    partition: int = -1

    @property
    def place(self) -> int:
        return partition_of(self.to) if self.partition < 0 else self.partition

    @property
    def line(self) -> Line:
        return self.kind, self.caller, self.key, self.attempt


class TaskRow(Struct, frozen=True, gc=False):
    """A task as lists show it. ``asked`` (JSON) is all of it, ``answer`` (JSON) the data of its
    answer. ``key`` and ``attempt`` are those of the step that waits for it.

    ``status`` is pending, completed, or cancelled: the run went on without an answer. Putting a
    row again changes its assignee, and what is asked, while it is pending.
    """

    id: str
    run_id: str
    key: str
    attempt: int
    workflow: str
    name: str
    assignee: str | None
    due_at: int | None
    opened_at: int
    asked: bytes
    status: str = "pending"
    ended_at: int | None = None
    by: str | None = None
    outcome: str | None = None
    answer: bytes | None = None


class TaskEnd(Struct, frozen=True, gc=False):
    """Of several ends of one task the first counts."""

    id: str
    run_id: str
    status: str
    ended_at: int
    by: str | None = None
    outcome: str | None = None
    answer: bytes | None = None


Owner = tuple[str, str]
"""(run, key of the step, or "" for the run itself)."""


class Turn(Struct, frozen=True, gc=False):
    """Someone who waits for places. One per (run, key). Without ``wants`` it cannot be read."""

    run_id: str
    key: str
    priority: int
    wants: tuple[Want, ...]

    @property
    def owner(self) -> Owner:
        return self.run_id, self.key


class Place(Struct, frozen=True, gc=False):
    """The ``n``-th place under ``name`` is taken. One per (name, n): another is refused."""

    name: str
    n: int
    run_id: str
    key: str


class Batch(Struct):
    """Everything one tick writes. ``epoch`` is the writer's: a store refuses a stale one whole.

    Order inside a batch: runs end before others open, so a ``uid`` can pass from one to the next.
    ``closed_waits`` (run, key) go after ``waits``; ``retired`` (workflow, version) before
    ``versions``; ``freed`` (turns and places of these owners go away) before ``turns``, ``served``
    (turns go away) after them; ``dropped_schedules`` (ids) before ``schedules``; ``matched``
    (operation, run) before ``settled``; ``tasks`` and their ends as they stand, and ``jobs``;
    ``removal`` last.

    ``schedules`` and ``operations`` replace those of their id; a run is ``matched`` once.
    ``redriven`` are dead letters as they are from now on; one that is not there, or was redriven
    before, is refused. ``buckets``: when each rate's is full again, in µs; None: it is, and is
    as if it had never been. Of ``mail``, what was taken is None.

    ``known`` is the number of deployments (``Storage.deployed``) of which whoever took the events
    knew; with events in it, a batch of one who did not know of all is refused whole. None: do not
    look.

    ``inline`` is in bytes: a value in a record, event, letter, reply or task that is larger is kept
    once, however many hold it, and as long as one of them does. Who reads does not see that.
    """

    epoch: int = 0
    inline: int = 16_384
    events: list[StoredEvent] = []
    replies: list[Reply] = []
    records: list[Record] = []
    new_heads: list[Head] = []
    heads: dict[str, Head] = {}
    waits: list[Wait] = []
    closed_waits: list[tuple[str, str]] = []
    timers: dict[tuple[str, str, str], int | None] = {}
    outgoing: list[Outgoing] = []
    sent: list[int] = []
    versions: list[Version] = []
    retired: list[tuple[str, int]] = []
    dead_letters: list[DeadLetter] = []
    freed: list[Owner] = []
    turns: dict[Owner, Turn] = {}
    served: list[Owner] = []
    places: list[Place] = []
    buckets: dict[str, int | None] = {}
    dropped_schedules: list[str] = []
    schedules: list[Schedule] = []
    redriven: list[DeadLetter] = []
    operations: list[Operation] = []
    matched: list[tuple[str, str]] = []
    settled: list[Settled] = []
    mail: dict[Line, Mail | None] = {}
    tasks: list[TaskRow | TaskEnd] = []
    removal: Removal | None = None
    jobs: list[JobChange] = []
    known: int | None = None
