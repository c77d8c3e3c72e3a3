"""Runs handlers: a bounded number at a time, each until its deadline or its cancellation.

A slot is one long-lived task that takes job after job: a handler that never waits costs no task
and no turn of the loop. Ready jobs stand in one heap: by priority, then fair between workflows
(each job's rank is one after its workflow's last, but never behind what is already being
served), then by age. Deadlines are one heap, not one timer per job.

Nothing is decided here: what a handler did becomes an event for its run.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ostinato.core import events as e
from ostinato.core.commands import StartJob
from ostinato.core.facts import Failure
from ostinato.core.state import State
from ostinato.runtime.handlers import Handlers, Job
from ostinato.runtime.reports import failure_of, report_of
from ostinato.telemetry.logger import logger

log = logger("ostinato.executor")

LONG = 1.0
"""Seconds after which a running job gets a start fact."""

Key = tuple[str, str, int]


class Attempt:
    """One attempt in this process. ``verdict`` is set once its outcome is already reported."""

    __slots__ = ("begun_at", "command", "job", "key", "reported", "state", "stopping", "task")

    def __init__(self, state: State, command: StartJob) -> None:
        self.state = state
        self.command = command
        self.key: Key = (state.run_id, command.key, command.attempt)
        self.task: asyncio.Task[None] | None = None
        self.job: Job | None = None
        self.begun_at = 0.0
        self.stopping = False
        self.reported = False


class Executor:
    """``report`` gets (run id, event). ``slots`` handlers run at once, ``threads`` of them sync."""

    def __init__(
        self,
        handlers: Handlers,
        report: Callable[[str, e.Event], None],
        *,
        slots: int = 1_000,
        threads: int = 32,
        result: int = 5_000_000,
    ) -> None:
        self._limit = result
        self.handlers = handlers
        self._report = report
        self._slots = slots
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ostinato-handler")
        self._heap: list[tuple[int, int, int, Attempt]] = []
        self._ranks: dict[str, int] = {}
        self._served = 0
        self._number = 0
        self._attempts: dict[Key, Attempt] = {}
        self._running: dict[Key, Attempt] = {}
        self._fresh: dict[Key, Attempt] = {}
        self._deadlines: list[tuple[float, int, Attempt]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._idle: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        """Jobs that are ready and have no slot yet."""
        return len(self._heap)

    @property
    def running(self) -> int:
        return len(self._running)

    def in_hand(self, run_id: str, key: str, attempt: int) -> bool:
        return (run_id, key, attempt) in self._attempts

    def dispatch(self, jobs: Sequence[tuple[State, StartJob]]) -> None:
        """Take these jobs; they start as slots become free."""
        for state, command in jobs:
            self._push(Attempt(state, command))
        self._wake(len(jobs))

    def _push(self, attempt: Attempt) -> None:
        workflow = attempt.state.workflow
        rank = max(self._ranks.get(workflow, 0), self._served) + 1
        self._ranks[workflow] = rank
        self._number += 1
        self._attempts[attempt.key] = attempt
        heapq.heappush(self._heap, (0, rank, self._number, attempt))

    def stop_job(self, run_id: str, key: str, attempt: int) -> None:
        """Cancel one attempt; ``Stopped`` or its own outcome is reported."""
        found = self._attempts.get((run_id, key, attempt))
        if found is None:
            self._report(run_id, e.Stopped(key, attempt))
            return
        found.stopping = True
        if found.job is not None:
            found.job.cancelled = True
        if found.task is not None and not self._is_sync(found):
            found.task.cancel()

    def _is_sync(self, attempt: Attempt) -> bool:
        handler = self.handlers.get(attempt.command.handler)
        return handler is not None and handler.sync

    # slots

    def _wake(self, wanted: int) -> None:
        while wanted > 0 and self._idle:
            future = self._idle.popleft()
            if not future.done():
                future.set_result(None)
                wanted -= 1
        for _ in range(min(wanted, self._slots - len(self._tasks))):
            task = asyncio.create_task(self._slot(), name="ostinato-slot")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _slot(self) -> None:
        task = asyncio.current_task()
        clean = contextvars.copy_context()
        while not self._closed:
            if not self._heap:
                await self._park()
                continue
            _, self._served, _, attempt = heapq.heappop(self._heap)
            await self._run(attempt, task)
            if contextvars.copy_context() != clean:
                # A handler left something in this task's context: the next job must not see it.
                asyncio.get_running_loop().call_soon(self._wake, len(self._heap))
                return

    async def _park(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        try:
            await future
        except asyncio.CancelledError:
            self._closed_or_ignore()

    def _closed_or_ignore(self) -> None:
        if self._closed:
            raise asyncio.CancelledError

    async def _run(self, attempt: Attempt, task: asyncio.Task[None] | None) -> None:
        if attempt.stopping:
            self._finish(attempt, e.Stopped(attempt.command.key, attempt.command.attempt))
            return
        self._begin(attempt, task)
        try:
            event = await self._outcome(attempt)
        except asyncio.CancelledError:
            if self._closed or task is None:
                self._forget(attempt)
                raise
            task.uncancel()
            event = e.Stopped(attempt.command.key, attempt.command.attempt)
        self._finish(attempt, event)

    def _begin(self, attempt: Attempt, task: asyncio.Task[None] | None) -> None:
        loop = asyncio.get_running_loop()
        attempt.task, attempt.begun_at = task, loop.time()
        self._running[attempt.key] = self._fresh[attempt.key] = attempt
        if self._look is None:
            self._look = loop.call_later(LONG, self._look_for_long)
        timeout = attempt.command.timeout
        if timeout is not None:
            self._number += 1
            due = attempt.begun_at + timeout / 1000
            heapq.heappush(self._deadlines, (due, self._number, attempt))
            self._arm(loop)

    async def _outcome(self, attempt: Attempt) -> e.Event:
        command = attempt.command
        handler = self.handlers.get(command.handler)
        if handler is None:
            known = ", ".join(sorted(self.handlers.names())[:8])
            error = Failure(
                "NoHandler", f"no handler is called {command.handler!r}; here are {known}"
            )
            return e.Failed(command.key, command.attempt, error)
        job = attempt.job = Job(attempt.state, command, self._report)
        try:
            call = handler.bind(job, command.input)
            if handler.sync:
                loop = asyncio.get_running_loop()
                value = await loop.run_in_executor(self._pool, contextvars.copy_context().run, call)
            else:
                value = await call()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a handler may raise anything, even SystemExit
            return failure_of(command, error)
        return report_of(command, value, self._limit)

    def _finish(self, attempt: Attempt, event: e.Event) -> None:
        self._forget(attempt)
        if not attempt.reported:
            self._report(attempt.key[0], event)

    def _forget(self, attempt: Attempt) -> None:
        key = attempt.key
        self._running.pop(key, None)
        self._fresh.pop(key, None)
        if self._attempts.get(key) is attempt:
            del self._attempts[key]
        attempt.task = None

    # deadlines, and jobs that take long

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due = self._deadlines[0][0]
        if self._alarm is not None:
            if self._alarm_at <= due:
                return
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = loop.call_at(due, self._expire)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._alarm = None
        while self._deadlines and (
            self._deadlines[0][0] <= loop.time() or self._deadlines[0][2].task is None
        ):
            attempt = heapq.heappop(self._deadlines)[2]
            if attempt.task is not None and not attempt.reported:
                self._time_out(attempt)
        if self._deadlines:
            self._arm(loop)

    def _time_out(self, attempt: Attempt) -> None:
        """Reported at once: a handler that ignores its cancellation must not hold up its run."""
        command = attempt.command
        error = Failure("Timeout", f"{command.key} took longer than {command.timeout} ms")
        attempt.reported = attempt.stopping = True
        if attempt.job is not None:
            attempt.job.cancelled = True
        if attempt.task is not None and not self._is_sync(attempt):
            attempt.task.cancel()
        else:
            log.warning("thread.overdue", job=command.key, run=attempt.key[0])
        self._report(attempt.key[0], e.Failed(command.key, command.attempt, error))

    def _look_for_long(self) -> None:
        loop = asyncio.get_running_loop()
        self._look = None
        late = loop.time() - LONG
        for attempt in list(self._fresh.values()):
            if attempt.begun_at > late:
                break
            del self._fresh[attempt.key]
            command = attempt.command
            self._report(attempt.key[0], e.Started(command.key, command.attempt))
        if self._fresh:
            self._look = loop.call_later(LONG / 2, self._look_for_long)

    # stopping

    async def drain(self, seconds: float) -> None:
        """Start nothing more; give what runs this long to end."""
        self._heap.clear()
        if not self._running:
            return
        waiting = asyncio.get_running_loop().time() + seconds
        while self._running and asyncio.get_running_loop().time() < waiting:
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """What still runs is cancelled; its jobs stay open in the store and are taken up again."""
        self._closed = True
        for handle in (self._alarm, self._look):
            if handle is not None:
                handle.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
