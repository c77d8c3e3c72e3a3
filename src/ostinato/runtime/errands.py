"""What is another process's to do: said there by mail, done there, and answered.

Whoever asks is answered by a row: it is kept with what was done, and a hint says that it is there.
So nothing is done twice, and an answer is not lost with a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from ostinato import errors
from ostinato.core.run_ids import HUB
from ostinato.errors import OstinatoError, Refused, Unready
from ostinato.ports import Mail, Reply
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.answers import Answer
from ostinato.runtime.change import Change
from ostinato.runtime.mailroom import Mailroom
from ostinato.runtime.news import News
from ostinato.runtime.posts import Errand, NotYet, Pair, Post
from ostinato.runtime.resident import Abroad
from ostinato.telemetry.logger import logger

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

log = logger("ostinato.errands")

SCOPE = "errand"
"""Of the answers, among those to idempotency keys."""

KEPT = 600_000
"""Milliseconds for which an answer is kept: whoever asked has died, or has it by then."""

EARLY = 1_000
"""Hints at answers that are remembered before it is known here that the errand was stored."""

SAFETY = 15_000
"""Milliseconds after which one looks for answers without a hint."""

IN_HAND: ContextVar[Mail | None] = ContextVar("ostinato-in-hand", default=None)
"""The letter that asks for the verb which is done here; None: it is asked for here."""

Done = Callable[[Mail], Post]
Call = Callable[[str, Raw], Awaitable[Raw]]


class Errands:
    """``does`` says what becomes of an errand that comes here, by its kind. ``unhinted`` counts
    answers that were found without a hint: each was late."""

    def __init__(self, engine: Engine, room: Mailroom, news: News, member: str) -> None:
        self.engine = engine
        self.room = room
        self.news = news
        self.member = member
        self.alarm = Alarm(engine.clock, engine.wake)
        self.unhinted = 0
        self._look_at: float = inf  # without a hint, however many there are for others
        self._waiting: dict[str, Post] = {}
        self._hinted: dict[str, None] = {}
        self._early: dict[str, None] = {}
        self._calls: set[asyncio.Task[None]] = set()

    def does(self, kind: str, make: Done) -> None:
        self.room.open[kind] = lambda mail: Serve(self, mail, make(mail))

    def serve(self, call: Call) -> None:
        """``call`` does a verb: its name, what it is given, and what comes of it, as JSON."""
        self.room.open["verb"] = lambda mail: self._call(call, mail)

    def _call(self, call: Call, mail: Mail) -> None:
        task = asyncio.create_task(self._called(call, mail), name="ostinato-verb")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _called(self, call: Call, mail: Mail) -> None:
        IN_HAND.set(mail)
        name, body = msgspec.json.decode(mail.body, type=tuple[str, Raw])
        try:
            told = Answer(await call(name, body))
        except (errors.Unready, errors.Fenced, errors.NothingIsRunning):
            return  # the next hub does it
        except OstinatoError as error:
            told = Answer.of(error)
        except Exception as error:
            log.exception("verb.broken", verb=name)
            told = Answer(error="OstinatoError", message=f"{type(error).__name__}: {error}")
        if self.room.has(mail):  # else it was answered with what it has changed
            self.engine.post(Finish(self, mail, told))

    async def do(self, mail: Mail, make: Callable[[asyncio.Future[Any]], Post]) -> Any:
        """The one thing that a verb changes, and the answer to whoever asked for it, as one: what
        the post reports is what the verb gives."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.engine.post(Serve(self, mail, make(answer)))
        return await answer

    # what is said to others

    def send(self, post: Post, partition: int) -> None:
        """A post that cannot be done here."""
        errand = post.errand()
        if errand is None:
            post.dropped()
            return
        try:
            self.engine.post(Send(self, post, errand, partition))
        except Unready as error:  # who stops here would not hear the answer
            post.failed(error)

    def sent(self, key: str, post: Post) -> None:
        if post.waits:
            self._waiting[key] = post
            self._look_at = min(self._look_at, self.engine.clock.now() + SAFETY)
            self.alarm.expect(int(self._look_at))
            if key in self._early:
                self.hinted(key)

    # what is answered

    def answered(self, key: str) -> None:
        """Its answer is stored. Whoever asked may be here: the partition may have come since."""
        self.hinted(key)
        self.news.tell("reply", key)

    def hinted(self, key: str) -> None:
        """It may be another's, or come before this process hears that its errand is stored."""
        if key in self._waiting:
            self._hinted[key] = None
            self.alarm.expect(0)
            return
        self._early[key] = None
        if len(self._early) > EARLY:
            del self._early[next(iter(self._early))]

    def look(self) -> None:
        """A hint may have been lost."""
        for key in self._waiting:
            self.hinted(key)

    async def run_once(self, now: int) -> int:
        if not self.alarm.is_due(now):
            return 0
        hinted, self._hinted = self._hinted, {}
        try:
            done = await self._look_for_all(hinted, now)
            late = 0 if now < self._look_at else await self._look_for_all(self._waiting, now)
        except BaseException:
            self._hinted |= hinted
            raise
        if late:
            self.unhinted += late
            log.warning("hint.lost", answers=late)
        self._set_alarm(now)
        return done + late

    def _set_alarm(self, now: int) -> None:
        if not self._waiting:
            self._look_at = inf
        elif now >= self._look_at:
            self._look_at = now + SAFETY
        self.alarm.set(None if self._look_at == inf else int(self._look_at))
        if self._hinted:  # meanwhile
            self.alarm.expect(0)

    async def _look_for_all(self, keys: Iterable[str], now: int) -> int:
        """Of how many there was an answer."""
        return sum([await self._look_for(key, now) for key in list(keys)])

    async def _look_for(self, key: str, now: int) -> bool:
        reply = await self.engine.storage.reply(SCOPE, key, now)
        if reply is None or (post := self._waiting.pop(key, None)) is None:
            return False
        _hand(post, reply.answer)
        return True

    def close(self) -> None:
        self.alarm.close()
        for task in self._calls:
            task.cancel()
        for post in self._waiting.values():
            post.failed(Unready("the engine has stopped before the answer came; ask again"))


