"""A run as it stands: a tree of scope instances with steps in them, and tokens.

Only ``fold`` writes here. A token is in one of three places: in an open step, in an open child
scope (both are in ``Scope.live``), or resting on a flow before a join (``Scope.resting``).
A scope with none of them is over.

Step key = the path of scope keys and names: ``deploy[3]/push#2`` is the second activation of
``push`` for the fourth item of ``deploy``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Raw

from ostinato.core.callers import Caller
from ostinato.core.facts import Failure
from ostinato.core.graph import Graph, Node
from ostinato.core.model import Catch, Job

RunStatus = Literal["pending", "running", "waiting", "paused", "succeeded", "failed", "cancelled"]
JobStatus = Literal[
    "pending", "ready", "running", "waiting", "succeeded", "failed", "skipped", "cancelled",
    "undone",
]  # fmt: skip

RUN_STATUSES: tuple[str, ...] = get_args(RunStatus)
OVER = ("succeeded", "failed", "cancelled")
OPEN_STATUSES = tuple(status for status in RUN_STATUSES if status not in OVER)
JOB_STATUSES: tuple[str, ...] = get_args(JobStatus)
"""As everyone sees them; to the rules a job that is asked to stop is ``cancelling``."""

WAITING_FOR = (
    "event", "timer", "task", "callback", "call", "joined", "ending", "retry", "repeat", "turn",
    "uid", "worker", "repair",
)  # fmt: skip
"""What a run can wait for: :attr:`State.waiting_for` is one of them, or None."""

TAKEN_BACK = ":undo"
"""Behind the key of a step: the step that takes it back."""

LARGE = 16_384
"""Bytes beyond which a value is worth a look before it is copied or shown."""

OPEN = frozenset({"ready", "running", "waiting", "cancelling"})
BUSY = frozenset({"ready", "running", "cancelling"})


class Child(NamedTuple):
    """A run that a step has called: its own, or one that was there (``joined``)."""

    key: str
    attempt: int
    run: str
    workflow: str
    joined: bool = False


class Step:
    """One activation of a job. ``job`` is what it does: the node's job, what stands in for it, or
    what takes it back.

    ``failures`` counts the attempts that failed, ``deaths`` those that died with their process
    after a start fact (``started``). ``due_at`` is when it goes on by itself (a timer, a retry,
    the end of its grace) or its task goes to another person; ``timeout_at`` and ``beat_at`` are
    when it fails. ``waiting_from`` is the number of the fact that made it wait. ``ended_seq`` is
    that of the fact that ended it; ``places`` are the names under which it has a place, or waits
    for one (kind ``turn``).
    ``types`` are those of the events that it waits for; of a call, the run.
    ``topic`` is the name under which the attempt is offered to workers elsewhere; ``worker`` is the
    one of them that has begun it.
    ``undo_input`` is what taking it back will be given, or ``undo_error`` why that is not known.
    """

    __slots__ = (
        "attempt",
        "beat_at",
        "caught",
        "deaths",
        "due_at",
        "ended_at",
        "ended_seq",
        "error",
        "failures",
        "input",
        "job",
        "key",
        "kind",
        "match",
        "node",
        "output",
        "places",
        "ready_at",
        "repeats",
        "scope",
        "started",
        "started_at",
        "status",
        "timeout_at",
        "topic",
        "types",
        "undo_error",
        "undo_input",
        "waiting_from",
        "waiting_since",
        "why",
        "worker",
    )

    def __init__(self, key: str, node: Node, scope: Scope, at: int, job: Job) -> None:
        self.key = key
        self.node = node
        self.job = job
        self.scope = scope
        self.status = "ready"
        self.attempt = 0
        self.failures = 0
        self.deaths = 0
        self.caught: Catch | None = None
        self.repeats = 0
        self.started = False
        self.ready_at = at
        self.started_at: int | None = None
        self.ended_at: int | None = None
        self.ended_seq = -1
        self.due_at: int | None = None
        self.beat_at: int | None = None
        self.timeout_at: int | None = None
        self.input: Raw | None = None
        self.output: Raw | None = None
        self.undo_input: Raw | None = None
        self.undo_error: Failure | None = None
        self.error: Failure | None = None
        self.kind = ""
        self.places: tuple[str, ...] = ()
        self.types: tuple[str, ...] = ()
        self.match: Raw | None = None
        self.topic: str | None = None
        self.worker: str | None = None
        self.why = ""
        self.waiting_since = at
        self.waiting_from = 0

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def shown(self) -> str:
        """The status in the words of users: what is asked to stop is still running."""
        return "running" if self.status == "cancelling" else self.status


class Scope:
    """An instance of a scope node, of an ``each`` (``items`` is set), or of one of its items.

    ``succeeded`` and ``lost`` count the children that have ended with success and otherwise.
    ``latest`` and ``visits`` are by node index: the last activation, and how many there were;
    ``filled`` too: on how many of its incoming flows tokens rest.
    """

    __slots__ = (
        "due_at",
        "elements",
        "ended_at",
        "ended_seq",
        "error",
        "failed",
        "filled",
        "index",
        "item",
        "items",
        "key",
        "latest",
        "live",
        "lost",
        "node",
        "opened_at",
        "parent",
        "prefix",
        "resting",
        "satisfied",
        "status",
        "stopping",
        "succeeded",
        "visits",
    )

    def __init__(self, key: str, node: Node, parent: Scope | None, at: int) -> None:
        self.key = key
        self.prefix = f"{key}/" if key else ""
        self.node = node
        self.parent = parent
        self.status = "running"
        self.stopping = False
        self.error: Failure | None = None
        self.opened_at = at
        self.ended_at: int | None = None
        self.ended_seq = -1
        self.due_at: int | None = None
        self.live: dict[str, Step | Scope] = {}
        self.resting: dict[int, int] = {}
        self.filled: dict[int, int] = {}
        self.latest: dict[int, Step | Scope] = {}
        self.visits: dict[int, int] = {}
        self.items: list[Any] | None = None
        self.elements: list[Scope] = []
        self.failed = 0
        self.succeeded = 0
        self.lost = 0
        self.satisfied = False
        self.index: int | None = None
        self.item: Any = None

    @property
    def empty(self) -> bool:
        return not self.live and not self.resting

    def next_key(self, node: Node) -> str:
        """The key of the next activation of ``node`` here."""
        visits = self.visits.get(node.index, 0)
        return f"{self.prefix}{node.name}#{visits + 1}" if visits else self.prefix + node.name

    @property
    def own_key(self) -> str:
        """The key of the next step of an item of a job's ``each``: its own until it comes again."""
        visits = self.visits.get(self.node.index, 0)
        return f"{self.key}#{visits + 1}" if visits else self.key


