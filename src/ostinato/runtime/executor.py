"""Runs handlers: a bounded number at a time, each until its deadline or its cancellation.

Async handlers share the loop, sync ones have a thread each, or a process when they say so; none
takes another kind's slots. Jobs that have died with a process are at work one at a time, each
after its start fact is stored: when the process dies again, that tells on one of them. One that
has lived on for ``PROBATION`` seconds lets the next one begin.

A handler that ignores its cancellation keeps its slot and is counted as ``overdue``, but its run
goes on: the outcome of an attempt is reported once.

Nothing is decided here: what a handler did becomes an event for its run.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ostinato.core import events as e
from ostinato.core.commands import StartJob
from ostinato.core.facts import Failure
from ostinato.core.run_ids import partition_of
from ostinato.core.secrets import filled, has_marks, without
from ostinato.errors import OstinatoError
from ostinato.ports import Partitions
from ostinato.runtime.attempt import Attempt, Key, attempted
from ostinato.runtime.deadlines import Deadlines
from ostinato.runtime.handlers import Handler, Handlers, Job, Origin, Report, Where
from ostinato.runtime.lease import Lease
from ostinato.runtime.outcomes import Fail
from ostinato.runtime.processes import Failed, Pool, Processes, Work, event_of
from ostinato.runtime.reports import cleaned, failure_of, raised, report_of
from ostinato.runtime.slots import Slots
from ostinato.telemetry.logger import logger

log = logger("ostinato.executor")

LONG = 1.0
"""Seconds after which a running job gets a start fact."""

PROBATION = 30.0
"""Seconds after which a job that had died is trusted, and the next such job may begin."""

LAST_WORDS = 1.0
"""Seconds that a cancelled handler is given when the executor closes."""


class Executor:
    """``report`` gets (run id, event). ``slots`` async handlers at once, ``threads`` sync ones, and
    ``processes`` of those that run in ``pool``.

    ``on_taken`` hears when a job that waited has got its slot. ``store_start`` returns once the
    start fact of an attempt is stored, and says whether the attempt is still wanted. While
    ``lease`` does not run, nothing begins.
    """

    def __init__(
        self,
        handlers: Handlers,
        report: Report,
        *,
        slots: int = 1_000,
        threads: int = 32,
        processes: int = 1,
        pool: Pool | None = None,
        result: int = 5_000_000,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.handlers = handlers
        self.lease: Lease | None = None
        self._secrets = secrets or {}
        self.on_taken: Callable[[], None] = lambda: None
        self.store_start: Callable[[Key], Awaitable[bool]] = _never_asked
        self._limit = result
        self._report = report
        self._pool = ThreadPoolExecutor(threads + 1, thread_name_prefix="ostinato-handler")
        self._processes: Pool = Processes() if pool is None else pool
        self._suspects: dict[asyncio.Task[None], None] = {}
        self._slots: dict[Where, Slots] = {
            "loop": Slots(slots, self._run, lambda: self.on_taken()),
            "thread": Slots(threads, self._run, lambda: self.on_taken()),
            "process": Slots(processes, self._run, lambda: self.on_taken()),
        }
        self._alone = Slots(1, self._run_alone, lambda: self.on_taken())
        self._all_slots = (*self._slots.values(), self._alone)
        self._attempts: dict[Key, Attempt] = {}
        self._running: dict[Key, Attempt] = {}
        self._fresh: dict[Key, Attempt] = {}
        self._deadlines = Deadlines(self._time_out)
        self._look: asyncio.TimerHandle | None = None
        self._quiet = asyncio.Event()
        self._stopping = False
        self._closed = False

    def __len__(self) -> int:
        """Jobs that are ready and have no slot yet."""
        return sum(map(len, self._all_slots))

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def overdue(self) -> int:
        """Handlers that hold a slot though their attempt is over."""
        return sum(attempt.reported for attempt in self._running.values())

    def dispatch(self, jobs: Sequence[tuple[Origin, StartJob]]) -> None:
        """Take these jobs; they start as slots become free."""
        if self._stopping:
            return  # they stay open in the store, for the next process
        asked: list[Slots] = []
        for state, command in jobs:
            key = (state.run_id, command.key, command.attempt)
            attempt = Attempt(state, command, self.handlers.get(command.handler), key)
            self._attempts[key] = attempt
            slots = self._alone if command.deaths else self._slots[attempt.where]
            slots.push(attempt)
            if slots not in asked:
                asked.append(slots)
        for slots in asked:
            slots.wake()

    def stop_job(self, run_id: str, key: str, attempt: int) -> None:
        """Cancel one attempt; ``Stopped`` or its own outcome is reported."""
        found = self._attempts.get((run_id, key, attempt))
        if found is not None and found.task is not None:
            found.stop()
            return
        self.withdraw(run_id, key, attempt)
        self._report(run_id, e.Stopped(key, attempt))

    def withdraw(self, run_id: str, key: str, attempt: int) -> None:
        """It need not begin: it gives its place up when a slot comes to it."""
        found = self._attempts.get((run_id, key, attempt))
        if found is not None and found.task is None:
            found.reported = True
            self._forget(found)

    def at_work(self) -> Partitions:
        """Where the runs are whose jobs have begun here."""
        begun = [key for key, one in self._attempts.items() if one.task is not None or one.asked]
        return frozenset(partition_of(run_id) for run_id, _, _ in begun)

    def give(self, partitions: Partitions) -> None:
        """What has not begun there begins in another process."""
        for key in [key for key in self._attempts if partition_of(key[0]) in partitions]:
            self.withdraw(*key)

    def abandon(self, run_id: str, key: str, attempt: int) -> None:
        """What becomes of it is nobody's business any more: stop it, and say nothing."""
        found = self._attempts.get((run_id, key, attempt))
        if found is None:
            return
        found.reported = True
        if found.task is None:
            self._forget(found)
        else:
            found.stop()

    # one attempt

    async def _run_alone(self, attempt: Attempt) -> None:
        if attempt.reported:
            return
        attempt.asked = True
        stands = await self.store_start(attempt.key)
        run_id, key, number = attempt.key
        if self._stopping:  # the start fact may stand, but nothing has begun
            self._forget(attempt)
            if not attempt.reported:
                self._report(run_id, e.HandedOver(key, number))
        elif stands:
            task = asyncio.create_task(self._run(attempt), name="ostinato-suspect")
            self._suspects[task] = None
            task.add_done_callback(self._suspects.pop)
            await asyncio.wait({task}, timeout=PROBATION)
        else:
            self._forget(attempt)

    async def _run(self, attempt: Attempt) -> None:
        if self.lease is not None and not self.lease.runs:
            await self.lease.running()
        if attempt.reported:
            return
        task = self._begin(attempt)
        try:
            if attempt.command.input is not None and has_marks(attempt.command.input):
                event = await self._kept_secret(attempt)
            else:
                event = await self._outcome(attempt)
        except asyncio.CancelledError as error:
            event = self._cancelled(attempt, error)
            if self._closed:
                raise
        finally:
            self._forget(attempt)
            left = task.cancelling()
            while task.cancelling():  # meant for this attempt, not for the next one here
                task.uncancel()
        if not attempt.reported:
            self._report(attempt.key[0], event)
        if left:  # before Python 3.13 it may come still: at the next await, whosever that is
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    def _begin(self, attempt: Attempt) -> asyncio.Task[Any]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a slot is a task
        attempt.task, attempt.begun_at = task, loop.time()
        self._running[attempt.key] = self._fresh[attempt.key] = attempt
        if self._look is None:
            self._look = loop.call_later(LONG, self._look_for_long)
        if attempt.command.timeout is not None and attempt.where != "process":
            self._deadlines.add(attempt.begun_at + attempt.command.timeout / 1000, attempt)
        return task

    async def _kept_secret(self, attempt: Attempt) -> e.Event:
        """With the secrets that it is given, and without them in what it says."""
        try:
            data, used = filled(attempt.state.mark, attempt.command.input, self._secret)
        except Fail as error:
            return failure_of(attempt.command, error)
        attempt.command = msgspec.structs.replace(attempt.command, input=data)
        attempt.secrets = used
        return cleaned(await self._outcome(attempt), used)

    def _secret(self, name: str) -> str:
        if name not in self._secrets:
            hint = f"set OSTINATO_SECRETS__{name} or `{name}` under [secrets]"
            raise Fail(f"there is no secret {name!r}: {hint}", "NoSecret")
        return self._secrets[name]

    async def _outcome(self, attempt: Attempt) -> e.Event:
        command, handler = attempt.command, attempt.handler
        if handler is None:
            return self._no_handler(command)
        try:
            if handler.where == "loop":
                job = attempt.job = Job(attempt.state, command, self._report)
                value = await handler.bind(job, command.input)()
            elif handler.where == "thread":
                value = await self._in_thread(attempt, handler)
            else:
                return await self._in_process(attempt, handler)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a handler may raise anything, even SystemExit
            self._tell(attempt, error)
            return failure_of(command, error)
        try:
            return report_of(command, value, self._limit)
        except BaseException as error:  # what it returned runs code too, when it is looked at
            return failure_of(command, error)

    def _tell(self, attempt: Attempt, error: BaseException) -> None:
        """The run keeps name and message; the log keeps where it came from."""
        if not isinstance(error, Fail | OstinatoError):
            self._log_raised(attempt, raised(error))

    def _log_raised(self, attempt: Attempt, trace: str) -> None:
        run_id, key, number = attempt.key
        told = without(trace, attempt.secrets)
        log.warning("job.raised", run=run_id, job=key, attempt=number, exception=told)

    async def _in_process(self, attempt: Attempt, handler: Handler) -> e.Event:
        """There it is called, and its result judged; what comes back is what its run is told."""
        state, command = attempt.state, attempt.command

        def begun() -> None:
            """Its time begins when its process is ready."""
            if command.timeout is not None:
                now = asyncio.get_running_loop().time()
                self._deadlines.add(now + command.timeout / 1000, attempt)

        work = Work(state, command, handler, self._limit, self._report, begun)
        answer = await self._processes.do(work)
        if isinstance(answer, Failed) and answer.trace:
            self._log_raised(attempt, answer.trace)
        return event_of(command, answer)

    async def _in_thread(self, attempt: Attempt, handler: Handler) -> Any:
        loop = asyncio.get_running_loop()

        def report(run_id: str, event: e.Event) -> None:
            loop.call_soon_threadsafe(self._report, run_id, event)

        job = attempt.job = Job(attempt.state, attempt.command, report)
        call = handler.bind(job, attempt.command.input)
        run = contextvars.copy_context().run
        name = attempt.command.handler
        value, error = await loop.run_in_executor(self._pool, run, attempted, call, name)
        if error is not None:
            raise error
        return await value if inspect.isawaitable(value) else value

    def _no_handler(self, command: StartJob) -> e.Event:
        known = ", ".join(sorted(self.handlers.names())[:8])
        text = f"no handler is called {command.handler!r}; here are {known}"
        return e.Failed(command.key, command.attempt, Failure("NoHandler", text))

    def _cancelled(self, attempt: Attempt, error: BaseException) -> e.Event:
        """Nobody may have asked for it: the handler awaited something that was cancelled."""
        if attempt.stopping:
            return e.Stopped(attempt.command.key, attempt.command.attempt)
        return failure_of(attempt.command, error)

    def _forget(self, attempt: Attempt) -> None:
        key = attempt.key
        for table in (self._fresh, self._running, self._attempts):
            if table.get(key) is attempt:  # a worker may have got it once more
                del table[key]
        self._look_quiet()
        if attempt.task is not None and attempt.command.timeout is not None:
            self._deadlines.over()
        attempt.task = None

    def _look_quiet(self) -> None:
        if self._stopping and self.running == self.overdue:
            self._quiet.set()

    # jobs that take long

    def _time_out(self, attempt: Attempt) -> None:
        """Reported at once: a handler that ignores its cancellation must not hold up its run."""
        if attempt.reported:
            return
        command = attempt.command
        error = Failure("Timeout", f"{command.key} took longer than {command.timeout} ms")
        attempt.reported = True
        attempt.stop()
        self._look_quiet()
        if attempt.where == "thread":
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
        self._stopping = True
        for waiting in self._all_slots:
            waiting.clear()
        if self.running > self.overdue:
            self._quiet.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), seconds)

    def cut_off(self) -> list[Key]:
        """The attempts that a stop ends before their time."""
        return [
            key
            for key, attempt in self._attempts.items()
            if (attempt.task is not None or attempt.asked) and not attempt.reported
        ]

    async def close(self) -> None:
        """What still runs is cancelled; its jobs stay open in the store and are taken up again."""
        self._stopping = self._closed = True
        self._deadlines.close()
        if self._look is not None:
            self._look.cancel()
        tasks = [task for slots in self._all_slots for task in slots.close()]
        tasks += self._suspects
        for task in self._suspects:
            task.cancel()
        if ends := [*tasks, *self._processes.close()]:
            await asyncio.wait(ends, timeout=LAST_WORDS)
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _never_asked(key: Key) -> bool:
    return True
