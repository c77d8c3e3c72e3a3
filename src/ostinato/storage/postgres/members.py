"""Processes that share the store: which has which partitions, by leases and the server's clock.

That somebody has died or left is written at each partition that was theirs, in the transaction that
frees it, and stays there until a process has taken it and has been told. So at least one process
that lives hears of it, also when the one that buried dies at once, or an answer is lost. Who dies
with such partitions leaves them as orphans again; who gives one away has acted on what it was told.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from ostinato import __version__
from ostinato.errors import Fenced
from ostinato.ports import LEFT, MISSED, Roll, Seat, Taken
from ostinato.storage.postgres import faults
from ostinato.storage.postgres import membership as sql
from ostinato.storage.postgres.arrays import number, shorts, text
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.wire import Ask, Fault, Lost, Row, Wire

PAYLOAD = 7_999
"""Bytes that one notification may carry: the server's limit."""

_SEAT = 4  # the first column of a roll that is about one process


class PostgresMembers:
    """``link`` is not the one that writes: a lease is renewed beside a batch.

    ``life`` is another one from each burial on: so a process finds out that it was buried.
    """

    def __init__(self, id: str, link: Link) -> None:
        self.id = id
        self.life: int | None = None
        self._link = link
        self._has = frozenset[int]()
        self._me = [text(id)]
        self._left = text(f"{id},{LEFT}")
        self._heard: Callable[[Sequence[str]], None] = lambda news: None

    def enter(self, life: int) -> None:
        """It is connected, maybe again."""
        if self.life is None:
            self.life = life

    def back(self, wire: Wire) -> None:
        """Nobody has heard what was said meanwhile; neither has this process."""
        self._heard([MISSED])
        with suppress(Lost):
            wire.send(Ask(sql.HINT, [text(f"{self.id},{MISSED}")])).add_done_callback(_whatever)

    async def roll(self) -> Roll:
        return _roll(await self._link.rows(Ask(sql.ROLL, self._me)))

    async def renew(
        self, lease: int, address: str, *, waits: bool = False, stores: int = 1
    ) -> Roll:
        coming = [
            *self._me, number(self.life), text(address), text(__version__), number(lease),
            number(waits), number(stores),
        ]  # fmt: skip
        *_, found = await self._link.ask(
            Ask(sql.SHORTEN), Ask(sql.FORGET), Ask(sql.ENTER, self._me), Ask(sql.RENEW, coming),
            Ask(sql.ROLL, self._me),
        )  # fmt: skip
        life = found[0][0]
        if life != self.life:
            self._begin_anew(life)
            raise Fenced("this process was late, and others have taken what it had")
        return _roll(found)

    async def take(self, most: int, *, hub: bool = True) -> Taken:
        """Also what an earlier call took whose answer was lost."""
        living = [*self._me, number(self.life)]
        *_, buried, _, mine = await self._alive(
            Ask(sql.LOCK), Ask(sql.ALIVE, living),
            Ask(sql.TOLD, [*self._me, shorts(sorted(self._has))]), Ask(sql.LATE, self._me),
            Ask(sql.TURN_OUT), Ask(sql.BURY), Ask(sql.END_LEASES), Ask(sql.FREE, [self._left]),
            Ask(sql.CLAIM, [*self._me, number(most), number(hub)]), Ask(sql.MINE, self._me),
        )  # fmt: skip
        new = {place: orphaned for place, orphaned in mine if place not in self._has}
        self._has |= new.keys()
        return Taken(frozenset(new), bool(buried) or any(new.values()))

    async def _alive(self, *asks: Ask) -> list[list[Row]]:
        try:
            return await self._link.repeat(asks)
        except Fault as fault:
            if fault.code == faults.DIVISION_BY_ZERO:
                raise Fenced("others have buried this process; it has to come again") from fault
            raise self._link.told(fault) from fault

    async def give(self, partitions: Iterable[int]) -> None:
        given = sorted(partitions)
        asked = [*self._me, shorts(given), self._left]
        await self._link.ask(Ask(sql.LOCK), Ask(sql.GIVE, asked))
        self._has -= set(given)

    async def owners(self) -> dict[int, str]:
        return dict(await self._link.rows(Ask(sql.OWNERS)))

    async def leave(self) -> None:
        *_, found = await self._link.ask(
            *self._leaving(), Ask(sql.ENTER, self._me), Ask(sql.LIFE, self._me)
        )
        self._begin_anew(found[0][0])

    async def exit(self) -> None:
        """Leave for good, if the server is there at this moment; else it notices by itself."""
        self._begin_anew(None)
        await self._link.now(*self._leaving(), Ask(sql.EXIT, self._me))

    def _leaving(self) -> list[Ask]:
        return [
            Ask(sql.LOCK), Ask(sql.LEAVE, [*self._me, self._left]), Ask(sql.LET_GO, self._me),
            Ask(sql.FENCE_SELF, self._me), Ask(sql.END_LEASE, self._me),
        ]  # fmt: skip

    def _begin_anew(self, life: int | None) -> None:
        self.life = life
        self._has = frozenset()

    async def hint(self, news: Iterable[str]) -> None:
        """If the server is there at this moment; else nobody hears of it."""
        asks = [Ask(sql.HINT, [text(one)]) for one in _payloads(self.id, news)]
        if asks:
            await self._link.now(*asks)

    def listen(self, heard: Callable[[Sequence[str]], None]) -> None:
        self._heard = heard

    def notified(self, payload: str) -> None:
        sender, *news = payload.split(",")
        if news and sender != self.id:
            self._heard(news)


def _roll(found: Sequence[Row]) -> Roll:
    _, now, hub, free, *_ = found[0]
    seats = tuple(Seat(*row[_SEAT:]) for row in found if row[_SEAT] is not None)
    return Roll(now, seats, hub, free)


def _whatever(said: Future[list[list[Row]]]) -> None:
    """Where it was lost, the connection was: it is said when that is back."""
    if not said.cancelled():
        said.exception()


def _payloads(sender: str, news: Iterable[str]) -> Iterator[str]:
    """As few as can be; each begins with who says it."""
    said, size = [sender], len(sender)
    for word in news:
        length = 1 + len(word.encode())
        if size + length > PAYLOAD and len(said) > 1:
            yield ",".join(said)
            said, size = [sender], len(sender)
        said.append(word)
        size += length
    if len(said) > 1:
        yield ",".join(said)
