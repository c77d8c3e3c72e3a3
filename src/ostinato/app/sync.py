"""The blocking twin: the same verbs for code without a loop, on a loop in one thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ostinato.errors import NothingIsRunning, UsageError

if TYPE_CHECKING:
    from ostinato.app import App
    from ostinato.app.remote import RemoteRun
    from ostinato.app.run import Run

T = TypeVar("T")


class SyncRun:
    def __init__(self, sync: SyncApp, run: Run | RemoteRun) -> None:
        self._sync = sync
        self._run = run
        self.id = run.id
        self.duplicate = run.duplicate

    def result(self, timeout: float | None = None) -> Any:
        return self._sync.call(self._run.result(timeout))

    def view(self) -> Any:
        return self._sync.call(self._run.view())


class SyncApp:
    """``with app.sync as sync: run = sync.start(…); run.result()``"""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._app = app
        self._loop = loop
        self._thread: threading.Thread | None = None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._open_loop()).result()
        except UsageError:
            work.close()
            raise

    def _open_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise NothingIsRunning("use it as `with app.sync as sync:`; the engine runs inside")
        if asyncio._get_running_loop() is self._loop:
            raise UsageError("app.sync would wait for itself here; use app and await")
        return self._loop

    def __enter__(self) -> SyncApp:
        if self._loop is not None:
            raise UsageError("this app runs already; use app.sync without `with`")
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="ostinato", daemon=True)
        self._thread.start()
        try:
            self.call(self._app.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.call(self._app.__aexit__(*exc))
        finally:
            self._end()

    def _end(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        self._loop = self._thread = None

    def start(self, workflow: Any, /, **arguments: Any) -> SyncRun:
        return SyncRun(self, self.call(self._app.start(workflow, **arguments)))

    def emit(self, type: str, data: Any = None, **members: Any) -> Any:
        return self.call(self._app.emit(type, data, **members))

    def deploy(self, document: Any) -> int:
        return self.call(self._app.deploy(document))

    def redrive(self, *ids: str, **options: Any) -> Any:
        return self.call(self._app.redrive(*ids, **options))

    def tasks(self, *query: Any) -> Any:
        return self.call(self._app.tasks(*query))

    def complete(self, name: str, **answer: Any) -> Any:
        return self.call(self._app.complete(name, **answer))

    def cancel(self, run_id: str, why: str = "") -> Any:
        return self.call(self._app.cancel(run_id, why=why))
