"""What can be asked of the engine. A post reads first (``ready``), then says what it changes.

``apply`` runs without waiting for anything, so all posts of a tick see one moment. Its answer
reaches whoever posted only after the commit.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Raw

from ostinato.core.events import Event, TakenOver
from ostinato.core.run_ids import partition_of
from ostinato.errors import Unready
from ostinato.ports import DeadLetter, Outgoing, Partitions, Timer, Version
from ostinato.runtime.change import Change
from ostinato.runtime.mail import said
from ostinato.runtime.resident import Resident
from ostinato.runtime.slots import AT_WORK

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


Pair = tuple[str, str]

STOPPED = "the engine has stopped before this was stored; start it again to go on"
LOST = (
    "others went on with the runs of this process, which was away for longer than its lease, and "
    "this was not stored; send it again: under the same event id, uid or Idempotency-Key nothing "
    "is done twice"
)
"""Why something was not stored. A process that has lost its runs joins the others again."""


class Errand(NamedTuple):
    """A post as it is said to another process: ``to`` is the run that it is about, if one."""

    kind: str
    to: str
    body: bytes


class Post(ABC):
    """``answer`` is None for what nobody waits for: such a post is tried until it is stored."""

    __slots__ = ("answer",)

    def __init__(self, answer: asyncio.Future[Any] | None = None) -> None:
        self.answer = answer

    @property
    def pairs(self) -> Sequence[Pair]:
        """The events that it brings, by source and id."""
        return ()

    async def ready(self, engine: Engine) -> None:  # noqa: B027 (most need nothing)
        """Load what ``apply`` needs."""

    @abstractmethod
    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        """Say what changes. Raises ``NotYet``, or why it cannot be."""

    @property
    def partition(self) -> int | None:
        """Where the mail lies that it takes: it goes when that is another process's."""
        return None

    @property
    def waits(self) -> bool:
        """Whether what comes of it elsewhere is to be told."""
        return self.answer is not None

    @property
    def last(self) -> bool:
        """Whether a stop still takes it: what handlers have to say that it lets end."""
        return AT_WORK.get()

    def looks_again(self) -> bool:
        """Whether it can be done anew, now that another process was first."""
        return False

    def overtaken(self, engine: Engine) -> bool:
        """Another process was first: whether it comes again."""
        if self.looks_again():
            engine.post_first([self])
            return True
        return False

    def errand(self) -> Errand | None:
        """The same, for the process whose business it is; None: that one knows already."""
        return None

    def report(self, result: Any) -> Any:
        """What another process that has asked for this is told, as JSON can say it."""
        return None

    def arrived(self, said: Raw) -> None:
        """What another process has reported, which did this."""
        self.done(None)

    def dropped(self) -> None:
        """It is another process's business, and that one knows already."""
        self.failed(Unready("another process has this by now; ask again"))

    def done(self, result: Any) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(result)

    def failed(self, error: BaseException) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)


class Afar(NamedTuple):
    """What another process says of a run that it has told something: how many facts came of it."""

    facts: int


class Tell(Post):
    """Tell one run one event. ``fired`` is the timer that this is about, if it is."""

    __slots__ = ("event", "fired", "resident", "run_id")

    resident: Resident

    def __init__(
        self,
        run_id: str,
        event: Event,
        answer: asyncio.Future[Any] | None = None,
        fired: Timer | None = None,
    ) -> None:
        self.run_id = run_id
        self.event = event
        self.answer = answer
        self.fired = fired

    async def ready(self, engine: Engine) -> None:
        there = engine.residents.get(self.run_id)
        self.resident = await engine.residents.load(self.run_id) if there is None else there
        if self.run_id in engine.unreadable:
            engine.readable_again(self.run_id)

    def errand(self) -> Errand | None:
        if self.fired is not None or isinstance(self.event, TakenOver):
            return None
        return Errand("tell" if self.answer is None else "ask", self.run_id, said(self.event))

    def report(self, result: Any) -> Any:
        return 0 if result is None else len(result.facts)

    def arrived(self, said: Raw) -> None:
        self.done(Afar(msgspec.json.decode(said, type=int)))

    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        if self.resident.stale:
            raise NotYet
        if self.fired is not None:
            change.drop_timer(self.fired)
            now = max(now, self.fired.due_at)  # the clock may have been set back since it was due
        if self.resident.state.ended:
            return None
        return engine.tell(change, self.resident, self.event, now)


def told_of(posts: Iterable[Post]) -> Partitions:
    """Where the runs are that hear something by these."""
    return frozenset(partition_of(post.run_id) for post in posts if isinstance(post, Tell))


class Keep(Post):
    """Keep rows that belong to no run: versions of workflows, events that are to be sent, were sent
    or refused."""

    __slots__ = ("dead_letters", "outgoing", "retired", "sent", "versions")

    def __init__(
        self,
        answer: asyncio.Future[Any] | None = None,
        *,
        versions: list[Version] | None = None,
        retired: list[tuple[str, int]] | None = None,
        sent: list[int] | None = None,
        dead_letters: list[DeadLetter] | None = None,
        outgoing: list[Outgoing] | None = None,
    ) -> None:
        self.answer = answer
        self.outgoing = outgoing or []
        self.versions = versions or []
        self.retired = retired or []
        self.sent = sent or []
        self.dead_letters = dead_letters or []

    @property
    def last(self) -> bool:
        """What a bus has had is not sent again."""
        return bool(self.sent) or super().last

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        rows = change.rows
        rows.versions += self.versions
        rows.retired += self.retired
        rows.sent += self.sent
        rows.dead_letters += self.dead_letters
        rows.outgoing += self.outgoing


class NotYet(Exception):
    """The post meets what another one of this tick does: it comes again once that is stored."""


def stored(engine: Engine, change: Change, kind: str, first: str, second: str) -> None:
    """Raises ``NotYet`` when another change of this tick is what brings it."""
    if engine.fresh.get((kind, first, second), change) is not change:
        raise NotYet
