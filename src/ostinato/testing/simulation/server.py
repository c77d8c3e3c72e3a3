"""The app as it runs in a simulated process: the real one, on an unreliable bus and store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from ostinato.app import App
from ostinato.config import Settings
from ostinato.config.settings import LimitSettings, SlotSettings
from ostinato.core.graph import Graph
from ostinato.errors import DefinitionError
from ostinato.ports import Archive, Partitions, Storage, Taken
from ostinato.runtime.identity import Identity
from ostinato.runtime.processes import InLine
from ostinato.runtime.service import Service
from ostinato.testing.simulation.archive import UnreliableArchive
from ostinato.testing.simulation.attic import KEPT, REMEMBERED
from ostinato.testing.simulation.bus import FarAway, UnreliableBus
from ostinato.testing.simulation.documents import handlers_of
from ostinato.testing.simulation.far import NEAR
from ostinato.testing.simulation.handlers import HANDLERS, Workshop
from ostinato.testing.simulation.store import UnreliableStore
from ostinato.testing.simulation.web import client_of

if TYPE_CHECKING:
    from ostinato.testing.simulation.plan import Plan
    from ostinato.testing.simulation.process import Process
    from ostinato.testing.simulation.world import World

APART = 30
"""Bytes beyond which a value is large here, so that most runs have some."""

LARGE = Settings(
    secrets={"KEY": "hidden"},
    drain=timedelta(seconds=2),
    lease=timedelta(seconds=0.5),
    limits=LimitSettings(result=2_000, inline=APART),
)
SMALL = Settings(
    secrets={"KEY": "hidden"},
    drain=timedelta(seconds=2),
    lease=timedelta(seconds=0.5),
    limits=LimitSettings(result=2_000, ready=8, inline=APART),
    slots=SlotSettings(handlers=2, threads=1),
)


COMES = 2
"""In one of so many processes there is a handler for what others leave to workers."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a process begins: whether it brings a document, and how many events it takes in
    ``before`` it takes over, and ``beside`` that.
    """

    deploys: bool
    before: int
    beside: int


MANNERS = (Manner(True, 2, 0), Manner(False, 0, 0), Manner(False, 0, 2))
"""Processes take turns: the second writes nothing before it takes over."""


class SimulatedApp(App):
    """``blind`` to one workflow, as an older version of the program may be."""

    _processes = InLine

    def __init__(self, world: World, process: Process, store: UnreliableStore, blind: str) -> None:
        super().__init__(
            _settings(world.plan),
            storage=cast(Storage, store),
            clock=world.clock,
            identity=Identity(world.chance.getrandbits),
        )
        self._world = world
        self.process = process
        self._steady = world.loop.time
        self._blind = blind
        self.goes_on = asyncio.Event()
        self._http._client = client_of(world.chance)
        workshop = Workshop(world, process)
        workshop.register(self, HANDLERS if world.plan.own else handlers_of(world.plan.documents))
        if process.number % COMES == COMES - 1:
            self.handler(NEAR)(workshop.quick)
        self.manner = MANNERS[process.number % len(MANNERS)]
        if self.manner.deploys:
            self.workflow_document(_own_document(process.number))

    async def _check_set(self) -> None:
        """There is one store in a world."""

    def _connect(self) -> None:
        self._connected = FarAway(self._world, self, self.process)

    def _make_service(self, storage: Storage, owned: Partitions | None) -> Service:
        self.own = cast(Any, UnreliableBus(self.own, self._world))
        return super()._make_service(storage, owned)

    async def _take_up(self, taken: Taken) -> None:
        await super()._take_up(taken)
        self.goes_on.set()

    def _open_archive(self) -> Archive | None:
        return UnreliableArchive(self._world) if self.settings.retention.export else None

    async def _read_workflows(self, storage: Storage) -> None:
        await super()._read_workflows(storage)
        if self._blind:
            cast(Any, self._catalog).graph = self._graph

    def _graph(self, workflow: str, version: int) -> Graph:
        if workflow == self._blind:
            raise DefinitionError(f"{workflow} is written in a newer language (simulated)")
        return self._registry.graph(workflow, version)


def _settings(plan: Plan) -> Settings:
    settings = SMALL if plan.small else LARGE
    if not plan.forgets:
        return settings
    # hours go by, and renewals with them
    rarely = timedelta(seconds=3)
    return replace(settings, retention=KEPT, idempotency=REMEMBERED, lease=rarely)


def _own_document(number: int) -> dict[str, Any]:
    """What a process of its own deploys before it turns: another version each time."""
    jobs = [{"job": "hello", "run": "log", "with": {"message": f"process {number}"}}]
    return {"workflow": "hello", "phases": [{"phase": "p", "jobs": jobs}]}
