"""Dead letters: how a failed consumer leaves one, and how one is redriven.

A redrive marks the letter in the transaction that starts its run, or puts its event back into the
outbox. The store marks a letter once, so a redrive that is repeated changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Raw, field

from ostinato.core import events as e
from ostinato.core.cloudevents import Event, milliseconds, unwrapped
from ostinato.core.letters import (
    CONSUMER,
    INCOMING,
    OUTGOING,
    Fitting,
    attempts_of,
    is_letter,
    judge,
    problems_of,
)
from ostinato.core.routes import OWN
from ostinato.core.state import State
from ostinato.core.views import View
from ostinato.errors import NotFoundError, OstinatoError, Problem
from ostinato.ports import DeadLetter, Outgoing
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Post, stored
from ostinato.runtime.starts import Starter
from ostinato.runtime.wanted import Wanted
from ostinato.telemetry.logger import logger

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

log = logger("ostinato.letters")


class Redriven(View):
    """What came of one letter. ``would`` is the answer of a dry run for what would be redriven."""

    id: str
    outcome: Literal["redriven", "already", "stays", "would"]
    runs: list[str] = field(default_factory=list)
    reasons: list[dict[str, str]] = field(default_factory=list)


def reasons_of(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [
        {"pointer": problem.path, "message": problem.message}
        | ({"hint": problem.hint} if problem.hint else {})
        for problem in problems
    ]


def encoded_reasons(problems: Sequence[Problem]) -> bytes:
    return msgspec.json.encode(reasons_of(problems))


def told(letter: DeadLetter) -> None:
    """In the log, once the letter is stored."""
    log.warning(
        "letter.dead",
        id=letter.id,
        kind=letter.kind,
        target=letter.target,
        event_id=letter.event_id,
        source=letter.event_source,
        reasons=letter.reasons.decode(errors="replace")[:1_000],
    )


def note_failed(engine: Engine, change: Change, state: State, now: int) -> None:
    """A consumer's run that failed for good leaves a letter, in the commit of its failure."""
    if not is_letter(state):
        return
    event, error = event_of(state.event_value or {}), state.error
    message = f"{error.name}: {error.message}" if error else "failed"
    change.rows.dead_letters.append(
        DeadLetter(
            engine.identity.event_id(now),
            now,
            CONSUMER,
            state.workflow,
            event.source,
            event.id,
            encoded_reasons([Problem(message)]),
            event,
            state.run_id,
            attempts_of(state),
        )
    )


class Note(Post):
    """Letters whose ids say what they are about: what is stored already changes nothing."""

    __slots__ = ("letters", "new")

    def __init__(self, letters: Sequence[DeadLetter], answer: asyncio.Future[Any] | None) -> None:
        super().__init__(answer)
        self.letters = letters
        self.new: list[DeadLetter] = []

    async def ready(self, engine: Engine) -> None:
        self.new = [one for one in self.letters if await is_new(engine, one)]

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        note(engine, change, self.new)


async def is_new(engine: Engine, letter: DeadLetter) -> bool:
    return await engine.storage.dead_letter(letter.id) is None


def note(engine: Engine, change: Change, letters: Sequence[DeadLetter]) -> None:
    """Raises ``NotYet`` where another post of this tick brings one of them."""
    for letter in letters:
        stored(engine, change, "letter", letter.id, "")
    for letter in letters:
        engine.fresh["letter", letter.id, ""] = change
    change.rows.dead_letters += list({letter.id: letter for letter in letters}.values())


def event_of(value: dict[str, object]) -> Event:
    """The event of a run, from what expressions see of it."""
    subject = value.get("subject")
    return Event(
        id=str(value["id"]),
        source=str(value["source"]),
        type=str(value["type"]),
        time=milliseconds(value["time"]),
        subject=None if subject is None else str(subject),
        data=Raw(msgspec.json.encode(value["data"])),
        extensions={name: str(value[name]) for name in value.keys() - _MEMBERS} or None,
    )


_MEMBERS = frozenset(("id", "source", "type", "time", "subject", "data"))


def reread(catalog: Catalog, bus: str, kept: Event) -> Fitting:
    """A message as it is read today."""
    try:
        events = tuple(catalog.read_message(bus, unwrapped(kept)))
    except OstinatoError as error:
        return Fitting((), Raw(b""), problems_of(error))
    except Exception as error:  # of an adapter that somebody has written
        return Fitting((), Raw(b""), (Problem(f"{type(error).__name__}: {error}"),))
    if not events:
        return Fitting((), Raw(b""), (Problem(f"bus {bus} wants nothing of it"),))
    return Fitting((), Raw(b""), events=events)


