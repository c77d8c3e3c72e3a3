"""Who is at the database, and who holds the store: rows that only the server's clock judges.

All is said over the connection that watches: a batch, however long, holds up no renewal.
"""

from __future__ import annotations

from collections.abc import Callable

from ostinato import __version__
from ostinato.errors import Fenced
from ostinato.ports import Roll, Seat
from ostinato.storage.postgres import statements as sql
from ostinato.storage.postgres.arrays import number, text
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.wire import Ask, Wire

CHANNEL = "ostinato_members"


class PostgresMembers:
    def __init__(self, link: Link, member: str) -> None:
        self.id = member
        self._link = link
        self._held = False
        self._heard: Callable[[], None] = lambda: None

    async def connected(self, wire: Wire) -> None:
        wire.heard = lambda channel, payload: self._heard()
        await wire.ask(Ask(sql.ENTER, [text(self.id)]), Ask(f"LISTEN {CHANNEL}", kept=False))

    def listen(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    async def renew(self, lease: int, address: str) -> Roll:
        mine = [text(self.id), number(lease), text(address), text(__version__)]
        *_, [(now,)], seats = await self._link.ask(
            Ask(sql.ENTER, [text(self.id)]),
            Ask(sql.SHORTEN),
            Ask(sql.STAY, mine),
            Ask(sql.FORGET, [text(self.id)]),
            Ask(sql.NOW),
            Ask(sql.SEATS),
        )
        roll = Roll(int(now), tuple(Seat(*seat) for seat in seats))
        if self._held and (roll.holder is None or roll.holder.id != self.id):
            self._held = False
            raise Fenced("another process has taken the store over; this one holds it no more")
        return roll

    async def take(self) -> bool:
        mine = [text(self.id)]
        *_, taken = await self._link.ask(
            Ask(sql.ONE_TAKES),
            Ask(sql.LATE_HOLDER, mine),
            Ask(sql.HANG_UP, mine),
            Ask(sql.FENCE_HOLDER, mine),
            Ask(sql.DROP_HOLDER, mine),
            Ask(sql.HOLD, mine),
        )
        self._held = bool(taken)
        return self._held

    async def leave(self) -> None:
        """If the server is there; else it notices by itself."""
        self._held = False
        mine = [text(self.id)]
        told = Ask(f"NOTIFY {CHANNEL}", kept=False)
        await self._link.now(Ask(sql.LEAVE_LEASE, mine), Ask(sql.LEAVE, mine), told)
