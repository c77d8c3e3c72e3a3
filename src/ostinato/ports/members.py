"""Processes that share a store: who holds it, judged by leases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct


class Seat(Struct, frozen=True, gc=False):
    """One process at a shared store. ``since`` is when it came (ms), ``late`` that its lease is
    over; both by the store's clock.
    """

    id: str
    address: str
    version: str
    since: int
    holds: bool = False
    late: bool = False


class Roll(Struct, frozen=True):
    """Who is at the store ``now`` (ms), by the clock of the store."""

    now: int
    seats: tuple[Seat, ...]

    @property
    def holder(self) -> Seat | None:
        """Who holds the store, also when its lease is over."""
        return next((seat for seat in self.seats if seat.holds), None)


class Members(Protocol):
    """At most one process holds the store: only its batches are taken.

    No clock but the store's judges a lease, so those of the machines may be minutes apart. Where
    that is set back, a lease is over at the latest its own length after somebody has renewed.
    """

    id: str
    """Of this process, for as long as it is connected."""

    async def renew(self, lease: int, address: str) -> Roll:
        """Come, or stay, for ``lease`` ms from now on.

        Raises ``Fenced``, once, when another has taken the store from this process since.
        """

    async def take(self) -> bool:
        """Hold the store from now on, unless somebody does whose lease is not over.

        Who held it is fenced: its batch on the way is kept before this returns, or never.
        """

    async def leave(self) -> None:
        """Hold nothing any more, and be gone. Harmless when it has gone."""

    def listen(self, heard: Callable[[], None]) -> None:
        """``heard`` is called when somebody has left. A hint: it may be lost."""
