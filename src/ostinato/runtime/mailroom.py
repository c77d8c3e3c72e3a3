"""What was said to runs here and is not taken: each run hears it in the order it was said.

The rows are the truth. Here are those that were not taken yet, by whom they are for; of each queue
the first is on its way through the engine, and the next one goes when that is stored.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from ostinato.core.run_ids import partition_of
from ostinato.ports import Line, Mail, Partitions
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Post
from ostinato.telemetry.logger import logger

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

log = logger("ostinato.mailroom")

SAFETY = 15_000
"""Milliseconds after which one looks without a hint, where other processes may have said
something."""

NEWER = "a newer version has written it, perhaps: start that one, and it goes on"

ALONE = ("verb", "begin", "accept")
"""What outsiders ask for: each waits for its own answer, and for nobody else's."""

Open = Callable[[Mail], Post | None]


class Sender(Protocol):
    def tell(self, kind: str, about: str = "") -> None: ...


class Mailroom:
    """``open`` says what becomes of mail, by its kind: mostly a post. ``unhinted`` counts what
    was found without a hint: each was late. ``on_safety`` is called when one looks without a hint.
    """

    def __init__(self, engine: Engine, news: Sender) -> None:
        self.engine = engine
        self.alarm = Alarm(engine.clock, engine.wake)
        self.open: dict[str, Open] = {}
        self.unhinted = 0
        self.on_safety: Callable[[], None] = lambda: None
        self._news = news
        self._queues: dict[str, deque[Mail]] = {}
        self._lines: set[Line] = set()
        self._unreadable: set[str] = set()
        self._hinted: set[int] = set()
        self._look_at: float = inf  # without a hint, however many there are for other partitions
        self._found = Counter[int]()  # by a look of its own, where the hint may be on its way still
        self._known = False  # what was said before: it is heard first

    def __len__(self) -> int:
        """What was said and is not taken."""
        return len(self._lines)

    def has(self, mail: Mail) -> bool:
        """It is not taken yet."""
        return mail.line in self._lines

    # what comes

    def said(self, mail: Mail) -> None:
        """It is stored. Mail for others is taken there; what must not overtake what others have
        said is read in its order."""
        if self.engine.territory.has(mail.place):
            if mail.kind == "hangup" and not self.engine.territory.whole:
                self.hinted(str(mail.place))
            else:
                self.bring(mail)
        else:
            self._news.tell("mail", str(mail.place))

    def bring(self, mail: Mail) -> None:
        """Whoever is told hears it after what was said before."""
        if not self._known or mail.line in self._lines:
            return
        if not self.engine.territory.has(mail.place):
            return
        self._lines.add(mail.line)
        queue = self._queues.setdefault(_whose(mail), deque())
        queue.append(mail)
        if len(queue) == 1:
            self._send(mail)

    def hinted(self, partition: str) -> None:
        """Something lies there, as another process says."""
        if partition.isdigit() and self.engine.territory.has(int(partition)):
            self._hinted.add(int(partition))
            self._found.pop(int(partition), None)
            self.alarm.expect(0)

    def look(self) -> None:
        """A hint may have been lost."""
        self._hinted |= self.engine.territory.owned or frozenset()
        if self._hinted:
            self.alarm.expect(0)

    async def refresh(self, partitions: Partitions | None) -> None:
        """What the store holds: who had these partitions before has left it."""
        there = await self.engine.storage.mail(partitions)
        self._known = True
        for mail in there:
            self.bring(mail)
        self._set_alarm()

    async def run_once(self, now: int) -> int:
        """Between two ticks, when memory and store agree."""
        if not self.alarm.is_due(now):
            return 0
        hinted, self._hinted = self._hinted, set()
        before = len(self)
        try:
            if hinted:
                await self._look_in(frozenset(hinted))
            if now >= self._look_at:
                await self._look_everywhere()
        except BaseException:
            self._hinted |= hinted
            raise
        self._set_alarm()
        return len(self) - before

    async def _look_in(self, partitions: Partitions | None) -> Counter[int]:
        """How much there was that was not known, by partition."""
        there = await self.engine.storage.mail(partitions)
        new = Counter(mail.place for mail in there if mail.line not in self._lines)
        for mail in there:
            self.bring(mail)
        return new

    async def _look_everywhere(self) -> None:
        """What was found by the look before this, and never hinted at since, was late by that."""
        found = await self._look_in(self.engine.territory.owned)
        if late := self._found.total():
            self.unhinted += late
            log.warning("hint.lost", letters=late)
        self._found = found
        self.on_safety()
        self._look_at = inf

    def _set_alarm(self) -> None:
        whole = self.engine.territory.owned is None
        if self._look_at == inf and not whole:
            self._look_at = self.engine.clock.now() + SAFETY
        self.alarm.set(None if whole else int(self._look_at))
        if self._hinted:
            self.alarm.expect(0)

    # what goes

    def _send(self, mail: Mail) -> None:
        """What cannot be opened stays where it is, and what was said to the same run behind it."""
        if (open := self.open.get(mail.kind)) is None:
            log.error("mail.unknown", kind=mail.kind, hint=NEWER)
            return
        try:
            post = open(mail)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            log.error("mail.unreadable", kind=mail.kind, run=mail.to, error=said, hint=NEWER)
            return
        if post is not None:
            self.engine.post(post)

    def taken(self, mail: Mail) -> None:
        self._lines.discard(mail.line)
        queue = self._queues.get(_whose(mail))
        if queue is None or queue[0].line != mail.line:
            return  # its partition is another process's by now
        queue.popleft()
        if queue:
            self._send(queue[0])
        else:
            del self._queues[_whose(mail)]

    def give(self, partitions: Partitions) -> None:
        """Another process takes what lies there."""
        self._hinted -= partitions
        for partition in partitions:
            self._found.pop(partition, None)
        for name, queue in list(self._queues.items()):
            if queue[0].place in partitions:
                self._lines -= {mail.line for mail in queue}
                self._unreadable.discard(name)
                del self._queues[name]

    def on_readable(self, run_id: str) -> None:
        """What it could not be told, because it could not be loaded, it is told now."""
        if run_id in self._unreadable:
            self._unreadable.discard(run_id)
            self._send(self._queues[run_id][0])

    def unreadable(self, run_id: str) -> None:
        self._unreadable.add(run_id)

    def close(self) -> None:
        self.alarm.close()


class Say(Post):
    """Put mail where whoever has its partition takes it."""

    __slots__ = ("mail",)

    def __init__(self, mail: Mail) -> None:
        super().__init__()
        self.mail = mail

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.mail[self.mail.line] = self.mail


class Take(Post):
    """Take mail that only this process's memory is about: ``then`` is called when that is stored.

    Of it the rows are the truth, too: whoever starts anew reads them.
    """

    __slots__ = ("mail", "room", "then")

    def __init__(self, room: Mailroom, mail: Mail, then: Callable[[Mail], None]) -> None:
        super().__init__()
        self.room = room
        self.mail = mail
        self.then = then

    @property
    def partition(self) -> int:
        return self.mail.place

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.mail[self.mail.line] = None

    def done(self, result: Any) -> None:
        self.then(self.mail)
        self.room.taken(self.mail)


def unsaid_by(posts: Iterable[Post]) -> Partitions:
    """Where the runs are of which something is to be said: nobody else may say more of them yet."""
    return frozenset(partition_of(post.mail.caller) for post in posts if isinstance(post, Say))


def _whose(mail: Mail) -> str:
    """What is for a process is heard in the order in which each run says it."""
    said_by = mail.key if mail.kind in ALONE else mail.caller
    return mail.to or f"{mail.place} {said_by}"
