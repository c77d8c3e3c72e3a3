"""What the engine asks of the world: a store, a bus, a clock.

Adapters implement these; the runtime sees nothing else of them. ``testing.storage_contract``
is the definition of a store in tests: behaviour that is not there is not promised.

A store keeps what it is given and decides nothing. There is one way to write, ``commit``, and a
batch is whole or nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import Struct

from ostinato.core.cloudevents import Event
from ostinato.core.commands import Want
from ostinato.core.schedules import Schedule


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


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way out. ``number`` is given by the store, in the order of commits."""

    event: Event
    run_id: str = ""
    number: int = 0


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


@dataclass(slots=True)
class Removal:
    """What is old enough to go. What is no longer so by then (a run that goes on) stays.

    Runs go with all that is theirs: their histories are gone to every reader at once, and are
    deleted ``rows`` records at a time. ``replies`` (scope, key) go when they had expired ``at``
    that time. The newest event stays.
    """

    at: int = 0
    rows: int = 0
    runs: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    replies: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AgedEvent:
    """An event as it is judged for removal. ``keyed``: a wait could find it; ``place`` rises."""

    place: int
    source: str
    id: str
    type: str
    received_at: int
    keyed: bool


Owner = tuple[str, str]
"""(run, key of the step, or "" for the run itself)."""


class Turn(Struct, frozen=True, gc=False):
    """Someone who waits for places. One per (run, key)."""

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


