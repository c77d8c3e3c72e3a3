"""Processes that share the store: which of them holds it, by leases and the server's clock."""

from __future__ import annotations

from collections.abc import Callable

from ostinato import __version__
from ostinato.errors import Fenced
from ostinato.ports import Roll, Seat
from ostinato.storage.postgres import membership as sql
from ostinato.storage.postgres.arrays import number, text
from ostinato.storage.postgres.link import Link
from ostinato.storage.postgres.wire import Ask


class PostgresMembers:
    """``link`` is not the one that writes: a lease is renewed beside a batch."""

    def __init__(self, id: str, link: Link) -> None:
        self.id = id
        self._link = link
        self._holds = False
        self._me = [text(id)]
        self.heard: Callable[[], None] = lambda: None

    async def renew(self, lease: int, address: str) -> Roll:
        coming = [*self._me, text(address), text(__version__), number(lease)]
        asks = [Ask(sql.SHORTEN), Ask(sql.FORGET), Ask(sql.RENEW, coming), Ask(sql.ROLL)]
        *_, found = await self._link.ask(*asks)
        roll = Roll(found[0][0], tuple(Seat(*row[1:]) for row in found))
        mine = roll.holder is not None and roll.holder.id == self.id
        if self._holds and not mine:
            self._holds = False
            raise Fenced("another process has taken the store over; this one holds it no more")
        return roll

    async def take(self) -> bool:
        asks = [
            Ask(sql.LOCK), Ask(sql.TAKE, self._me), Ask(sql.TURN_OUT, self._me),
            Ask(sql.FENCE_BEFORE, self._me), Ask(sql.UNLATE, self._me), Ask(sql.HELD, self._me),
        ]  # fmt: skip
        *_, [(held,)] = await self._link.ask(*asks)
        self._holds = bool(held)
        return self._holds

    async def leave(self) -> None:
        self._holds = False
        await self._link.ask(*self._leaving())

    async def exit(self) -> None:
        """Leave for good, if the server is there at this moment; else it notices by itself."""
        self._holds = False
        await self._link.now(*self._leaving(), Ask(sql.EXIT, self._me))

    def _leaving(self) -> list[Ask]:
        return [
            Ask(sql.LOCK), Ask(sql.LET_GO, self._me), Ask(sql.FENCE_SELF, self._me),
            Ask(sql.END_LEASE, self._me), Ask(sql.TELL),
        ]  # fmt: skip

    def listen(self, heard: Callable[[], None]) -> None:
        self.heard = heard