def _hand(post: Post, body: bytes) -> None:
    answer = msgspec.json.decode(body, type=Answer)
    if answer.error:
        post.failed(answer.raised())
    else:
        post.arrived(answer.result)


class Verb(Post):
    """Ask whoever has the hub for something that is more than a post."""

    __slots__ = ("body", "name")

    def __init__(self, name: str, body: bytes, answer: asyncio.Future[Raw]) -> None:
        super().__init__(answer)
        self.name = name
        self.body = body

    async def ready(self, engine: Engine) -> None:
        raise Abroad(HUB)

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        raise AssertionError("it is always said to somebody")

    def errand(self) -> Errand:
        return Errand("verb", "", msgspec.json.encode((self.name, Raw(self.body))))

    def arrived(self, said: Raw) -> None:
        self.done(said)


class Finish(Post):
    """The answer to a verb. It is done again by the next hub where this is not stored."""

    __slots__ = ("body", "errands", "mail")

    def __init__(self, errands: Errands, mail: Mail, told: Answer) -> None:
        super().__init__()
        self.errands = errands
        self.mail = mail
        self.body = msgspec.json.encode(told)

    @property
    def partition(self) -> int:
        return self.mail.place

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.mail[self.mail.line] = None
        change.rows.replies.append(Reply(SCOPE, self.mail.key, "", self.body, now, now + KEPT))

    def done(self, result: Any) -> None:
        self.errands.room.taken(self.mail)
        self.errands.answered(self.mail.key)


class Send(Post):
    """Keep an errand where another process finds it. Whoever waits is told what comes back."""

    __slots__ = ("errand_", "errands", "mail", "post", "to")

    def __init__(self, errands: Errands, post: Post, errand: Errand, partition: int) -> None:
        super().__init__(post.answer)
        self.errands = errands
        self.post = post
        self.errand_ = errand
        self.to = partition
        self.mail: Mail

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        kind, run_id, body = self.errand_
        key, waits = engine.identity.event_id(now), self.post.waits
        self.mail = Mail(kind, run_id, self.errands.member, key, int(waits), body, self.to)
        change.rows.mail[self.mail.line] = self.mail

    def done(self, result: Any) -> None:
        """Not the end: that is the answer."""
        if not self.post.waits:
            self.post.done(None)
        else:
            self.errands.sent(self.mail.key, self.post)

    def failed(self, error: BaseException) -> None:
        self.post.failed(error)


class Serve(Post):
    """Do what another process was asked for, and answer it, as one."""

    __slots__ = ("broken", "errands", "error", "mail", "post")

    def __init__(self, errands: Errands, mail: Mail, post: Post) -> None:
        super().__init__()
        self.errands = errands
        self.mail = mail
        self.post = post
        self.error: OstinatoError | None = None
        self.broken = False

    @property
    def partition(self) -> int:
        return self.mail.place

    @property
    def pairs(self) -> Sequence[Pair]:
        return self.post.pairs

    def looks_again(self) -> bool:
        return self.post.looks_again()

    async def ready(self, engine: Engine) -> None:
        self.error = None
        try:
            await engine.make_ready(self.post)
        except Abroad:
            raise
        except OstinatoError as error:
            if isinstance(error, errors.StoreError) and not isinstance(error, Refused):
                raise
            self.error = error

    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        result = None
        if self.error is None:
            try:
                result = self.post.apply(engine, change, now)
            except OstinatoError as error:  # nothing was changed
                self.error = error
            except NotYet:
                raise
            except Exception:  # ours to mend; who waits must not wait for ever
                self.broken = True
                raise
        change.rows.mail[self.mail.line] = None
        self._answer(change, result, self.error, now)
        return result

    def _answer(self, change: Change, result: Any, error: OstinatoError | None, now: int) -> None:
        if not self.mail.attempt:
            if error is not None:
                log.warning("errand.refused", kind=self.mail.kind, error=str(error))
            return
        told = (
            Answer(Raw(msgspec.json.encode(self.post.report(result))))
            if error is None
            else Answer.of(error)
        )
        body = msgspec.json.encode(told)
        change.rows.replies.append(Reply(SCOPE, self.mail.key, "", body, now, now + KEPT))

    def done(self, result: Any) -> None:
        if self.error is None:
            self.post.done(result)
        else:
            self.post.failed(self.error)
        self.errands.room.taken(self.mail)
        if self.mail.attempt:
            self.errands.answered(self.mail.key)

    def dropped(self) -> None:
        """Whoever has the partition by now takes the mail."""

    def failed(self, error: BaseException) -> None:
        if isinstance(error, Refused) or self.broken:  # the store takes nothing of it
            self.errands.engine.post(Undone(self, error))


class Undone(Post):
    """An errand that came to nothing is answered all the same."""

    __slots__ = ("error", "serve")

    def __init__(self, serve: Serve, error: BaseException) -> None:
        super().__init__()
        self.serve = serve
        if not isinstance(error, OstinatoError):
            error = OstinatoError(f"{type(error).__name__}: {error}")
        self.error = error

    @property
    def partition(self) -> int:
        return self.serve.mail.place

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        change.rows.mail[self.serve.mail.line] = None
        self.serve._answer(change, None, self.error, now)

    def done(self, result: Any) -> None:
        self.serve.error = self.error
        self.serve.done(None)