@dataclass(slots=True)
class Batch:
    """Everything one tick writes. ``epoch`` is the writer's: a store refuses a stale one whole.

    Order inside a batch: runs end before others open, so a ``uid`` can pass from one to the next;
    ``closed_waits`` (run, key) go after ``waits``, ``retired`` (workflow, version) before
    ``versions``; ``freed`` (turns and places of these owners go away) before ``turns``, ``served``
    (turns go away) after them. ``buckets``: when each rate's is full again, in µs.
    ``versions``, ``dropped_schedules`` (ids) before ``schedules``, which replace those of their id.
    ``versions``, ``removal`` after all. ``redriven`` are dead letters as they are from now on; one
    that is not there, or was redriven before, is refused.
    """

    epoch: int = 0
    events: list[StoredEvent] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    new_heads: list[Head] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    closed_waits: list[tuple[str, str]] = field(default_factory=list)
    timers: dict[tuple[str, str, str], int | None] = field(default_factory=dict)
    outgoing: list[Outgoing] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    retired: list[tuple[str, int]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    freed: list[Owner] = field(default_factory=list)
    turns: dict[Owner, Turn] = field(default_factory=dict)
    served: list[Owner] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    buckets: dict[str, int] = field(default_factory=dict)
    dropped_schedules: list[str] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    redriven: list[DeadLetter] = field(default_factory=list)
    removal: Removal | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, newest first: at most ``limit`` items after ``cursor`` (an id)."""

    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs; every member that is given narrows the list.

    ``text`` is a part of the id, the uid, the workflow or the error message; ASCII letters fit in
    either case.
    """

    status: tuple[str, ...] = ()
    workflow: str | None = None
    uid: str | None = None
    waiting_for: str | None = None
    failed_since: int | None = None
    text: str | None = None
    id_prefix: str | None = None


class RunGroup(Struct, frozen=True, gc=False):
    """Runs that are in the same state for the same reason. ``oldest`` is the id of one of them."""

    workflow: str
    status: str
    waiting_for: str | None
    error_name: str | None
    error_message: str | None
    count: int
    oldest: str
    newest: str
    started_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class EventQuery:
    type: str | None = None
    source: str | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class LetterQuery:
    """Which dead letters. ``text`` is a part of the id, the target, the event's id, source or
    type, or the reasons; ASCII letters fit in either case. ``oldest_first`` turns the list round.
    """

    kind: str | None = None
    target: str | None = None
    since: int | None = None
    text: str | None = None
    redriven: bool | None = None
    oldest_first: bool = False


class Storage(Protocol):
    """A durable store. Times are ms since epoch, by the caller's clock.

    Errors: ``StoreLocked`` (another process owns it), ``Fenced`` (stale epoch), ``Refused``
    (the data will never be taken), ``UnknownCommit`` (it may or may not be kept),
    ``StoreError`` (anything else; nothing was kept). Each says how to mend it.
    """

    async def open(self) -> None:
        """Take ownership and bring the tables up to date; safe to repeat."""

    async def close(self) -> None: ...

    async def join(self) -> int:
        """A new epoch for this process. Every older one is stale from now on."""

    async def commit(self, batch: Batch) -> None: ...

    # what the engine reads

    async def history(self, run_id: str, after: int = -1, limit: int | None = None) -> list[Record]:
        """From the record on that holds the fact after number ``after``, in order."""

    async def head(self, run_id: str) -> Head | None: ...

    async def busy_runs(self) -> list[str]:
        """Runs whose work was in some process's hands."""

    async def open_runs(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """(workflow, uid) → the run that is open under it."""

    async def due_timers(self, now: int, limit: int) -> list[Timer]:
        """Timers due by ``now``, oldest first."""

    async def next_timer(self) -> int | None: ...

    async def schedules(self, ids: Sequence[str] | None = None) -> list[Schedule]:
        """By id; all of them without ``ids``."""

    async def due_schedules(self, now: int, limit: int) -> list[Schedule]:
        """Schedules due by ``now``, oldest first."""

    async def next_schedule(self) -> int | None:
        """When the next one is due."""

    async def find_waits(self, type: str, values_keys: Sequence[str]) -> list[Wait]: ...

    async def early_events(self, type: str, values_key: str, since: int) -> list[Event]:
        """Accepted events that a wait with this key may look back to, oldest first."""

    async def missed(self) -> list[tuple[Wait, Event]]:
        """Open waits, and the events they should have found: after a crash between the two.

        Oldest event first. The store does not know what a run has had already, nor its trigger.
        """

    async def known_events(
        self, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], StoredEvent]:
        """(source, id) → what was accepted under it."""

    async def reply(self, scope: str, key: str, now: int) -> Reply | None: ...

    async def outbox(self, limit: int) -> list[Outgoing]:
        """What is to be sent, in the order of commits."""

    async def versions(self) -> list[Version]:
        """Every version, retired ones too: their runs go on, and numbers are given once."""

    async def places(self) -> list[Place]: ...

    async def turns(self) -> list[Turn]:
        """In the order in which they were stored."""

    async def buckets(self) -> dict[str, int]: ...

    # what lists and pages read

    async def runs(self, query: RunQuery, page: Page) -> list[Head]:
        """Newest first, which is by id: run ids are time-ordered."""

    async def count_runs(self, query: RunQuery) -> int: ...

    async def run_groups(self, query: RunQuery, limit: int) -> list[RunGroup]:
        """The runs by workflow, status, what they wait for and error; the largest group first.

        ``started_at`` is that of the oldest, ``ended_at`` that of the last that ended.
        """

    async def events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        """Newest first; the cursor is ``received_at/source/id``."""

    async def count_events(self, query: EventQuery) -> int: ...

    async def events_by_id(self, event_id: str) -> list[StoredEvent]:
        """Every accepted event with this id, from whatever source."""

    async def dead_letters(self, query: LetterQuery, page: Page) -> list[DeadLetter]:
        """Newest first, or oldest; the cursor is a letter's id."""

    async def count_dead_letters(self, query: LetterQuery) -> int: ...

    async def dead_letter(self, letter_id: str) -> DeadLetter | None: ...

    # what the janitor reads; everything in small lots, oldest first

    async def over_runs(self, workflow: str, status: str, before: int, limit: int) -> list[str]:
        """Runs of this workflow that ended before then, with this status."""

    async def oldest_open(self) -> dict[str, int]:
        """Workflow → when the oldest of its open runs started."""

    async def aged_events(self, after: int, limit: int) -> list[AgedEvent]:
        """Events in the order they came, from the one behind place ``after``; not the newest."""

    async def aged_letters(self, before: int, limit: int) -> list[str]: ...

    async def expired_replies(self, now: int, limit: int) -> list[tuple[str, str]]: ...

    async def unswept(self) -> bool:
        """Whether records of removed runs are still to be deleted."""


class Bus(Protocol):
    """Takes events out and brings events in. ``send`` returns once the bus has them."""

    async def send(self, events: Iterable[Event]) -> None: ...

    async def subscribe(
        self, type: str, deliver: Callable[[Sequence[Event]], Awaitable[Any]]
    ) -> None:
        """``deliver`` is awaited per lot of events; an error asks the bus to send it again."""


class Archive(Protocol):
    """Where runs are kept before they are removed."""

    async def keep(self, day: str, lines: Sequence[bytes]) -> None:
        """Add lines of JSON to those of a day (``2027-01-31``). Durable when this returns."""


class Clock(Protocol):
    def now(self) -> int:
        """Wall time in ms since epoch."""
