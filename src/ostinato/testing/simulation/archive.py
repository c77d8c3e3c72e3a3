"""The archive that outlives processes: slow, and failing by plan; half a lot is never kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ostinato.errors import StoreError

if TYPE_CHECKING:
    from ostinato.testing.simulation.world import World


class UnreliableArchive:
    def __init__(self, world: World) -> None:
        self._world = world

    async def keep(self, day: str, lines: Sequence[bytes]) -> None:
        await asyncio.sleep(self._world.faults.latency())
        kind = self._world.faults.next_export()
        if kind == "archive.error":
            raise StoreError("the archive has no room (simulated)")
        self._world.ledger.attic.exported(lines)
        await asyncio.sleep(self._world.faults.latency())
        if kind == "archive.kept":
            raise StoreError("the archive took it and did not say so (simulated)")
