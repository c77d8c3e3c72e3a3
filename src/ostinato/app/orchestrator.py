"""The App: decorators, and the life of everything that is wired."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ostinato.app.bulk import Bulk
from ostinato.app.buses import bus_name
from ostinato.app.deploying import documents_in
from ostinato.app.elsewhere import Elsewhere
from ostinato.app.event_types import EventType, refuse_untyped
from ostinato.app.handed import Handed
from ostinato.app.hub import at_hub
from ostinato.app.keeping import retention_of
from ostinato.app.parts import (
    HandlerFunction,
    consumer_function,
    consumer_workflow,
    consuming,
    defaults_of,
    name_of,
    refuse_without_brackets,
)
from ostinato.app.run import Run
from ostinato.app.scheduling import Scheduling
from ostinato.app.sharing import Sharing
from ostinato.app.sync import SyncApp
from ostinato.app.tasks import Tasks
from ostinato.app.wiring import open_archive
from ostinato.bus.memory import EVERY, MemoryBus
from ostinato.config import Settings
from ostinato.core.cloudevents import Event
from ostinato.core.decide.calls import CallBudget
from ostinato.core.run_ids import HUB
from ostinato.definitions import read
from ostinato.errors import NothingIsRunning, Unready, UsageError
from ostinato.ports import Archive, Clock, Partitions, Storage, Taken
from ostinato.runtime.clock import StoreClock, SystemClock
from ostinato.runtime.handlers import Job
from ostinato.runtime.identity import Identity
from ostinato.runtime.janitor import Cleaned
from ostinato.runtime.letters import event_of
from ostinato.runtime.limits import Limits
from ostinato.runtime.processes import Pool, Processes, cores
from ostinato.runtime.service import Service
from ostinato.telemetry.logger import logger

log = logger("ostinato.app")

T = TypeVar("T", bound=Callable[..., Any])


class App(Sharing, Scheduling, Bulk, Handed, Tasks, Elsewhere):
    """An orchestrator. Nothing is opened before ``async with app``, ``run`` or a server's start.

    Settings come from ``ostinato.toml`` and ``OSTINATO_*``; ``overrides`` beat both.
    """

    _processes: type[Pool] = Processes

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        storage: Storage | None = None,
        clock: Clock | None = None,
        identity: Identity | None = None,
        **overrides: Any,
    ) -> None:
        super().__init__(settings, storage=storage, clock=clock, identity=identity, **overrides)
        self._taken: Taken | None = None
        self._learning: set[asyncio.Task[bool]] = set()
        self.handlers.provide(Event, _event_of)
        self.handlers.provide(App, lambda job: self)
        self.handlers.provide(Run, lambda job: Run(self, job.run_id))

    @property
    def sync(self) -> SyncApp:
        """Runs an engine (``with app.sync``), or speaks to the one that this app runs already."""
        return SyncApp(self, self._loop)

    # writing

    def handler(
        self, name: str | None = None, *, process: bool = False, **options: Any
    ) -> Callable[[T], HandlerFunction]:
        """Register a function under ``name`` (its own, when not given).

        ``process``: it computes for long, so it runs in a process of its own, which a time-out or a
        cancel kills. It must stand at the top of a module.
        Options: ``attempts``, ``timeout`` and the other members of ``retry``. A document's own
        values beat them, key by key.
        """
        refuse_without_brackets("handler()", name)

        def register(function: T) -> HandlerFunction:
            called = name or name_of(function)
            if process:
                self._processes.check(called, function, self.handlers.provided)
            self._add_handler(called, function, options, process=process)
            return HandlerFunction(self, called, function)

        return register

    def _add_handler(
        self,
        name: str,
        function: Callable[..., Any],
        options: Mapping[str, Any],
        *,
        process: bool = False,
    ) -> None:
        self._handler_defaults[name] = defaults_of(options)
        self.handlers.add(name, function, process=process)
        self._registry.invalidate(self._handler_defaults)
        self._warned.clear()

    @property
    def own_handlers(self) -> list[str]:
        """Names of the handlers that this app brings itself."""
        return list(self._handler_defaults)

    def consumer(
        self,
        type: str | EventType[Any],
        *,
        bus: str | int | None = None,
        publish: str | None = None,
        to: str | int | None = None,
        **options: Any,
    ) -> Callable[[T], T]:
        """Call the function, or the method ``handle`` of the class, for each event of ``type``, in
        which ``*`` is any letters. Of an ``EventType`` it may take the data.

        Many may be of one type; each has retries, time-outs and dead letters of its own. ``bus``:
        only for events that came by that one (``memory``: by none). What it returns is published:
        events, or data of type ``publish``; on the bus ``to`` alone, or where emitted events of
        the type go.
        """
        refuse_without_brackets('consumer("the type of its event")', type)
        refuse_untyped(type, "@app.consumer(…)")
        if "process" in options:
            raise UsageError(
                "a consumer runs in the engine's process; let its event start a workflow "
                "(`on: [{event: …}]`) whose job runs a handler with process=True"
            )
        by = None if bus is None else bus_name(bus)
        out = None if to is None else bus_name(to)
        self._named |= {(by, False), (out, True)}

        def register(function: T) -> T:
            name = name_of(function)
            called = consuming(consumer_function(function), publish, self._known_type(type))
            self._add_handler(f"consumer.{name}", called, options)
            self._documents.append(consumer_workflow(name, str(type), by, out))
            return function

        return register

    def workflow_document(self, document: Any) -> None:
        """A document that is deployed when the app starts."""
        self._documents += [
            each.data for each in documents_in(document, self.settings.limits.document)
        ]

    # living

    async def __aenter__(self) -> App:
        await self.open(stand_by=True)
        try:
            await self.begin()
        except BaseException:
            await self.close(drain=0)
            raise
        return self

    async def open(self, *, stand_by: bool = False, begins: bool = True, adds: bool = True) -> None:
        """Own the store and know its workflows.

        Starts and events are stored from now on; no job starts before ``begin``. Where another
        process owns it: raises ``StoreLocked``, or waits for its turn beside it (``stand_by``).
        Of several stores, each is opened so. ``begins``: they may become a set that were none;
        ``adds``: a set may get more than it had. Raises ``SettingsError`` where they may not.
        """
        if len(self.settings.stores) > 1:
            await self._open_shards(stand_by, begins, adds)
            return
        self._processes.prepare(self.handlers.all())
        self._connect()
        self._retention = retention_of(self.settings)
        storage = self.storage
        if storage.members is not None and isinstance(self._clock, SystemClock):
            self._clock = StoreClock(self._steady)
        await storage.open()
        try:
            await self._refuse_part()
            self._taken = taken = await self._enter(storage, alone=not stand_by)
            works = taken is None or bool(taken.partitions)
            if not works:
                await self._read_workflows(storage)
            async with self._beginning:
                self._stay()  # it may be given more from here on
                if works:
                    await self._begin_to_work(taken)
        except BaseException:
            self._service = None
            await self._leave()
            await storage.close()
            raise

    async def _open_shards(self, stand_by: bool, begins: bool, adds: bool) -> None:
        """Until it is closed its verbs are those of the set: what an object has itself goes before
        what its class has, and who has one store pays nothing for that."""
        shards = importlib.import_module("ostinato.app.shards").Shards(self)
        await shards.open(stand_by=stand_by, begins=begins, adds=adds)
        vars(self).update(shards.verbs)

    async def _begin_to_work(self, taken: Taken | None) -> None:
        await self._read_workflows(self.storage)
        self.own = MemoryBus()
        await self.own.subscribe(EVERY, self._from_bus)
        self._service = service = self._make_service(
            self.storage, None if taken is None else taken.partitions
        )
        if self._membership is not None:
            service.engine.outlets.on_fenced = self._membership.look
        service.engine.learn = self._learn_deployed
        service.engine.known = lambda: self._deployed_number
        service.errands.serve(self._serve_verb)
        service.news.hearers["deployed"] = self._hear_deployed
        if self._documents and (taken is None or HUB in taken.partitions):
            documents = [read(data) for data in self._documents]
            await self._deploy_now(documents)
            for document in documents:
                for warning in self._connected.warnings(document):
                    log.warning("bus.unknown", workflow=document.workflow, why=warning)

    def _make_service(self, storage: Storage, owned: Partitions | None) -> Service:
        settings = self.settings
        limits = Limits(
            ready=settings.limits.ready,
            slots=settings.slots.handlers,
            threads=settings.slots.threads,
            processes=settings.slots.processes or cores(),
            drain=settings.drain.total_seconds(),
            result=settings.limits.result,
            uid_queue=settings.limits.uid_queue,
            calls=CallBudget(settings.limits.calls, settings.limits.open_calls),
            inline=settings.limits.inline,
            secrets=settings.secrets,
        )
        self._http.limit = settings.limits.result
        return Service(
            storage,
            self._catalog,
            self.handlers,
            self.own,
            self._clock,
            self._identity,
            limits,
            self._retention,
            self._open_archive(),
            None if self._membership is None else self._membership.lease,
            importlib.import_module("ostinato").__version__,
            self._processes(),
            buses=self._connected.senders,
            news=self._news,
            owned=owned,
            watch_loop=isinstance(self._clock, SystemClock | StoreClock),
        )

    def _open_archive(self) -> Archive | None:
        export = self.settings.retention.export
        return None if export is None else open_archive(export)

    @at_hub
    async def clean(self) -> Cleaned:
        """Remove now what `[retention]` says is too old; a server does so once an hour."""
        return await self.service.janitor.clean(self.now())

    async def begin(self) -> None:
        """Let the runs go on, and take in what comes by the buses."""
        await self.go_on()
        self._take_in()

    async def go_on(self) -> None:
        """Let the runs go on; what a dead process left is taken over first. Nothing is fetched from
        a bus: whoever needs no more than this brings what comes in."""
        taken, self._taken = self._taken, None
        if not self.stands_by:
            service = self.service
            await service.start(taken)
            try:
                if taken is not None:
                    await self._bring_documents(HUB in taken.partitions)
            except (Unready, NothingIsRunning):
                if self._service is service:
                    raise  # else it has lost its share: with the next one they are brought
        self._loop = asyncio.get_running_loop()
        self._at_work.set()

    async def rest(self) -> None:
        """Returns when there is nothing left to do now: no job is ready or at work here, and all
        that a bus would take is sent. What waits for an instant, or for somebody, still waits."""
        await self.service.rest()

    def _hear_deployed(self, about: str) -> None:
        task = asyncio.create_task(self._learn_deployed(), name="ostinato-learn")
        self._learning.add(task)
        task.add_done_callback(self._learned)

    def _learned(self, task: asyncio.Task[bool]) -> None:
        """What cannot be read now is read when it is needed."""
        self._learning.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("deployed.not_read", error=str(error))

    async def _from_bus(self, events: Sequence[Event]) -> None:
        await self.accept(events)

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self, drain: float | None = None) -> None:
        await self._take_no_more()
        if self._membership is not None:
            await self._membership.rest()
        service, self._service, self._loop = self._service, None, None
        if service is None and self._membership is None:
            return
        try:
            if service is not None:
                self._draining = service
                await service.stop(drain)
        finally:
            self._draining = None
            await self._leave()
            await self._http.close()
            await self._connected.hang_up()
            await self.storage.close()

    def asgi(self) -> Any:
        """This app as an ASGI application, to serve or to mount in another one."""
        return importlib.import_module("ostinato.web.asgi").application(self)

    def run(self) -> None:
        """Serve until told to stop."""
        importlib.import_module("ostinato.cli.server").serve_app(self)

    def expects(self, type: str) -> bool:
        """Whether a trigger, a consumer or a wait knows this type of event."""
        return self._catalog.listens(type) or bool(self._catalog.shapes(type))

    def health(self) -> dict[str, Any]:
        """``ready`` says whether starts are taken."""
        service = self._service
        if service is None:
            return {"ready": False, "reason": self._idle()}
        reason = service.unready
        return {
            "ready": not reason,
            "reason": reason,
            "posts": len(service.engine),
            "readyJobs": len(service.executor),
            "runningJobs": service.executor.running,
            "overdueJobs": service.executor.overdue,
            "residentRuns": len(service.engine.residents),
            "commits": service.engine.commits,
            **_lag_of(service),
            "deadLetters": dict(service.dead_letters),
            "buses": self._counts(),
        }


def _lag_of(service: Service) -> dict[str, float]:
    lag = {} if service.lag is None else service.lag.milliseconds()
    return {f"loopLag{name.title()}Ms": value for name, value in lag.items()}


def _event_of(job: Job) -> Event | None:
    """The event that started the run."""
    return None if job.trigger is None else event_of(job.trigger)
