"""Limits: who has a place under which name, and whose turn is next.

A turn is a row, and so is a place; what is held here in memory is what the store holds, plus the
places that are on their way into it. Whoever waits gets all the places that it needs at once, so
nobody holds one while it waits for another. First comes who has the higher priority, then who has
waited longer. With one name full, who waits only for others goes first.

A line (``overflow`` line) is strict: its one place goes to who has waited longest, whatever the
priority, and nobody passes one who waits for another place besides.

A rate is a bucket of tokens, kept as the instant at which it is full again (the generic cell rate
algorithm): ``limit`` may begin at once, then one every ``per / limit``.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Container, Iterator

from msgspec.structs import replace

from ostinato.core import events as e
from ostinato.core.commands import TakePlaces, Want
from ostinato.core.uids import LINE, is_line, line
from ostinato.ports import Owner, Place, Turn
from ostinato.runtime.admitting import Admit, HoldFirst
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.engine import Engine
from ostinato.runtime.lines import Lines
from ostinato.runtime.mailroom import Mailroom
from ostinato.runtime.posts import Tell
from ostinato.runtime.turns import FarTurns

LOOKED_AT = 32
"""Turns behind a blocked one that are looked at, each time something changes under a name."""

FADE = 3
"""Buckets that are looked at for each that is filled."""

US = 1_000
"""Microseconds in a millisecond: intervals of a rate are rarely whole milliseconds."""

Entry = tuple[int, int, Owner]


class Limiter:
    """``stale``: what the store holds must be read anew; ``times`` counts how often it was."""

    def __init__(self, engine: Engine, room: Mailroom) -> None:
        self.engine = engine
        self.stale = False
        self.times = 0
        self.far = FarTurns(self, room)
        self._clear()
        self.alarm = Alarm(engine.clock, engine.wake)

    def _clear(self) -> None:
        self._holders: dict[str, dict[int, Owner]] = {}
        self._held: dict[Owner, list[Place]] = {}
        self._full_at: dict[str, int] = {}
        self._waiting: dict[Owner, Turn] = {}
        self._queues: dict[str, list[Entry]] = {}
        self._lines = Lines()
        self._free: dict[str, list[int]] = {}  # numbers below others that are taken
        self._back: list[tuple[int, str]] = []  # when somebody may begin under a rate again
        self._back_at: dict[str, int] = {}
        self._fading: list[tuple[int, str]] = []  # buckets, by when they may be full
        self.changed: OrderedDict[str, None] = OrderedDict()
        self._giving: dict[Owner, Owner] = {}  # who was asked to give its place up, and to whom
        self._first: dict[Owner, Turn] = {}  # what is the hub's to give, after a place in a line
        self._number = 0

    def __len__(self) -> int:
        """Turns that wait."""
        return len(self._waiting)

    def doubt(self) -> None:
        """It is to be read anew; what it has given meanwhile comes to nothing."""
        self.stale = True
        self.times += 1

    async def refresh(self) -> None:
        """What the store holds. Nothing is known when one of these reads fails."""
        self.stale = True
        storage = self.engine.storage
        places, buckets = await storage.places(), await storage.buckets()
        turns = await storage.turns()
        self.stale = False
        self.times += 1
        self._clear()
        self.far.clear()
        for place in places:
            self._find(place)
        for name, taken in self._holders.items():
            self._free[name] = [n for n in range(max(taken)) if n not in taken]
        self._full_at = buckets
        self._fading = sorted((full_at, name) for name, full_at in buckets.items())
        lines = {(place.run_id, place.key, place.name) for place in places if is_line(place.name)}
        for turn in turns:
            if turn.wants:
                self.come(turn, lines)
            elif self.engine.territory.has_run(turn.run_id):
                # it cannot be read, and nobody would ever tell who waits for it
                why = f"what {turn.key or 'it'} waits its turn for cannot be read in the store"
                self.engine.post(Tell(turn.run_id, e.Broken(why)))

    def _find(self, place: Place) -> None:
        """A line is known where its runs are, everything else at the hub."""
        here = self.engine.territory.has_run(place.run_id)
        if here if is_line(place.name) else self.engine.territory.hub:
            self._hold(place)
            self.far.found(place)
        elif here:
            self.far.holds((place.run_id, place.key))

    def come(self, turn: Turn, lines: Container[tuple[str, str, str]] = ()) -> None:
        """It waits, as its row says; whoever looks after that lets it wait. ``lines`` are places
        in lines that are held already: (run, key, name)."""
        first = tuple(want for want in turn.wants if want.overflow == LINE)
        others = replace(turn, wants=tuple(want for want in turn.wants if want not in first))
        stands = all((turn.run_id, turn.key, want.name) in lines for want in first)
        territory = self.engine.territory
        if territory.has_run(turn.run_id):
            self._come_here(turn, others, replace(turn, wants=() if stands else first))
        elif territory.hub and others.wants and stands:
            self._wait(others)
        self.engine.wake.set()

    def _come_here(self, turn: Turn, others: Turn, first: Turn) -> None:
        if not others.wants:
            self._wait(turn)
        elif self.engine.territory.hub:
            self._wait(turn if first.wants else others)
        elif first.wants:
            self._first[turn.owner] = others
            self._wait(first)
        else:
            self.far.ask(others)

    def come_from_afar(self, turn: Turn) -> None:
        """It may wait already, or have its places, or be here by now, where its row was read."""
        if self.engine.territory.has_run(turn.run_id):
            return
        if turn.owner not in self._held and turn.owner not in self._waiting:
            self.come(turn)

    def on_turn(self, run_id: str, asked: TakePlaces) -> None:
        self.come(Turn(run_id, asked.key, asked.priority, asked.wants))

    def on_place(self, run_id: str, name: str) -> None:
        self._hold(Place(name, 0, run_id, ""))

    def on_free(self, run_id: str, key: str) -> None:
        self.release((run_id, key))
        self.far.free((run_id, key))
        self.engine.wake.set()

    def close(self) -> None:
        self.alarm.close()

    # memory

    def _wait(self, turn: Turn) -> None:
        owner = turn.owner
        self._waiting[owner] = turn
        self._number += 1
        for want in turn.wants:
            self.changed[want.name] = None
            if want.overflow == LINE:
                self._lines.join(want.name, owner)
                continue
            entry = (-turn.priority, self._number, owner)
            heapq.heappush(self._queues.setdefault(want.name, []), entry)

    def _hold(self, place: Place) -> None:
        self._holders.setdefault(place.name, {})[place.n] = (place.run_id, place.key)
        self._held.setdefault((place.run_id, place.key), []).append(place)

    def release(self, owner: Owner) -> None:
        """It neither holds nor waits any more."""
        turn = self._waiting.pop(owner, None)
        if turn is not None:
            self._lines.leave(turn)
        for name in [want.name for want in turn.wants] if turn is not None else ():
            self.changed[name] = None
        self._giving.pop(owner, None)
        self._first.pop(owner, None)
        for place in self._held.pop(owner, ()):
            holders = self._holders[place.name]
            del holders[place.n]
            if holders:
                heapq.heappush(self._free.setdefault(place.name, []), place.n)
            else:
                del self._holders[place.name]
                self._free.pop(place.name, None)
            self.changed[place.name] = None

    def holds(self, owner: Owner) -> bool:
        return owner in self._held

    def has(self, places: list[Place]) -> bool:
        """Whether none of these has been freed since it was given."""
        return all(place in self._held.get((place.run_id, place.key), ()) for place in places)

    # lines

    def first_in_line(self, workflow: str, uid: str) -> str | None:
        """Who has the place of this uid's line, also if that is not stored yet; else who waits."""
        name = line(workflow, uid)
        for run_id, _ in self._holders.get(name, {}).values():
            there = self.engine.residents.get(run_id)
            if there is None or not there.state.ended:
                return run_id
        first = self._lines.first(name)
        return None if first is None else first[0]

    def length_of_line(self, name: str) -> int:
        return self._lines.length(name)

    def put_off(self, turn: Turn, others: Turn | None = None) -> bool:
        """It comes first in its line, and the run that it waits for is in none that is known here:
        it began before the runs of a uid had a home. Whether it is in a line."""
        if not (lines := [want.name for want in turn.wants if want.overflow == LINE]):
            return False
        self.release(turn.owner)
        for name in lines:
            self._look_again(name, self._lines.put_off(name, turn.owner, self.engine.clock.now()))
        for want in turn.wants:  # it stands there still, unless it was what let it begin
            queue = self._queues.get(want.name, [])
            queue[:] = [entry for entry in queue if entry[2] != turn.owner]
            heapq.heapify(queue)
        self._wait(turn)
        if others is not None:
            self._first[turn.owner] = others
        return True

    # turns

    def run_once(self, now: int) -> int:
        """Tell those whose turn it is. Returns how many."""
        if self.alarm.is_due(now):
            self._come_back(now)
        told = 0
        while self.changed:
            name, _ = self.changed.popitem(last=False)
            told += sum(1 for _ in self._served(name, now))
        return told

    def _come_back(self, now: int) -> None:
        """Who waits under these rates is looked at again."""
        while self._back and self._back[0][0] <= now:
            _, name = heapq.heappop(self._back)
            self._back_at.pop(name, None)
            self._lines.look_again(name)
            self.changed[name] = None
        self.alarm.set(self._back[0][0] if self._back else None)

    def _served(self, name: str, now: int) -> Iterator[Owner]:
        if (first := self._lines.first(name)) is not None:
            yield from self._serve_first(self._waiting[first], now)
            return
        queue, passed = self._queues.get(name, []), list[Entry]()
        while queue and len(passed) < LOOKED_AT:
            entry = heapq.heappop(queue)
            turn = self._waiting.get(entry[2])
            if turn is None or all(want.name != name for want in turn.wants):
                continue
            blocking = self._blocking(turn, now)
            if blocking is None:
                self._admit(turn, now)
                yield turn.owner
            elif self._refuses(turn, blocking):
                yield turn.owner
            else:
                passed.append(entry)
                if blocking.name == name and blocking.overflow != "cancel-running":
                    break
        for entry in passed:
            heapq.heappush(queue, entry)
        if not queue:
            self._queues.pop(name, None)

    def _serve_first(self, turn: Turn, now: int) -> Iterator[Owner]:
        blocking = self._blocking(turn, now)
        if blocking is None:
            self._admit(turn, now)
            yield turn.owner
        elif self._refuses(turn, blocking):
            yield turn.owner

    def _blocking(self, turn: Turn, now: int) -> Want | None:
        for want in turn.wants:
            if want.per is not None:
                ready_at = self._ready_at(want, want.per, now)
                if ready_at > now * US:
                    self._look_again(want.name, -(-ready_at // US))
                    return want
            elif self._is_full(want) or self._lines.is_behind(turn, want, now):
                return want
        return None

    def _look_again(self, name: str, at: int) -> None:
        if self._back_at.get(name) != at:
            self._back_at[name] = at
            heapq.heappush(self._back, (at, name))
            self.alarm.expect(at)

    def _is_full(self, want: Want) -> bool:
        return len(self._holders.get(want.name, ())) >= want.limit

    def _ready_at(self, want: Want, per: int, now: int) -> int:
        return self._tokens_back(want, per, now) - per * US + per * US // want.limit

    def _tokens_back(self, want: Want, per: int, now: int) -> int:
        """When the bucket is full again; a clock that went back does not make that later."""
        return min(max(self._full_at.get(want.name, 0), now * US), (now + per) * US)

    def _admit(self, turn: Turn, now: int) -> None:
        del self._waiting[turn.owner]
        self._lines.leave(turn)
        places: list[Place] = []
        buckets: dict[str, int | None] = {}
        for want in turn.wants:
            if want.per is None:
                places.append(self._place(want, turn))
            else:
                buckets |= self._faded(now)
                buckets[want.name] = self._fill(want, want.per, now)
        if (others := self._first.pop(turn.owner, None)) is not None:
            self.engine.post(HoldFirst(self, turn, others, places))
        elif self.engine.territory.has_run(turn.run_id):
            self.engine.post(Admit(self, turn, places, buckets))
        else:
            self.far.admit(turn, places, buckets)

    def _fill(self, want: Want, per: int, now: int) -> int:
        full_at = self._tokens_back(want, per, now) + per * US // want.limit
        if want.name not in self._full_at:
            heapq.heappush(self._fading, (full_at, want.name))
        self._full_at[want.name] = full_at
        return full_at

    def _faded(self, now: int) -> dict[str, None]:
        """Some buckets that are full. More are forgotten than are filled, so few are ever kept."""
        gone: dict[str, None] = {}
        for _ in range(FADE):
            if not self._fading or self._fading[0][0] > now * US:
                break
            _, name = heapq.heappop(self._fading)
            if self._full_at[name] > now * US:  # it was filled again since
                heapq.heappush(self._fading, (self._full_at[name], name))
            else:
                del self._full_at[name]
                gone[name] = None
        return gone

    def _place(self, want: Want, turn: Turn) -> Place:
        """The lowest number that nobody has."""
        free = self._free.get(want.name)
        n = heapq.heappop(free) if free else len(self._holders.get(want.name, ()))
        place = Place(want.name, n, turn.run_id, turn.key)
        self._hold(place)
        return place

    # who finds no place

    def _refuses(self, turn: Turn, blocking: Want) -> bool:
        """Whether it is told that it gets none. Who cancels others waits until they are gone."""
        if blocking.overflow == "reject":
            del self._waiting[turn.owner]
            self._lines.leave(turn)
            self.engine.post(Tell(turn.run_id, e.PlacesRefused(turn.key, blocking.name)))
            return True
        if blocking.overflow == "cancel-running":
            self._displace(turn, blocking.name)
        return False

    def _displace(self, turn: Turn, name: str) -> None:
        """The oldest run that has a place and was not asked yet is asked to give it up."""
        if turn.owner in self._giving.values():
            return
        holders = (owner for owner in self._holders[name].values() if owner not in self._giving)
        oldest = min(holders, default=None)
        if oldest is not None:
            self._giving[oldest] = turn.owner
            run_id, key = oldest
            why = f"its place under {name} went to run {turn.run_id}"
            event = e.Displaced(key, name) if key else e.CancelRequested("concurrency", why)
            self.engine.post(Tell(run_id, event))
