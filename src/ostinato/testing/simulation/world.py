"""The world of one simulation: it plays a plan, starts a process when one has ended, and settles.

Everything here is outside of the processes, and goes on whatever becomes of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextvars import Context
from random import Random
from typing import TYPE_CHECKING, Any

from ostinato.core.graph import Graph
from ostinato.core.run_ids import partition_of
from ostinato.errors import Fenced, StoreError, Unready, UsageError, WorkflowNotFound
from ostinato.testing.simulation.clients import Clients
from ostinato.testing.simulation.clock import WallClock
from ostinato.testing.simulation.dock import Dock, message_of
from ostinato.testing.simulation.documents import DOCUMENTS, SECOND
from ostinato.testing.simulation.far import FAR_AWAY
from ostinato.testing.simulation.faults import AdapterBug, Faults
from ostinato.testing.simulation.hands import Hands
from ostinato.testing.simulation.ledger import Ledger
from ostinato.testing.simulation.loop import Call, VirtualLoop
from ostinato.testing.simulation.place import MemoryPlace, Place, SqlitePlace
from ostinato.testing.simulation.plan import SPAN, Action, Plan
from ostinato.testing.simulation.points import Point, suspended_at
from ostinato.testing.simulation.process import Process
from ostinato.testing.simulation.server import SimulatedApp
from ostinato.testing.simulation.store import UnreliableStore

if TYPE_CHECKING:
    from ostinato.testing.simulation.database import Database

MOST_PROCESSES = 60
"""Nothing in a plan makes so many: something takes each of them down."""

FAILED_START = "failed start"

ZOMBIE = 8.0
"""Seconds that a process lives on after it has woken up behind its successor."""

LAST_WORDS = 2.0
"""Seconds within which whoever asked a process that has stopped is told so."""

AGAIN = 0.1
"""Seconds until one looks again whether a process goes on."""

CLAIMS = ("skip-locked", "recheck")
"""Seeds take turns."""

PATIENCE = 600.0
"""Seconds after which a client that was not answered is given up, and that is a violation."""


class World:
    """``owner`` says which process (its number) has a partition; where nobody shares the store,
    the one that has taken it over last, ``newest``.
    """

    def __init__(self, plan: Plan, database: Database | None = None) -> None:
        self.plan = plan
        self.seed = plan.seed
        self.chance = Random(f"world:{plan.seed}")
        self.loop = VirtualLoop(Random(f"turns:{plan.seed}"), shuffled=plan.shuffled)
        self.clock = WallClock(self.loop)
        self.faults = Faults(self.loop, Random(f"faults:{plan.seed}"))
        self.ledger = Ledger(self.clock, by_order=plan.store == "memory")
        self.place = self._place(database)
        self.clients = Clients(self)
        self.hands = Hands(self)
        self.dock = Dock(self)
        self.newest = -1
        self.owner: dict[int, int] = {}
        self.processes: list[Process] = []
        self.covered: Counter[Point] = Counter()
        self.crashes: Counter[str] = Counter()
        self.handled: Counter[str] = Counter()
        self.lines: list[tuple[float, str, str]] = []
        self.blind = ""
        self._came_up = asyncio.Event()
        self._over = self._calm = False
        self._aim: tuple[Point, int] | None = None
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def _place(self, database: Database | None) -> Place:
        if self.plan.store == "sqlite":
            return SqlitePlace()
        if self.plan.store == "memory":
            return MemoryPlace(self.clock.now)
        if database is None:
            raise UsageError(
                f"the data of seed {self.seed} is on PostgreSQL, and there is no server for it; "
                "give simulate() its database, or the command --server"
            )
        from ostinato.testing.simulation.postgres import PostgresPlace

        claims = CLAIMS[self.seed % len(CLAIMS)]
        return PostgresPlace(database, self.clock.now, self.ledger.breaks, claims)

    @property
    def current(self) -> Process:
        """The last that has come up, and is there."""
        there = (process for process in reversed(self.processes) if process.up)
        return next(there, self.processes[-1])

    def graph_of(self, workflow: str, version: int) -> Graph:
        """By the documents of a process that knows them, and not by what its engine is told."""
        error: WorkflowNotFound | None = None
        for process in reversed([each for each in self.processes if each.app is not None]):
            try:
                graph: Graph = process.app._registry.graph(workflow, version)
            except WorkflowNotFound as missing:
                error = missing
            else:
                return graph
        raise error or WorkflowNotFound(f"there is no process that knows {workflow}")

    def owns(self, process: Process, run_id: str) -> bool:
        """Whether only this process may write of the run, and begin its jobs."""
        if not self.place.shared:
            return process.number == self.newest
        return self.owner.get(partition_of(run_id)) == process.number

    def any_process(self) -> Process:
        """One of those that are there."""
        there = [process for process in self.processes if process.state == "running"]
        return self.chance.choice(there) if len(there) > 1 else self.processes[-1]

    def trace(self, what: str, text: str) -> None:
        self.lines.append((self.loop.time(), what, text))

    def outside(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task that no crash touches."""
        task = self.loop.create_task(work, context=Context())
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop, context=Context())
        return task

    # processes

    async def supervise(self) -> None:
        """A new process whenever one has ended, or seems to have; ever later if none comes up."""
        longest = 0.1
        while not self._over:
            if len(self.processes) >= MOST_PROCESSES * self.plan.crew:
                self.ledger.breaks("process.restarts", "each process is taken down again")
                return
            process = Process(self.loop, len(self.processes))
            self.processes.append(process)
            blind, self.blind = "" if self._calm else self.blind, ""
            process.blind = blind
            process.spawn(self._live(process), "main")
            failed = await process.ended == FAILED_START
            self.blind = self.blind or (blind if failed else "")
            longest = min(2.0, longest * 1.5) if failed else 0.1
            await asyncio.sleep(self.chance.random() * longest)

    async def _live(self, process: Process) -> None:
        process.inner = self.place.store()
        store = UnreliableStore(process.inner, self, process)
        process.app = SimulatedApp(self, process, store, process.blind)
        try:
            await self._begin(process.app)
        except (StoreError, Fenced, AdapterBug, Unready) as error:
            self.trace("process", f"{process.number} does not start: {error}")
            self.crash(process, FAILED_START)
            return
        self.trace("process", f"{process.number} is up")
        process.up = True
        self._came_up.set()

    async def _begin(self, app: SimulatedApp) -> None:
        """Events are taken in while it owns the store and does not turn yet, or begins to."""
        try:
            await app.open(stand_by=True)
            if app.stands_by:
                await app.begin()
                await app.goes_on.wait()  # the one before is dead, or sleeps: its lease runs
                return
            await asyncio.gather(*[_hello(app, n) for n in range(app.manner.before)])
            beside = [_hello(app, n) for n in range(app.manner.beside)]
            await asyncio.gather(*beside, app.begin())
        except Exception:  # not when it is dead
            await app.close(drain=0)
            raise

    async def serving(self) -> Process:
        """One that does work."""
        while not (found := [each for each in self.processes if _serves(each)]):
            if any(process.up for process in self.processes):
                await asyncio.sleep(AGAIN)  # an older one has woken up, and has all for a while
            else:
                self._came_up.clear()
                await self._came_up.wait()
        return self.chance.choice(found) if len(found) > 1 else found[0]

    def crash(self, process: Process, how: str) -> None:
        if process.state == "dead":
            return
        where = process.kill(how)
        if how != "stopped":
            self.crashes[how] += 1
            self.covered.update(where)
        self.place.abandon(process.inner)
        self.trace("process", f"{process.number} is gone: {how}")

    async def stop(self, process: Process, drain: float | None) -> None:
        """SIGTERM: it ends its work in order."""
        process.up, process.stopping = False, True
        try:
            await process.app.close(drain)
        except (StoreError, Fenced) as error:
            self.trace("process", f"{process.number} did not stop in order: {error}")
        if await process.unanswered(LAST_WORDS):
            self.ledger.breaks("stop.silent", "it has stopped, and a client waits for its answer")
        if not process.store_failed:
            self.ledger.in_order.add(process.number)
        self.crash(process, "stopped")

    def _pause(self, process: Process, seconds: float) -> None:
        process.pause()
        self.crashes["paused"] += 1
        self.trace("process", f"{process.number} is paused for {seconds} s")
        self.loop.call_later(seconds, self._wake, process, context=Context())

    def _wake(self, process: Process) -> None:
        if process.state == "paused":
            self.trace("process", f"{process.number} wakes up")
            self.handled["zombie"] += 1
            self.loop.resume(process)
            self.loop.call_later(ZOMBIE, self.crash, process, "zombie", context=Context())

    def _look_at_aim(self, call: Call) -> None:
        """Crash when a task of the process rests at the point aimed at, for the n-th time."""
        task, aim = call.task, self._aim
        if aim is None or task is None or task.done() or call.owner is None:
            return
        point, left = aim
        if point in suspended_at(task):
            self._aim = (point, left - 1) if left > 1 else None
            if self._aim is None:
                self.loop.watch = None
                assert isinstance(call.owner, Process)  # noqa: S101 - there are no other owners
                self.crash(call.owner, "aimed")

    # the plan

    async def play(self) -> None:
        """All of the plan, then quiet."""
        for action in self.plan.actions:
            if action.kind == "aim":
                self._aim = ((action.args[0], action.args[1]), action.args[2])
                self.loop.watch = self._look_at_aim
        supervising = [self.outside(self.supervise()) for _ in range(self.plan.crew)]
        known = DOCUMENTS | dict(self.plan.own)
        await self._deploy([known[name] for name in self.plan.documents])
        if set(FAR_AWAY) & set(self.plan.documents):
            self.hands.begin()
        asked = [self.outside(self._do(action)) for action in self.plan.actions]
        await asyncio.sleep(SPAN)
        self.calm()
        for task in asked:
            await self._answered(task)
        for task in supervising:
            if task.done():
                task.result()

    async def _answered(self, task: asyncio.Task[Any]) -> None:
        _, late = await asyncio.wait({task}, timeout=PATIENCE)
        if late:
            self.ledger.breaks("client.hangs", "a client was never answered")
        else:
            task.result()

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self._calm = True
        self.faults.calm()
        self._aim = self.loop.watch = None
        self.blind = ""
        for process in self.processes:
            if process.blind:
                self.crash(process, "kill")

    @property
    def is_calm(self) -> bool:
        return self._calm

    def end(self) -> None:
        self._over = True
        self.hands.end()

    async def _deploy(self, documents: list[Any]) -> None:
        async def serve(app: Any) -> None:
            for document in documents:
                await app.deploy(document)

        await self.clients.until_answered(serve)

    async def _do(self, action: Action) -> None:
        await asyncio.sleep(action.at)
        self.trace("plan", f"{action.kind} {' '.join(map(str, action.args))}")
        do = getattr(self, f"_do_{action.kind}", None) or getattr(self.clients, action.kind)
        done = do(*action.args)
        if done is not None:
            await done

    def _do_aim(self, module: str, line: int, nth: int) -> None:
        """It was taken when the plan began."""

    def _do_crash(self) -> None:
        self.crash(self.any_process(), "kill")

    def _do_stop(self, drain: float) -> None:
        if (process := self.any_process()).up:
            process.spawn(self.stop(process, drain), "stop")

    def _do_pause(self, seconds: float) -> None:
        if self.place.shared and (process := self.any_process()).up:
            self._pause(process, seconds)

    def _do_cut(self, when: str) -> None:
        if (process := self.any_process()).up:
            process.store_failed = True
            self.place.cut(process.inner, when)

    def _do_jump(self, milliseconds: int) -> None:
        self.clock.set(milliseconds)

    def _do_fault(self, kind: str, amount: float) -> None:
        self.faults.arm(kind, amount)

    def _do_upon(self, said: bytes, kind: str, times: int) -> None:
        self.faults.expect(said, kind, times)

    def _do_mute(self, word: str) -> None:
        self.faults.mute(word)

    def _do_bring(self, number: int, kind: str) -> None:
        self.dock.bring(message_of(number, kind))

    def _do_untold(self, times: int) -> None:
        self.faults.lose_answer(times)

    def _do_blind(self) -> None:
        """The next process cannot read the workflow that most runs have."""
        self.blind = self.plan.documents[0]
        self.crash(self.any_process(), "kill")

    def _do_deploy(self, name: str) -> Coroutine[Any, Any, None]:
        return self._deploy([SECOND[name]])


async def _hello(app: SimulatedApp, n: int) -> None:
    await app.emit("HELLO", id=f"{app.process.number}-{n}")


def _serves(process: Process) -> bool:
    return process.up and not process.app.stands_by
