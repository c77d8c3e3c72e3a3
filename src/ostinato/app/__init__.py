"""App: where adapters are chosen and wired, and the public verbs.

Doors (HTTP, command line) use only what stands here.

catalog  the deployed workflows, as the engine asks for them
parts    what the decorators make: handlers, consumers
run      a handle on one run
sync     the blocking twin
wiring   adapters by name
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Raw

from ostinato.app.catalog import DeployedWorkflows
from ostinato.app.parts import (
    HandlerFunction,
    consumer_workflow,
    consuming,
    defaults_of,
)
from ostinato.app.run import Deployed, Run, RunEnded
from ostinato.app.sync import SyncApp
from ostinato.app.wiring import open_store
from ostinato.bus.memory import EVERY, MemoryBus
from ostinato.config import Settings, read_settings
from ostinato.core import events as e
from ostinato.core.cloudevents import Event
from ostinato.core.codec import decode_facts, encode_value
from ostinato.core.facts import Failure
from ostinato.core.outline import outline
from ostinato.core.state import State
from ostinato.core.views import RunView, history_view, run_view
from ostinato.definitions import Document, check, compile, load, read
from ostinato.definitions.registry import Registry
from ostinato.errors import (
    Busy,
    ConflictError,
    DefinitionError,
    Gone,
    InvalidInput,
    NotFoundError,
    NothingIsRunning,
    UsageError,
)
from ostinato.ports import (
    Clock,
    DeadLetter,
    EventQuery,
    Head,
    Page,
    RunQuery,
    Storage,
    StoredEvent,
    Version,
)
from ostinato.runtime import builtin
from ostinato.runtime.clock import SystemClock
from ostinato.runtime.handlers import Handlers, Job
from ostinato.runtime.http import HttpJobs
from ostinato.runtime.identity import Identity
from ostinato.runtime.inbox import Accept, Accepted, Begin, Begun, Idempotency
from ostinato.runtime.posts import Keep, Tell
from ostinato.runtime.resident import load_state
from ostinato.runtime.service import Limits, Service
from ostinato.runtime.watching import until_end

__all__ = ["Accepted", "App", "Deployed", "Once", "Run", "RunEnded"]

T = TypeVar("T", bound=Callable[..., Any])


class Once(msgspec.Struct, frozen=True):
    """An idempotent request: its key, its body, and how a run becomes its answer."""

    scope: str
    key: str
    body: bytes
    answer: Callable[[RunView], bytes] = lambda view: b""


class App:
    """An orchestrator. Nothing is opened before ``async with app``, ``run`` or a server's start.

    Settings come from ``ostinato.toml`` and ``OSTINATO_*``; ``overrides`` beat both.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        storage: Storage | None = None,
        clock: Clock | None = None,
        identity: Identity | None = None,
        **overrides: Any,
    ) -> None:
        self._settings = settings
        self._overrides = overrides
        self._storage = storage
        self._clock = clock or SystemClock()
        self._identity = identity or Identity()
        self._service: Service | None = None
        self._documents: list[dict[str, Any]] = []
        self._handler_defaults: dict[str, Any] = {}
        self._http = HttpJobs()
        self.handlers = Handlers()
        self.bus = MemoryBus()
        self._registry: Registry[Version] = Registry()
        self._catalog = DeployedWorkflows(self._registry)
        self._deploying = asyncio.Lock()
        builtin.register(self.handlers)
        self.handlers.add("http", self._http.request)
        self.handlers.provide(Event, _event_of)
        self.handlers.provide(App, lambda job: self)
        self.handlers.provide(Run, lambda job: Run(self, job.run_id))

    @property
    def settings(self) -> Settings:
        if self._settings is None:
            self._settings = read_settings(self._overrides)
        return self._settings

    def configure(self, settings: Settings) -> None:
        """Other settings, before the app is opened."""
        if self._service is not None:
            raise UsageError("an app cannot be configured while it is open")
        self._settings = settings

    @property
    def sync(self) -> SyncApp:
        return SyncApp(self)

    # writing

    def handler(self, name: str | None = None, **options: Any) -> Callable[[T], HandlerFunction]:
        """Register a function under ``name`` (its own, when not given).

        Options: ``attempts``, ``timeout`` and the other members of ``retry``. A document's own
        values beat them, key by key.
        """

        def register(function: T) -> HandlerFunction:
            called = name or str(getattr(function, "__name__", ""))
            self._add_handler(called, function, options)
            return HandlerFunction(self, called, function)

        return register

    def _add_handler(
        self, name: str, function: Callable[..., Any], options: Mapping[str, Any]
    ) -> None:
        self._handler_defaults[name] = defaults_of(options)
        self.handlers.add(name, function, **options)
        self._registry.invalidate(self._handler_defaults)

    def consumer(
        self, type: str, *, bus: Any = "memory", publish: str | None = None, **options: Any
    ) -> Callable[[T], T]:
        """Call the function for each event of ``type``; what it returns is published."""
        if bus != "memory":
            raise UsageError(f'bus={bus!r} is not yet there; use bus="memory"')

        def register(function: T) -> T:
            name = str(getattr(function, "__name__", "consumer"))
            self._add_handler(f"consumer.{name}", consuming(function, publish), options)
            self._documents.append(consumer_workflow(name, type))
            return function

        return register

    def workflow_document(self, document: Any) -> None:
        """A document that is deployed when the app starts."""
        self._documents += [each.data for each in _documents(document)]

    # living

    @property
    def service(self) -> Service:
        if self._service is None:
            raise NothingIsRunning(
                "no engine is running: use `async with app:` here, or start `ostinato serve`"
            )
        return self._service

    @property
    def storage(self) -> Storage:
        if self._storage is None:
            self._storage = open_store(self.settings.store)
        return self._storage

    async def __aenter__(self) -> App:
        await self.open()
        await self.begin()
        return self

    async def open(self) -> None:
        """Own the store and know its workflows.

        Starts and events are stored from now on; no job starts before ``begin``.
        """
        storage = self.storage
        await storage.open()
        try:
            await self._read_workflows(storage)
            self._service = self._make_service(storage)
            if self._documents:
                await self._deploy_now([read(data) for data in self._documents])
        except BaseException:
            self._service = None
            await storage.close()
            raise

    async def _read_workflows(self, storage: Storage) -> None:
        rows = await storage.versions()
        retired = {row.workflow for row in rows if row.retired}
        self._registry = Registry(
            rows, retired=retired, handlers=self._handler_defaults, address=self.address
        )
        self._catalog = DeployedWorkflows(self._registry)
        for row in rows:
            self._learn(row)
        self._catalog.refresh()

    @property
    def address(self) -> str:
        """Where others reach this app: callbacks arrive there."""
        return self.settings.public_url or self._address()

    def _address(self) -> str:
        host = self.settings.host
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{self.settings.port}"  # noqa: S104

    def _make_service(self, storage: Storage) -> Service:
        settings = self.settings
        limits = Limits(
            ready=settings.limits.ready,
            slots=settings.slots.handlers,
            threads=settings.slots.threads,
            drain=settings.drain.total_seconds(),
            result=settings.limits.result,
        )
        return Service(
            storage, self._catalog, self.handlers, self.bus, self._clock, self._identity, limits
        )

    async def begin(self) -> None:
        """Let the runs go on; what a dead process left is taken over first."""
        await self.bus.subscribe(EVERY, self._from_bus)
        await self.service.start()

    async def _from_bus(self, event: Event) -> None:
        await self.accept([event])

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self, drain: float | None = None) -> None:
        service, self._service = self._service, None
        if service is None:
            return
        try:
            await service.stop(drain)
        finally:
            await self._http.close()
            await self.storage.close()

    def asgi(self) -> Any:
        """This app as an ASGI application, to serve or to mount in another one."""
        return importlib.import_module("ostinato.web.asgi").application(self)

    def run(self) -> None:
        """Serve until told to stop."""
        importlib.import_module("ostinato.cli.server").serve_app(self)

    # deploying

    async def deploy(self, document: Any) -> int:
        """The version of a document (a mapping, its text, or the path of a file)."""
        deployed = await self.deploy_documents(_documents(document))
        return deployed[-1].version

    async def deploy_texts(self, texts: Sequence[bytes]) -> list[Deployed]:
        """Documents by their content, all or none."""
        limit = self.settings.limits.document
        return await self.deploy_documents(
            [each for text in texts for each in load(text, limit=limit)]
        )

    async def deploy_part(self, data: dict[str, Any]) -> str:
        """A workflow that Ostinato itself makes; its name."""
        deployed = await self.deploy_documents([read(data)])
        return deployed[0].name

    async def deploy_documents(self, documents: Sequence[Any]) -> list[Deployed]:
        async with self._deploying:
            return await self._deploy_now(documents)

    async def _deploy_now(self, documents: Sequence[Any]) -> list[Deployed]:
        proposals = self._registry.propose(documents, self._clock.now())
        for document in documents:
            self._refuse_broken(document)
        rows = [Version(**one.row) for one in proposals if one.new]
        if rows:
            await self._keep(versions=rows)
            self._registry.add(rows)
            for row in rows:
                self._learn(row)
            self._catalog.refresh()
        return [self._deployed(Version(**one.row), one.new) for one in proposals]

    def _refuse_broken(self, document: Document) -> None:
        errors, _ = check(document, self._handler_names())
        if errors:
            more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise DefinitionError(f"{document.workflow}: {errors[0]}{more}", problems=tuple(errors))
        compile(document, self._handler_defaults)

    def _handler_names(self) -> list[str]:
        return list(self.handlers.names())

    async def _keep(self, **rows: Any) -> None:
        await self.service.ask(lambda answer: Keep(answer, **rows))

    def _learn(self, row: Version) -> None:
        self._catalog.learn_waits(self._registry.document(row.workflow, row.version))

    def _deployed(self, row: Version, created: bool = False) -> Deployed:
        document = self._registry.document(row.workflow, row.version)
        return Deployed(
            id=row.workflow_id,
            name=row.workflow,
            version=row.version,
            created=created,
            created_at=row.created_at,
            description=document.description,
            input_schema=document.input_schema,
            warnings=[str(one) for one in check(document, self._handler_names())[1]],
        )

    # doing

    async def start(
        self, workflow: Any, /, *, uid: str | None = None, input: Any = UNSET, **arguments: Any
    ) -> Run:
        """Start a run of a workflow, by its name; ``arguments`` are its input."""
        given = arguments if input is UNSET else input
        return await self.start_run(str(getattr(workflow, "name", workflow)), given, uid=uid)

    async def start_run(
        self,
        workflow: str,
        input: Any,
        *,
        uid: str | None = None,
        version: int | None = None,
        wait: bool = True,
        once: Once | None = None,
    ) -> Run:
        """Durable when this returns. ``wait`` for room, or raise ``Busy``.

        Raises ``NotFoundError``, ``InvalidInput``, and ``ConflictError`` when ``once`` has been
        used for another request.
        """
        service = self.service
        name, number = self._catalog.resolve(workflow, version)
        data = self._checked_input(name, number, input)
        await self._room(wait)
        post = self._idempotency(once)
        begun: Begun = await service.ask(
            lambda answer: Begin(service.starter, name, number, data, uid, answer, post)
        )
        if begun.answer is not None:
            run_id, _, body = begun.answer.partition(b"\n")
            return Run(self, run_id.decode(), duplicate=True, answer=body, replayed=True)
        return Run(self, begun.run_id, duplicate=begun.duplicate)

    def _checked_input(self, name: str, version: int, given: Any) -> Raw:
        value = msgspec.json.decode(given) if isinstance(given, Raw) else given
        if not isinstance(value, dict):
            raise InvalidInput(f"the input of a run is a map, not {value!r:.80}")
        return encode_value(self._catalog.check_input(name, version, value))

    def _idempotency(self, once: Once | None) -> Idempotency | None:
        if once is None:
            return None
        digest = hashlib.sha256(once.body).hexdigest()
        expires_at = self._clock.now() + round(self.settings.idempotency.total_seconds() * 1000)

        def answer(state: State, duplicate: bool) -> bytes:
            view = run_view(state)
            if duplicate:
                view.duplicate = True
            return state.run_id.encode() + b"\n" + once.answer(view)

        return Idempotency(once.scope, once.key, digest, expires_at, answer)

    async def _room(self, wait: bool) -> None:
        if wait:
            await self.service.wait_room()
        else:
            self.service.check_room()

    async def emit(
        self,
        type: str,
        data: Any = None,
        *,
        id: str | None = None,
        source: str = "ostinato/app",
        subject: str | None = None,
    ) -> Accepted:
        """Accept one event here. Durable when this returns."""
        event = Event(
            id=id or self.new_id(),
            source=source,
            type=type,
            time=self.now(),
            subject=subject,
            data=encode_value({} if data is None else data),
        )
        return (await self.accept([event]))[0]

    def producer(self, bus: str = "memory") -> Producer:
        if bus != "memory":
            raise UsageError(f"producer({bus!r}) is not yet there; use producer('memory')")
        return Producer(self)

    async def accept(self, events: Sequence[Event], *, wait: bool = True) -> list[Accepted]:
        """Store events, all or none, with the runs they start."""
        service = self.service
        await self._room(wait)
        answers: list[Accepted] = await service.ask(
            lambda answer: Accept(service.starter, self._catalog, events, answer)
        )
        return answers

    async def cancel(self, run_id: str, *, by: str = "", why: str = "") -> RunView:
        state = await self._state(run_id)
        if state.ended:
            raise ConflictError(f"run {run_id} has already {state.status}")
        event = e.CancelRequested(by, why)
        await self.service.ask(lambda answer: Tell(run_id, event, answer))
        return await self.run_view(run_id)

    async def answer(
        self, token: str, *, output: Any = None, error: Mapping[str, str] | None = None
    ) -> None:
        """End the job that ``token`` belongs to, from outside.

        Raises ``NotFoundError``, ``ConflictError`` (it is over), ``Gone`` (it timed out).
        """
        state, key = await self._holder(token)
        failure = None
        if error is not None:
            failure = Failure(str(error.get("name", "Failed")), str(error.get("message", "")))
        data = output if isinstance(output, Raw) else encode_value(output)
        event = e.Answered(key, data if failure is None else None, failure)
        told = await self.service.ask(lambda answer: Tell(state.run_id, event, answer))
        if told is None or not told.facts:
            raise ConflictError(f"job {key} of run {state.run_id} is over")

    async def heartbeat(self, token: str) -> None:
        """Say that the work goes on."""
        state, key = await self._holder(token)
        step = state.steps[key]
        event = e.Heard(key, step.attempt)
        await self.service.ask(lambda answer: Tell(state.run_id, event, answer))

    async def _holder(self, token: str) -> tuple[State, str]:
        state = await self._state(token.partition(".")[0], "no job has this token")
        step = state.holder(token)
        if step is None:
            raise NotFoundError("no job has this token")
        if step.open:
            return state, step.key
        if step.error is not None and step.error.name == "Timeout":
            raise Gone(f"job {step.key} of run {state.run_id} has timed out")
        raise ConflictError(f"job {step.key} of run {state.run_id} has already {step.status}")

    # reading

    def now(self) -> int:
        return self._clock.now()

    def new_id(self) -> str:
        return self._identity.event_id()

    def expects(self, type: str) -> bool:
        """Whether a trigger, a consumer or a wait knows this type of event."""
        return self._catalog.listens(type) or bool(self._catalog.shapes(type))

    async def _state(self, run_id: str, message: str = "") -> State:
        resident = None if self._service is None else self._service.engine.residents.get(run_id)
        if resident is not None:
            return resident.state
        try:
            return await load_state(self.storage, self._catalog.graph, run_id)
        except NotFoundError as error:
            raise NotFoundError(message or error.message) from None

    async def find_run(self, name: str) -> Head:
        """By id, unique prefix, uid (the newest), or ``last``."""
        if name == "last":
            found = await self.storage.runs(RunQuery(), Page(1))
        elif (head := await self.storage.head(name)) is not None:
            return head
        else:
            found = await self.storage.runs(RunQuery(uid=name), Page(1))
            found = found or await self._by_prefix(name)
        if not found:
            raise NotFoundError(f"there is no run {name!r}: give its id, a prefix of it or its uid")
        return found[0]

    async def _by_prefix(self, prefix: str) -> list[Head]:
        found = await self.storage.runs(RunQuery(id_prefix=prefix), Page(2))
        if len(found) > 1:
            raise ConflictError(f"more than one run begins with {prefix!r}: give more of its id")
        return found

    async def run_view(self, run_id: str) -> RunView:
        return run_view(await self._state(run_id))

    async def wait_ended(self, run_id: str, timeout: float | None) -> RunView:
        """The run at its end, or as it is after ``timeout`` seconds."""
        watching = self.service.engine.watching
        future = watching.ended(run_id)
        try:
            state = await self._state(run_id)
            if not state.ended:
                done, _ = await asyncio.wait([future], timeout=timeout)
                if not done:
                    return await self.run_view(run_id)
                state = future.result()
            return run_view(state)
        finally:
            watching.forget(run_id, future)
            future.cancel()

    async def history(
        self, run_id: str, after: int = -1, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Facts with a number greater than ``after``, oldest first."""
        records = await self.storage.history(run_id)
        if not records:
            raise NotFoundError(f"there is no run {run_id!r}")
        views = (
            view
            for record in records
            for view in history_view(
                record.seq, record.at, decode_facts(record.data, record.version)
            )
            if view["seq"] > after
        )
        return [view for view, _ in zip(views, range(limit or 1 << 30), strict=False)]

    async def stream(self, run_id: str, after: int = -1) -> AsyncIterator[dict[str, Any]]:
        """Facts as they are stored, from the past on; ends with the run."""
        watching = self.service.engine.watching
        queue = watching.open(run_id)
        try:
            past = await self.history(run_id, after)
            for view in past:
                yield view
            seen = past[-1]["seq"] if past else after
            if (await self._state(run_id)).ended and queue.empty():
                for view in await self.history(run_id, seen):
                    yield view
                return
            async for view in until_end(queue):
                if view["seq"] > seen:
                    yield view
        finally:
            watching.close(run_id, queue)

    async def runs(self, query: RunQuery, page: Page) -> list[Head]:
        return await self.storage.runs(query, page)

    async def count_runs(self, query: RunQuery) -> int:
        return await self.storage.count_runs(query)

    async def events(self, query: EventQuery, page: Page) -> list[StoredEvent]:
        return await self.storage.events(query, page)

    async def count_events(self, query: EventQuery) -> int:
        return await self.storage.count_events(query)

    async def event(self, event_id: str, source: str | None = None) -> StoredEvent:
        found = await self.storage.events_by_id(event_id)
        found = [one for one in found if source is None or one.event.source == source]
        if not found:
            raise NotFoundError(f"there is no event {event_id!r}")
        if len(found) > 1:
            sources = ", ".join(repr(one.event.source) for one in found)
            raise ConflictError(f"events from {sources} have this id: say which source")
        return found[0]

    async def dead_letters(self, page: Page) -> list[DeadLetter]:
        return await self.storage.dead_letters(page)

    async def workflows(self) -> list[Deployed]:
        return [self._deployed(row) for row in self._registry.latest()]

    async def workflow(self, name: str, version: int | None = None) -> tuple[Deployed, Version]:
        row = self._registry.find(name, version)
        return self._deployed(row), row

    async def versions(self, name: str) -> list[Version]:
        return self._registry.versions(name)

    async def delete_workflow(self, name: str) -> None:
        """Found no more and triggered no more; its runs go on."""
        row = self._registry.find(name)
        await self._keep(retired=[row.workflow])
        self._registry.retire(name)
        self._catalog.refresh()

    def graph(self, name: str, version: int | None = None) -> dict[str, Any]:
        return outline(self._catalog.graph(*self._catalog.resolve(name, version)))

    async def run_graph(self, run_id: str) -> dict[str, Any]:
        """The graph that a run follows, each node with the status of its latest activation."""
        return outline((await self._state(run_id)).graph, await self._state(run_id))

    def health(self) -> dict[str, Any]:
        """``ready`` says whether starts are taken."""
        service = self._service
        if service is None:
            return {"ready": False, "reason": "not started"}
        room = service.load < service.limits.ready
        return {
            "ready": service.ready and room,
            "reason": "" if service.ready and room else "full" if service.ready else "stopping",
            "posts": len(service.engine),
            "readyJobs": len(service.executor),
            "runningJobs": service.executor.running,
            "residentRuns": len(service.engine.residents),
            "commits": service.engine.commits,
        }


class Producer:
    """Sends events to a bus: ``await app.producer().send("TYPE", {…})``."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def send(self, type: str, data: Any = None, **members: Any) -> None:
        await self.send_multiple([data], type, **members)

    async def send_multiple(self, data: Sequence[Any], type: str, **members: Any) -> None:
        app = self._app
        await app.bus.send(
            Event(
                id=app.new_id(),
                source="ostinato/app",
                type=type,
                time=app.now(),
                subject=None,
                data=encode_value({} if one is None else one),
                **members,
            )
            for one in data
        )


def _event_of(job: Job) -> Event | None:
    """The event that started the run."""
    value = job.trigger
    if value is None:
        return None
    from ostinato.core.cloudevents import milliseconds

    return Event(
        id=value["id"],
        source=value["source"],
        type=value["type"],
        time=milliseconds(value["time"]),
        subject=value.get("subject"),
        data=encode_value(value["data"]),
    )


def _documents(document: Any) -> list[Any]:
    """From a mapping, a text, bytes, or the path of a file."""
    if isinstance(document, Mapping):
        return [read(document)]
    if isinstance(document, bytes):
        return load(document)
    if isinstance(document, Path) or (isinstance(document, str) and _is_path(document)):
        return load(Path(document).read_bytes())
    if isinstance(document, str):
        return load(document)
    raise UsageError(f"a document is a map, a text or a path, not {type(document).__name__}")


def _is_path(text: str) -> bool:
    return "\n" not in text and text.endswith((".yaml", ".yml", ".json"))


__all__ += ["Busy", "Producer"]
