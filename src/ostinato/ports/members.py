"""Processes that share a store: who has which partitions of its runs, judged by leases.

``core.run_ids`` says which partition a run is in. Partition ``HUB`` is more: whoever has it looks
after what concerns all runs (limits, schedules, repairs of many runs, what is old).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

Partitions = frozenset[int]

NONE: Partitions = frozenset()

LEFT = "left"
"""The hint that somebody has fewer partitions than before, or none."""

MISSED = "missed"
"""The hint that somebody was cut off for a while: what it has said, or was told, may be lost."""


class Seat(Struct, frozen=True, gc=False):
    """One process at a shared store. ``since`` is when it came (ms), ``late`` that its lease is
    over; both by the store's clock. ``partitions`` is how many it has; ``waits``: it takes none
    until it is told to. ``stores`` is how many there are in the set that it works with, this one
    included.
    """

    id: str
    address: str
    version: str
    since: int
    partitions: int = 0
    waits: bool = False
    late: bool = False
    stores: int = 1


class Roll(Struct, frozen=True):
    """Who is at the store ``now`` (ms), by the clock of the store.

    ``hub`` is the process that has partition ``HUB``; ``free``: how many nobody has.
    """

    now: int
    seats: tuple[Seat, ...]
    hub: str | None = None
    free: int = 0

    def seat(self, id: str | None) -> Seat | None:
        return next((seat for seat in self.seats if seat.id == id), None)


class Taken(Struct, frozen=True):
    """``partitions`` are those that a process has from now on, besides what it had. ``orphans``:
    somebody who had them has died or left, and what they had heard may have been told to nobody.
    """

    partitions: Partitions = NONE
    orphans: bool = False


class Members(Protocol):
    """A partition has at most one process, and only that writes about its runs.

    No clock but the store's judges a lease, so those of the machines may be minutes apart. Where
    that is set back, a lease is over at the latest its own length after somebody has renewed.
    """

    id: str
    """Of this process, for as long as it is connected."""

    async def roll(self) -> Roll:
        """Who is there; whoever only asks is not."""

    async def renew(
        self, lease: int, address: str, *, waits: bool = False, stores: int = 1
    ) -> Roll:
        """Come, or stay, for ``lease`` ms from now on.

        Raises ``Fenced``, once, when others have buried this process since.
        """

    async def take(self, most: int, *, hub: bool = True) -> Taken:
        """Bury those whose lease is over, then have up to ``most`` of the partitions that nobody
        has, ``HUB`` first; not that one without ``hub``.

        Who is buried is fenced, and has nothing any more: its batch on the way is kept before this
        returns, or never. The others hear ``LEFT``. Raises ``Fenced`` where this process was
        buried itself.
        """

    async def give(self, partitions: Iterable[int]) -> None:
        """Have these no longer; the others hear ``LEFT``. Nothing about their runs may be on its
        way."""

    async def owners(self) -> dict[int, str]:
        """Partition → the process that has it."""

    async def leave(self) -> None:
        """Have nothing any more, and be gone; the others hear ``LEFT``. Harmless when gone."""

    async def hint(self, news: Iterable[str]) -> None:
        """Tell the others, and not this process: words without a comma, any number of them."""

    def listen(self, heard: Callable[[Sequence[str]], None]) -> None:
        """``heard`` gets what the others hint at. A hint may be lost; who was cut off from a store
        that stays, hears ``MISSED`` when it is back, and so do the others."""