NONE_GIVEN: Mapping[str, Raw] = MappingProxyType({})


class State:
    """One run. ``doing`` says what the run is about while it is open: work, stopping, on_failure,
    finally, or repair (an incident). ``heard``: events by (source, id) that continued it, and the
    number of the first fact that says so. ``parent`` has started it; it and every other one of
    ``callers`` waits for its end. ``children`` are the runs that it has called, in order,
    by the id that it gave them. ``signals`` are events for it alone that no wait has
    heard yet."""

    # Most of these stay as they are here in most runs, which pay nothing for them. What each step
    # asks for is set below: Python finds it faster, as long as a run sets no more than 30 of all.
    run_id: str = ""
    uid: str | None = None
    seed: str = ""
    input: Raw | None = None
    event: Raw | None = None
    output: Raw | None = None
    error: Failure | None = None
    cancelled: str | None = None
    halted: bool = False
    held: bool = False  # whether a step ever waited for repair: only then are all looked at
    status: str = "pending"
    started_at: int = 0
    ended_at: int | None = None
    due_at: int | None = None
    now: int = 0
    seq: int = 0
    busy: int = 0
    offered: int = 0  # of those that are busy: no worker is known to have begun them
    undoing: str | None = None
    staged: tuple[str, ...] = ()  # which of undo, on_failure and finally have begun
    places: tuple[str, ...] = ()
    forked_from: str = ""
    signals: tuple[Raw, ...] = ()
    warnings: tuple[str, ...] = ()
    tokens: Mapping[str, str] = MappingProxyType({})  # token to step key, made when asked for
    parent: Caller | None = None
    callers: Sequence[Caller] = ()
    children: Mapping[str, Child] = MappingProxyType({})
    large: Any = None  # of ``fold.large``, for runs that have large values

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.workflow = graph.workflow
        self.version = graph.version
        self.doing = "work"
        self.ended = False
        self.paused = False
        self.queued = False
        self.stuck: tuple[str, tuple[str, ...]] | None = None
        self.given: Mapping[str, Raw] = NONE_GIVEN
        self.vars: dict[str, Any] = {}
        self.steps: dict[str, Step] = {}
        self.scopes: dict[str, Scope] = {"": Scope("", graph.root, None, 0)}
        self.open: dict[str, Step] = {}
        self.to_undo: list[str] = []  # keys, the next one last
        self.heard: dict[tuple[str, str], int] = {}
        self.cache: dict[str, Any] = {}  # decoded values of users, for expressions

    @property
    def root(self) -> Scope:
        return self.scopes[""]

    @property
    def behind(self) -> bool:
        """It waits for the end of another run of its uid."""
        return self.queued and self.places[0].startswith("uid:")

    def has_places(self, key: str) -> bool:
        """The step, or without a key the run itself, has the places that it needs."""
        if not key:
            return bool(self.places) and not (self.queued or self.ended)
        step = self.steps.get(key)
        return step is not None and step.open and bool(step.places) and step.kind != "turn"

    @property
    def depth(self) -> int:
        """How many runs are above it: the one that called it, the one that called that, …"""
        return 0 if self.parent is None else self.parent.depth

    @property
    def first(self) -> str:
        """The run that nobody has called, from which calls lead to this one."""
        return self.run_id if self.parent is None else self.parent.first or self.parent.run

    @property
    def at_work(self) -> bool:
        """Somebody is at work on a job of it, or about to."""
        return self.busy > self.offered

    @property
    def mark(self) -> str:
        """What tells the places of secrets in this run's inputs from anybody's text."""
        seed = self.seed.encode()[:64]
        return hashlib.blake2b(b"secrets", key=seed, digest_size=8).hexdigest()

    @property
    def waiting_for(self) -> str | None:
        """turn, uid, repair, worker, or the kind of the oldest open wait: event, timer, task, …"""
        if self.stuck:
            return "repair"
        if self.queued:
            return "uid" if self.behind else "turn"
        if self.ended or self.paused or self.busy > self.offered:
            return None
        if self.busy:
            return "worker"
        if self.held and any(step.kind == "repair" for step in self.open.values()):
            return "repair"
        oldest = next(iter(self.open.values()), None)
        return None if oldest is None else oldest.kind

    @property
    def input_value(self) -> Any:
        if "input" not in self.cache:
            self.cache["input"] = self._decode_input()
        return self.cache["input"]

    def _decode_input(self) -> Any:
        if self.input is not None:
            return msgspec.json.decode(self.input)
        return self.event_value.get("data") if self.event is not None else {}

    @property
    def event_value(self) -> Any:
        if "event" not in self.cache:
            self.cache["event"] = None if self.event is None else msgspec.json.decode(self.event)
        return self.cache["event"]

    def token(self, key: str) -> str:
        """The callback token of a step: nobody can guess it, and every replay makes the same."""
        mac = hashlib.blake2b(key.encode(), key=self.seed.encode()[:64], digest_size=16)
        return f"{self.run_id}.{mac.hexdigest()}"


def path_of(key: str) -> str:
    """The node's path in a step or scope key: without item indexes and activation numbers."""
    if "[" not in key and "#" not in key and ":" not in key:
        return key
    key = key.removesuffix(TAKEN_BACK)
    return "/".join(part.split("[", 1)[0].split("#", 1)[0] for part in key.split("/"))
