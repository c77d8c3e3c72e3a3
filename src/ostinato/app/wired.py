"""What the verbs of an app share: its settings, its store, its workflows, its engine."""

from __future__ import annotations

import asyncio
from typing import Any

from ostinato.app.catalog import DeployedWorkflows
from ostinato.app.connectors import Connectors
from ostinato.app.wiring import open_store
from ostinato.bus.memory import MemoryBus
from ostinato.config import Settings, read_settings
from ostinato.core.retention import Retention
from ostinato.definitions.compile import HandlerDefaults
from ostinato.definitions.registry import Registry
from ostinato.errors import NothingIsRunning, UsageError
from ostinato.ports import Clock, Storage, Version
from ostinato.runtime import builtin
from ostinato.runtime.clock import SystemClock
from ostinato.runtime.handlers import Handlers
from ostinato.runtime.http import HttpJobs
from ostinato.runtime.identity import Identity
from ostinato.runtime.lease import Steady, steady
from ostinato.runtime.service import Service
from ostinato.runtime.slots import AT_WORK


class Wired:
    """Nothing is opened here, and settings are read when they are first asked for.

    ``mounted``: what an application has put on this app, by its type; doors look there.
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
        self._steady: Steady = steady
        self._identity = identity or Identity()
        self._service: Service | None = None
        self._draining: Service | None = None
        self._at_work = asyncio.Event()  # it takes events
        self._loop: asyncio.AbstractEventLoop | None = None
        self._documents: list[dict[str, Any]] = []
        self._handler_defaults: dict[str, HandlerDefaults] = {}
        self._http = HttpJobs()
        self._registry: Registry[Version] = Registry()
        self._catalog = DeployedWorkflows(self._registry)
        self._warned: dict[tuple[str, int], list[str]] = {}
        self._retention = Retention()
        self._scheduling = True
        self._deployed_number: int | None = None
        self._deploying = asyncio.Lock()
        self._connected = Connectors()
        self.own = MemoryBus()
        self.mounted: dict[type, object] = {}
        self.handlers = Handlers()
        builtin.register(self.handlers)
        self.handlers.add("http", self._http.request)

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
    def service(self) -> Service:
        if self._service is None:
            if self._drains and self._draining is not None:
                return self._draining
            raise self._nobody()
        return self._service

    @property
    def _drains(self) -> bool:
        """Whether this is said by a handler that a stop lets end: it may say what it has to."""
        return self._draining is not None and AT_WORK.get()

    def _nobody(self) -> NothingIsRunning:
        return NothingIsRunning(
            "no engine is running: use `async with app:` here, or start `ostinato serve`"
        )

    @property
    def storage(self) -> Storage:
        if self._storage is None:
            self._storage = open_store(self.settings.only_store, self.settings.claims)
        return self._storage

    @property
    def address(self) -> str:
        """Where others reach this app: callbacks arrive there."""
        settings = self.settings
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
        return settings.public_url or f"http://{host}:{settings.port}"

    def now(self) -> int:
        return self._clock.now()

    def new_id(self) -> str:
        return self._identity.event_id(self._clock.now())
