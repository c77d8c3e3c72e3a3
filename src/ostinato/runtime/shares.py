"""An event of which several stores may have a part: each has its own runs.

One of them is the event's home: there start the runs that have no key (no uid, nothing that makes
starts one). Those with a key start where that key belongs. What becomes of the event is decided
once, at home, and kept beside it: who has a copy, and what each starts. So a copy is made of what
the home has stored, however late, and whatever came under this source and id since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import asdict

from ostinato.core.cloudevents import Event
from ostinato.core.model import Again, Meanwhile, UidRule
from ostinato.core.routes import OWN
from ostinato.core.triggers import Found, Starting, Trigger
from ostinato.ports import DamagedEvent, Outgoing, StoredEvent
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.inbox import Accept, Accepted, encoded
from ostinato.runtime.posts import Errand, Pair
from ostinato.runtime.starts import Starter
from ostinato.runtime.wanted import Wanted

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine

NOTHING = Raw(b"null")


class Due(msgspec.Struct, frozen=True, array_like=True):
    """A run that the ``store`` with this number is to start: by which trigger, and with what."""

    store: int
    workflow: str
    version: int
    number: int
    called: str | None
    rule: tuple[Again, Meanwhile] | None
    uid: str | None
    input: Raw

    @classmethod
    def of(cls, store: int, start: Starting) -> Due:
        by, given = start.trigger, NOTHING if start.input is None else start.input
        rule = None if by.rule is None else (by.rule.again, by.rule.open)
        return cls(store, by.workflow, by.version, by.number, by.called, rule, start.uid, given)

    def start(self) -> Starting:
        rule = None if self.rule is None else UidRule(again=self.rule[0], open=self.rule[1])
        by = Trigger(self.workflow, self.version, self.number, self.called, rule=rule)
        return Starting(by, None if self.input == NOTHING else self.input, self.uid)


class Copies(msgspec.Struct, frozen=True, array_like=True):
    """What its home has decided: which stores have a copy as well, and what starts there."""

    stores: tuple[int, ...] = ()
    starts: tuple[Due, ...] = ()


class Home(msgspec.Struct, frozen=True, tag="home"):
    """The store with this ``number`` is the event's home. ``owners``: the store of each key of the
    runs that it starts; ``others`` need it anyway. ``says``: word of that is stored on its way out.
    """

    number: int
    owners: tuple[tuple[str, str, int], ...] = ()
    others: tuple[int, ...] = ()
    says: bool = False


class Copy(msgspec.Struct, frozen=True, tag="copy"):
    """It is a copy, by which these start."""

    starts: tuple[Due, ...] = ()


class Homed(Accepted, omit_defaults=False):
    """What is kept of an event at home."""

    copies: Copies | UnsetType = UNSET


class Copied(Accepted, omit_defaults=False):
    """What is kept of an event whose home is another store."""

    copied: bool = True


class Settled(msgspec.Struct, frozen=True):
    """What a store has of an event: as it was taken in, also when that was before."""

    answer: Accepted
    event: Event
    at: int
    copies: Copies = Copies()


class AcceptShare(Accept):
    """Store what this store has of each event."""

    __slots__ = ("copies", "first", "shares")

    def __init__(
        self,
        starter: Starter,
        catalog: Catalog,
        events: Sequence[Event],
        answer: asyncio.Future[list[Settled]] | None,
        shares: Sequence[Home | Copy],
    ) -> None:
        super().__init__(starter, catalog, events, answer)
        self.first: dict[Pair, Event] = {}  # of several that are one
        self.shares: dict[Pair, Home | Copy] = {}
        for pair, event, share in zip(self.pairs, events, shares, strict=True):
            self.first.setdefault(pair, event)
            self.shares.setdefault(pair, share)
        self.copies: dict[Pair, Copies] = {}

    def errand(self) -> Errand:
        shares = [self.shares[pair] for pair in self.pairs]
        return Errand("share", "", msgspec.json.encode((self.events, shares)))

    def arrived(self, said: Raw) -> None:
        self.done(msgspec.json.decode(said, type=list[Settled]))

    def match(self, event: Event) -> Found:
        """Of a copy: what its home has found."""
        found = super().match(event)
        share = self.shares[event.source, event.id]
        if isinstance(share, Copy):
            found.encoded = found.encoded or encoded(event)
            found.starts = [due.start() for due in share.starts]
            found.misfits.clear()  # they are buried at home
        return found

    def wanted_of(self, found: Found) -> list[Wanted]:
        """At home: without what others start."""
        pair = found.event.source, found.event.id
        wanted, share = super().wanted_of(found), self.shares[pair]
        if not isinstance(share, Home):
            return wanted
        owners = {(first, second): store for first, second, store in share.owners}
        here, starts, dues = list[Wanted](), list[Starting](), list[Due]()
        for start, one in zip(found.starts, wanted, strict=True):
            store = owners.get(key_of(one) or ("", ""), share.number)
            if store == share.number:
                starts.append(start)
                here.append(one)
            else:
                dues.append(Due.of(store, start))
        found.starts = starts
        stores = {*share.others, *(due.store for due in dues)}
        if found.event is self.first[pair]:
            self.copies[pair] = Copies(tuple(sorted(stores)), tuple(dues))
        return here

    def kept(
        self, engine: Engine, change: Change, event: Event, answer: Accepted, now: int
    ) -> Accepted:
        share = self.shares[event.source, event.id]
        if isinstance(share, Copy):
            return Copied(**asdict(answer))
        copies = self.copies[event.source, event.id]
        if not copies.stores:
            return answer
        if share.says:
            change.rows.outgoing.append(Outgoing(event, engine.run_id(now)))
        return Homed(**asdict(answer), copies=copies)

    def apply(self, engine: Engine, change: Change, now: int) -> list[Settled]:  # type: ignore[override]
        answers = super().apply(engine, change, now)
        return [self._settled(answer, now) for answer in answers]

    def _settled(self, answer: Accepted, now: int) -> Settled:
        pair = answer.source, answer.id
        if (before := self.known.get(pair)) is not None:
            return settled_before(before, answer)
        return Settled(answer, self.first[pair], now, self.copies.get(pair, Copies()))

    def done(self, result: list[Settled]) -> None:
        super().done(result)
        if any(isinstance(share, Home) and share.says for share in self.shares.values()):
            self.starter.engine.outlets.on_outgoing("", (OWN,))


def settled_before(stored: StoredEvent, answer: Accepted) -> Settled:
    """What cannot be read any more is not copied."""
    copies = msgspec.json.decode(stored.answer, type=Homed).copies
    if copies is UNSET or isinstance(stored.event, DamagedEvent):
        copies = Copies()
    return Settled(answer, stored.event, stored.received_at, copies)


def key_of(wanted: Wanted) -> Pair | None:
    """What this start is found by: (workflow, uid), else (scope, key) of a reply."""
    return wanted.mark if wanted.uid is None else wanted.pair
