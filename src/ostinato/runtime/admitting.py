"""Places that the limiter gives, stored with what their run does then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.core import events as e
from ostinato.errors import NotFoundError, Unloadable, Unready
from ostinato.ports import Place, Turn
from ostinato.runtime.change import Change
from ostinato.runtime.posts import NotYet, Post, Tell

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine
    from ostinato.runtime.limiter import Limiter
    from ostinato.runtime.resident import Resident


class Admit(Tell):
    """It has its places: stored with what it does then. One that has ended keeps none."""

    __slots__ = ("buckets", "limiter", "places", "times", "turn")

    def __init__(
        self, limiter: Limiter, turn: Turn, places: list[Place], buckets: dict[str, int | None]
    ) -> None:
        super().__init__(turn.run_id, e.PlacesTaken(turn.key))
        self.limiter = limiter
        self.times = limiter.times
        self.turn = turn
        self.places = places
        self.buckets = buckets

    def apply(self, engine: Engine, change: Change, now: int) -> None:
        if self.times != self.limiter.times:  # all was read anew: it waits again
            return
        if self.resident.stale:
            raise NotYet
        told = super().apply(engine, change, now)
        if told is None or not told.facts:
            change.rows.freed.append(self.turn.owner)
            self.limiter.release(self.turn.owner)
            return
        state = self.resident.state
        if state.uid is not None:  # what waited in a line is the open one from now on
            engine.residents.add(self.resident)
            engine.fresh["uid", state.workflow, state.uid] = change
        change.rows.served.append(self.turn.owner)
        change.rows.places += self.places
        change.rows.buckets |= self.buckets

    def overtaken(self, engine: Engine) -> bool:
        """A run is open that is in no line which is known here."""
        return self.times != self.limiter.times or self.limiter.put_off(self.turn)

    def errand(self) -> None:
        """Whoever has its run by now has read its turn."""

    def failed(self, error: BaseException) -> None:
        gone = isinstance(error, Unloadable | NotFoundError | Unready)
        if gone and self.times == self.limiter.times:  # nobody is told, and nobody comes back
            self.limiter.release(self.turn.owner)


class HoldFirst(Post):
    """Its place in a line is kept, and only now the hub is asked for the others: nobody passes it,
    and it waits for nobody behind it."""

    __slots__ = ("holder", "limiter", "others", "places", "resident", "times", "turn")

    resident: Resident | None

    def __init__(self, limiter: Limiter, turn: Turn, others: Turn, places: list[Place]) -> None:
        super().__init__()
        self.limiter = limiter
        self.turn = turn
        self.others = others
        self.holder: str | None = None
        self.places = places
        self.times = limiter.times

    async def ready(self, engine: Engine) -> None:
        try:
            self.resident = await engine.residents.load(self.others.run_id)
        except (NotFoundError, Unloadable):
            self.resident = None
        else:
            pair = (self.resident.state.workflow, self.resident.state.uid or "")
            self.holder = (await engine.storage.open_runs([pair])).get(pair)

    def apply(self, engine: Engine, change: Change, now: int) -> bool:
        if self.resident is not None and self.resident.stale:
            raise NotYet
        stands = self._waits() and self.times == self.limiter.times
        if stands and self.holder is not None and not engine.territory.has_run(self.holder):
            self.overtaken(engine)
            return False
        if stands:
            change.rows.places += self.places
        return stands

    def _waits(self) -> bool:
        """It may end in this very tick, and then keeps no place."""
        run = self.resident
        return run is not None and run.state.queued and self.limiter.holds(self.others.owner)

    def overtaken(self, engine: Engine) -> bool:
        return self.times != self.limiter.times or self.limiter.put_off(self.turn, self.others)

    def done(self, result: bool) -> None:
        if result and self.limiter.holds(self.others.owner):
            self.limiter.far.ask(self.others)
