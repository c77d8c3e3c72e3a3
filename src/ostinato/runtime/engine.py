"""The engine: posts in, one batch, one commit, then what the runs asked for.

A tick takes everything that is waiting, for all runs, folds it in memory and writes it as one
batch; the next batch is what queued meanwhile. Nothing leaves (no job, no answer) before the
commit. There is no timer in this: an idle engine does nothing, a busy one batches by itself.

When a commit fails the runs it touched are dropped from memory and loaded again from what the
store really holds; the posts are put back. Reports count only for the attempt that is open, so
doing that is harmless when the commit had in truth succeeded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Raw

from ostinato.core import commands as c
from ostinato.core import events as e
from ostinato.core.decide import advance, outstanding
from ostinato.core.state import State
from ostinato.errors import Fenced, NotFoundError, OstinatoError, Refused, StoreError, UnknownCommit
from ostinato.ports import Clock, Reply, Storage
from ostinato.runtime.change import Change, Told, batch_of
from ostinato.runtime.identity import Identity
from ostinato.runtime.posts import Post, Tell, Unready
from ostinato.runtime.resident import GraphOf, Resident, Residents
from ostinato.runtime.watching import Watching
from ostinato.telemetry.logger import logger

log = logger("ostinato.engine")

Job = tuple[State, c.StartJob]
CAP = 1_000
"""Posts in one batch: more would only make each of them wait longer."""


class Engine:
    """``dispatch`` gets the jobs that are ready, ``stop_job`` a (run, key, attempt) to cancel.

    ``accepted`` and ``replies`` are what this very tick takes in: the store does not know yet.
    """

    def __init__(
        self, storage: Storage, graph_of: GraphOf, clock: Clock, identity: Identity
    ) -> None:
        self.storage = storage
        self.clock = clock
        self.graph_of = graph_of
        self.identity = identity
        self.residents = Residents(storage, graph_of)
        self.watching = Watching()
        self.epoch = 0
        self.stopping = False
        self.wake = asyncio.Event()
        self.dispatch: Callable[[Sequence[Job]], None] = lambda jobs: None
        self.stop_job: Callable[[str, str, int], None] = lambda run_id, key, attempt: None
        self.in_hand: Callable[[str, str, int], bool] = lambda run_id, key, attempt: False
        self.on_timer: Callable[[int], None] = lambda due_at: None
        self.on_outgoing: Callable[[], None] = lambda: None
        self.on_wait: Callable[[str, c.OpenWait], None] = lambda run_id, wait: None
        self.on_event: Callable[[str, Sequence[str], Raw], None] = lambda type, keys, event: None
        self.accepted: dict[tuple[str, str], Any] = {}
        self.replies: dict[tuple[str, str], Reply] = {}
        self._queue: deque[Post] = deque()
        self._backoff = 0.0
        self.commits = 0

    def __len__(self) -> int:
        """Posts that wait for the next tick."""
        return len(self._queue)

    def post(self, post: Post) -> None:
        if self.stopping and post.answer is not None:
            raise Unready("the engine is stopping; start it again to go on")
        self._queue.append(post)
        self.wake.set()

    async def ask(self, make: Callable[[asyncio.Future[Any]], Post]) -> Any:
        """Post, and wait until it is stored."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.post(make(answer))
        return await answer

    async def run_once(self, now: int | None = None) -> int:
        """One tick: at most ``CAP`` posts. Returns how many."""
        posts = [self._queue.popleft() for _ in range(min(len(self._queue), CAP))]
        if not posts:
            return 0
        moment = self.clock.now() if now is None else now
        applied = await self._apply(posts, moment)
        await self._commit(applied, moment)
        self.accepted.clear()
        self.replies.clear()
        return len(posts)

    # folding

    async def _apply(self, posts: list[Post], now: int) -> list[Applied]:
        ready = [post for post in posts if await self._prepare(post)]
        applied: list[Applied] = []
        for post in ready:
            change = Change()
            try:
                result = post.apply(self, change, now)
            except OstinatoError as error:
                self._undo(change)
                post.failed(error)
            except Exception as error:
                self._break(post, change, error)
            else:
                applied.append(Applied(post, change, result))
        return applied

    async def _prepare(self, post: Post) -> bool:
        try:
            await post.ready(self)
        except StoreError as error:
            self._again_or_fail(post, error)
        except OstinatoError as error:
            post.failed(error)
            if post.answer is None and not isinstance(error, NotFoundError):
                log.error("post.refused", error=str(error))
        except Exception as error:
            log.exception("post.broken")
            post.failed(error)
        else:
            return True
        return False

    def tell(self, change: Change, resident: Resident, event: e.Event, now: int) -> Told:
        """Fold one event into one run, and note what there is to write."""
        state = resident.state
        seq = state.seq
        facts, commands = advance(state, event, now)
        told = Told(resident, seq, facts, commands)
        change.tolds.append(told)
        told.head = resident.new_head()
        return told

    def _undo(self, change: Change) -> None:
        for run_id in change.runs:
            self.residents.drop(run_id)

    def _break(self, post: Post, change: Change, error: Exception) -> None:
        """Deciding raised: an incident of that run only."""
        log.exception("decide.broken", post=type(post).__name__)
        self._undo(change)
        if isinstance(post, Tell) and not isinstance(post.event, e.Broken):
            self.residents.drop(post.run_id)
            self.post(Tell(post.run_id, e.Broken(f"{type(error).__name__}: {error}")))
        post.failed(error)

    # committing

    async def _commit(self, applied: list[Applied], now: int) -> None:
        try:
            if any(one.change for one in applied):
                changes = [one.change for one in applied]
                await self.storage.commit(batch_of(self.epoch, now, changes))
                self.commits += 1
        except Refused as error:
            await self._halve(applied, now, error)
        except UnknownCommit as error:
            log.warning("commit.unknown", error=str(error))
            await self._take_stock(applied, error)
        except (StoreError, Fenced) as error:
            log.error("commit.failed", error=str(error))
            self._again(applied, error)
        else:
            self._backoff = 0.0
            self._after(applied, now)

    async def _halve(self, applied: list[Applied], now: int, error: Refused) -> None:
        """Find the one change that the store refuses; the others are committed."""
        if len(applied) > 1:
            middle = len(applied) // 2
            await self._commit(applied[:middle], now)
            rest = [one for one in applied[middle:] if self._still_there(one)]
            await self._commit(rest, now)
            return
        one = applied[0]
        self._undo(one.change)
        one.post.failed(error)
        if isinstance(one.post, Tell) and not isinstance(one.post.event, e.Broken):
            self.post(Tell(one.post.run_id, e.Broken(f"the store refused: {error}")))

    def _still_there(self, one: Applied) -> bool:
        """A change after a refused one of the same run is built on sand: post it again."""
        if all(self._is_current(told.resident) for told in one.change.tolds):
            return True
        self._undo(one.change)
        self._queue.append(one.post)
        return False

    def _is_current(self, resident: Resident) -> bool:
        return self.residents.get(resident.run_id) is resident or resident.state.ended

    async def _take_stock(self, applied: list[Applied], error: StoreError) -> None:
        """The batch may be stored or not: take a new epoch and look."""
        self.epoch = await self.storage.join()
        runs = {run_id for one in applied for run_id in one.change.runs}
        self._again(applied, error, fail=False)
        for run_id in runs:
            try:
                resident = await self.residents.load(run_id)
            except NotFoundError:
                continue  # a start that was not stored
            self._send(resident.state, outstanding(resident.state))

    def _again(self, applied: list[Applied], error: Exception, *, fail: bool = True) -> None:
        for one in applied:
            self._undo(one.change)
        for one in reversed(applied):
            if fail:
                self._again_or_fail(one.post, error)
            else:
                self._queue.appendleft(one.post)

    def _again_or_fail(self, post: Post, error: Exception) -> None:
        """Whoever waits is told; what nobody waits for is tried again, less and less often."""
        if post.answer is not None:
            post.failed(error)
            return
        self._queue.append(post)
        self._backoff = min(5.0, self._backoff * 2 or 0.05)

    @property
    def backoff(self) -> float:
        """Seconds to wait before the next tick, after a store that failed."""
        return self._backoff

    # after the commit

    def _after(self, applied: list[Applied], now: int) -> None:
        jobs: list[Job] = []
        for one in applied:
            for told in one.change.tolds:
                self._leave(told, jobs, now)
            one.post.done(one.result)
        if jobs:
            self.dispatch(jobs)

    def _leave(self, told: Told, jobs: list[Job], now: int) -> None:
        state = told.resident.state
        for command in told.commands:
            if type(command) is c.StartJob:
                jobs.append((state, command))
            else:
                self._obey(state, command)
        if self.watching:
            self.watching.tell(state.run_id, state, told.seq, now, told.facts)
        if state.ended:
            self.residents.drop(state.run_id)

    def _obey(self, state: State, command: c.Command) -> None:
        match command:
            case c.StopJob(key, attempt):
                self.stop_job(state.run_id, key, attempt)
            case c.SetTimer(_, _, due_at):
                self.on_timer(due_at)
            case c.Publish():
                self.on_outgoing()
            case c.OpenWait(since=int()):
                self.on_wait(state.run_id, command)

    def _send(self, state: State, commands: Sequence[c.StartJob]) -> None:
        jobs = [
            (state, job) for job in commands if not self.in_hand(state.run_id, job.key, job.attempt)
        ]
        if jobs:
            self.dispatch(jobs)


class Applied:
    """A post, what it changes, and what it answers."""

    __slots__ = ("change", "post", "result")

    def __init__(self, post: Post, change: Change, result: Any) -> None:
        self.post = post
        self.change = change
        self.result = result