async def judged(engine: Engine, catalog: Catalog, letter: DeadLetter) -> Fitting:
    """What redriving it now would start, or why nothing."""
    if letter.kind == INCOMING and letter.event is not None:
        return reread(catalog, letter.target, letter.event)
    if letter.kind == OUTGOING and (why := catalog.bus_problem(_way_of(letter))):
        return Fitting((), Raw(b""), (Problem(f"bus {why}"),))
    head = None if letter.run_id is None else await engine.storage.head(letter.run_id)
    run = None if head is None else (head.run_id, head.status)
    return judge(catalog, letter.kind, letter.target, letter.event, run)


def _way_of(letter: DeadLetter) -> str:
    """The bus that an event was to go out on: its letter names that, or else its run."""
    return OWN if letter.target == (letter.run_id or "") else letter.target


class Redrive(Post):
    """Redrive one letter, ``by`` someone."""

    __slots__ = ("by", "catalog", "fitting", "letter", "letter_id", "starter", "wanted")

    def __init__(
        self,
        starter: Starter,
        catalog: Catalog,
        letter_id: str,
        by: str,
        answer: asyncio.Future[Redriven] | None,
    ) -> None:
        self.starter = starter
        self.catalog = catalog
        self.letter_id = letter_id
        self.by = by
        self.answer = answer
        self.letter: DeadLetter
        self.fitting: Fitting
        self.wanted: list[Wanted] = []

    async def ready(self, engine: Engine) -> None:
        letter = await engine.storage.dead_letter(self.letter_id)
        if letter is None:
            raise NotFoundError(f"there is no dead letter {self.letter_id!r}")
        self.letter = letter
        self.fitting = await judged(engine, self.catalog, letter)
        try:
            self.wanted = [
                self.starter.wanted_by(start, self.fitting.encoded) for start in self.fitting.starts
            ]
        except OstinatoError as error:
            self.fitting = Fitting((), self.fitting.encoded, problems_of(error))
        else:
            await self.starter.look(self.wanted)

    def apply(self, engine: Engine, change: Change, now: int) -> Redriven:
        letter = self.letter
        stored(engine, change, "letter", letter.id, "")
        if letter.redriven_at is not None:
            runs = [letter.redriven_run] if letter.redriven_run else []
            return Redriven(id=letter.id, outcome="already", runs=runs)
        engine.fresh["letter", letter.id, ""] = change
        if self.fitting.reasons:
            return self._stays(change, self.fitting.reasons)
        try:
            runs = self._send(engine, change, now)
        except OstinatoError as error:
            return self._stays(change, problems_of(error))
        self._mark(change, letter.attempts, letter.reasons, now, runs)
        return Redriven(id=letter.id, outcome="redriven", runs=runs)

    def _send(self, engine: Engine, change: Change, now: int) -> list[str]:
        change.rows.outgoing += self._outgoing(engine, now)
        runs = list[str]()
        for start, one in zip(self.fitting.starts, self.wanted, strict=True):
            run_id, seed = engine.run_id(now), engine.identity.seed()
            begin = e.Start(run_id, seed, one.uid, start.input, self.fitting.encoded)
            name = start.trigger.name
            runs.append(self.starter.start(change, one, begin, now, name).run_id)
        return runs

    def _outgoing(self, engine: Engine, now: int) -> list[Outgoing]:
        """It goes the same way again; what is in a message comes back as if it were emitted."""
        letter = self.letter
        if letter.kind == INCOMING:
            return [Outgoing(event, engine.run_id(now)) for event in self.fitting.events]
        if letter.kind != OUTGOING or letter.event is None:
            return []
        return [Outgoing(letter.event, letter.run_id or "", bus=_way_of(letter))]

    def _stays(self, change: Change, problems: Sequence[Problem]) -> Redriven:
        reasons = self.letter.reasons if self.letter.event is None else encoded_reasons(problems)
        self._mark(change, self.letter.attempts + 1, reasons, None, [])
        return Redriven(id=self.letter.id, outcome="stays", reasons=reasons_of(problems))

    def _mark(
        self, change: Change, attempts: int, reasons: bytes, at: int | None, runs: list[str]
    ) -> None:
        by = None if at is None else self.by
        run = runs[0] if runs else None
        change.rows.redriven.append(
            replace(
                self.letter,
                attempts=attempts,
                reasons=reasons,
                redriven_at=at,
                redriven_by=by,
                redriven_run=run,
            )
        )

    def looks_again(self) -> bool:
        return True

    def done(self, result: Redriven) -> None:
        super().done(result)
        if result.outcome == "redriven" and self.letter.kind in (OUTGOING, INCOMING):
            self.starter.engine.outlets.on_outgoing(self.letter.run_id or "", ())
