"""Turns that cross processes: the limits of all runs are looked after by whoever has the hub.

The row of a turn is written with its run. What is said here besides (a turn is asked for, a place
is given, or free again) goes by mail, so nothing of it is lost. Only what a process was about to
say when it died is not said: then the hub counts anew, and whoever takes its runs asks again.

A turn has a number of its own: an answer to one that was given up meanwhile is none to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostinato.core import events as e
from ostinato.core.commands import Want
from ostinato.core.run_ids import HUB
from ostinato.core.uids import is_line
from ostinato.errors import NotFoundError
from ostinato.ports import Mail, Owner, Place, Turn
from ostinato.runtime.change import Change
from ostinato.runtime.mailroom import Mailroom, Say, Take
from ostinato.runtime.posts import NotYet, Post, Tell, stored

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine
    from ostinato.runtime.limiter import Limiter


class Asked(msgspec.Struct, frozen=True, array_like=True):
    priority: int
    wants: tuple[Want, ...]


class FarTurns:
    """``_mine``: turns and places of runs here that the hub knows of, by the number of the turn; 0
    of one that was found in the store. At the hub, ``_theirs`` are the turns of runs elsewhere, and
    ``given`` those who have their places, as is stored; with runs that were elsewhere, and have
    perhaps not heard of it.
    """

    def __init__(self, limiter: Limiter, room: Mailroom) -> None:
        self.limiter = limiter
        self.engine = limiter.engine
        self._mine: dict[Owner, int] = {}
        self._theirs: dict[Owner, int] = {}
        self.given: set[Owner] = set()
        self._number = 0
        room.open["turn"] = lambda mail: Come(self, room, mail)
        room.open["free"] = lambda mail: Free(room, mail, self._gone)
        room.open["recount"] = lambda mail: Take(room, mail, self._recount)
        room.open["admit"] = lambda mail: Admitted(self, room, mail)

    def clear(self) -> None:
        self._mine.clear()
        self._theirs.clear()
        self.given.clear()

    # on the side of the run

    def ask(self, turn: Turn) -> None:
        """Its places are the hub's to give."""
        number = self._next()
        self._mine[turn.owner] = number
        body = msgspec.json.encode(Asked(turn.priority, turn.wants))
        run_id, key = turn.owner
        self.engine.post(Say(Mail("turn", "", run_id, key, number, body, HUB)))

    def holds(self, owner: Owner) -> None:
        """It has places that the hub knows of."""
        self._mine.setdefault(owner, 0)

    def free(self, owner: Owner) -> None:
        """It wants none any more, and its rows are gone."""
        self.given.discard(owner)
        if self._mine.pop(owner, None) is not None:
            run_id, key = owner
            self.engine.post(Say(Mail("free", "", run_id, key, self._next(), b"null", HUB)))

    def give_back(self, owner: Owner) -> None:
        """It did not want them any more when it heard of them, and their rows are gone."""
        if self.engine.territory.hub:
            self.limiter.release(owner)
            self.engine.wake.set()
        self.free(owner)

    def recount(self, member: str) -> None:
        """Somebody has died who may have had something to say."""
        self.engine.post(Say(Mail("recount", "", member, "", self._next(), b"null", HUB)))

    def counts(self, owner: Owner, number: int) -> bool:
        """Whether it waits for this very turn, as far as one knows here."""
        known = self._mine.get(owner, 0)
        return not (known and number) or known == number

    def _next(self) -> int:
        """Later than all that processes before this one have used."""
        self._number = max(self._number + 1, self.engine.clock.now())
        return self._number

    # on the side of the hub

    def come(self, mail: Mail) -> None:
        """It waits from now on, if it did not before."""
        owner = mail.caller, mail.key
        asked = msgspec.json.decode(mail.body, type=Asked)
        self.limiter.come_from_afar(Turn(*owner, asked.priority, asked.wants))

    def found(self, place: Place) -> None:
        if not is_line(place.name):
            self.given.add((place.run_id, place.key))

    def asks(self, owner: Owner, number: int) -> None:
        """What it is told from now on is about this turn."""
        self._theirs[owner] = max(number, self.number(owner))

    def number(self, owner: Owner) -> int:
        return self._theirs.get(owner, 0)

    def _gone(self, mail: Mail) -> None:
        owner = mail.caller, mail.key
        self._theirs.pop(owner, None)
        self.given.discard(owner)
        self.limiter.release(owner)
        self.engine.wake.set()

    def _recount(self, mail: Mail) -> None:
        self.limiter.stale = True
        self.engine.wake.set()

    def admit(self, turn: Turn, places: list[Place], buckets: dict[str, int | None]) -> None:
        """Its run is another process's, and is told by mail."""
        self.engine.post(AdmitAfar(self.limiter, turn, places, buckets))


class Come(Take):
    """A run of another process waits for its turn. One that has its places, and has asked again
    before it heard of that, is told once more."""

    __slots__ = ("far",)

    def __init__(self, far: FarTurns, room: Mailroom, mail: Mail) -> None:
        super().__init__(room, mail, far.come)
        self.far = far

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        super().apply(engine, change, now)
        owner = self.mail.caller, self.mail.key
        self.far.asks(owner, self.mail.attempt)
        if owner in self.far.given:
            told = admitted(owner, self.far.number(owner))
            change.rows.mail[told.line] = told


def admitted(owner: Owner, number: int) -> Mail:
    run_id, key = owner
    return Mail("admit", run_id, run_id, key, number, b"null")


class Free(Take):
    """Places of runs of others are free: also those that were given while this was on its way."""

    __slots__ = ()

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        super().apply(engine, change, now)
        engine.fresh["free", self.mail.caller, self.mail.key] = change
        change.rows.freed.append((self.mail.caller, self.mail.key))


class AdmitAfar(Post):
    """Give places to a run of another process: with them its turn is over, and a letter says so."""

    __slots__ = ("buckets", "limiter", "places", "times", "turn")

    def __init__(
        self,
        limiter: Limiter,
        turn: Turn,
        places: list[Place],
        buckets: dict[str, int | None],
    ) -> None:
        super().__init__()
        self.limiter = limiter
        self.times = limiter.times
        self.turn = turn
        self.places = places
        self.buckets = buckets

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        stored(engine, change, "free", *self.turn.owner)  # then it may want none any more
        if self.times != self.limiter.times:  # all was read anew: it waits again
            return
        if not self.limiter.has(self.places):
            return
        rows = change.rows
        rows.served.append(self.turn.owner)
        rows.places += self.places
        rows.buckets |= self.buckets
        far, owner = self.limiter.far, self.turn.owner
        told = admitted(owner, far.number(owner))
        rows.mail[told.line] = told
        far.given.add(owner)


class Admitted(Tell):
    """A run hears that it has its places. What it does not want any more goes back."""

    __slots__ = ("far", "gone", "mail", "room")

    def __init__(self, far: FarTurns, room: Mailroom, mail: Mail) -> None:
        super().__init__(mail.to, e.PlacesTaken(mail.key))
        self.far = far
        self.room = room
        self.mail = mail
        self.gone = False

    @property
    def partition(self) -> int:
        return self.mail.place

    async def ready(self, engine: Engine) -> None:
        try:
            await super().ready(engine)
        except NotFoundError:
            self.gone = True

    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        owner, told = (self.mail.to, self.mail.key), None
        change.rows.mail[self.mail.line] = None
        if not self.far.counts(owner, self.mail.attempt):
            return None
        if not self.gone:
            if self.resident.stale:
                raise NotYet
            if self.resident.state.has_places(owner[1]):  # it has heard of them before
                return None
            told = super().apply(engine, change, now)
        if not engine.territory.hub:
            self.far.holds(owner)
        if told is None or not told.facts:
            change.rows.freed.append(owner)
            return owner
        state = self.resident.state
        if state.uid is not None:  # what waited in a line is the open one from now on
            engine.residents.add(self.resident)
            engine.fresh["uid", state.workflow, state.uid] = change
        return None

    def done(self, result: Owner | None) -> None:
        if result is not None:
            self.far.give_back(result)
        self.room.taken(self.mail)

    def dropped(self) -> None:
        """Whoever has its partition by now takes the mail."""
