"""The engine: posts in, one batch, one commit, then what the runs asked for.

A tick takes everything that is waiting, for all runs, folds it in memory and writes it as one
batch; the next batch is what queued meanwhile. Nothing leaves (no job, no answer) before the
commit. There is no timer in this: an idle engine does nothing, a busy one batches by itself.

A batch is whole or nothing. When the store kept nothing, the runs it touched are dropped from
memory; who waits is told, and what nobody waits for is put back. When the store does not know, a
new epoch makes sure that the batch cannot come any more, and one row of it tells. When the store
refuses it, it is halved until the change is found that is refused. One that was made on top of
another that came to nothing is put back, and so is a post that meets one of its own tick.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ostinato.core import events as e
from ostinato.core.decide import advance
from ostinato.core.run_ids import in_partition
from ostinato.core.state import LARGE
from ostinato.errors import (
    Fenced,
    NotFoundError,
    OstinatoError,
    Outdated,
    Overtaken,
    Refused,
    StoreError,
    UnknownCommit,
    Unloadable,
    Unready,
    WorkflowNotFound,
)
from ostinato.ports import Batch, Clock, Partitions, Storage, StoredEvent
from ostinato.runtime.change import Applied, Change, Told, batch_of
from ostinato.runtime.clock import apart
from ostinato.runtime.doubt import may_pass, nothing_new, was_kept
from ostinato.runtime.identity import Identity
from ostinato.runtime.incidents import Recheck, say_unreadable
from ostinato.runtime.letters import note_failed
from ostinato.runtime.outlets import Outlets
from ostinato.runtime.posts import STOPPED, NotYet, Post, Tell
from ostinato.runtime.resident import Abroad, GraphOf, Resident, Residents
from ostinato.runtime.territory import Territory
from ostinato.telemetry.logger import logger

log = logger("ostinato.engine")

CAP = 1_000
"""Posts in one batch: more would only make each of them wait longer."""

PATIENCE = 5.0
"""The longest pause, in seconds, before a store that fails is tried again."""

NOTHING = Batch()
"""What is with the store before there is a batch."""


class Engine:
    """``fresh`` is what this very tick takes in, by the change that does: it is not stored yet.

    ``learn`` says whether workflows may be known now that were not before; ``known`` is the number
    of deployments that are. ``first_in_line`` is the run that comes next, or has just come, under
    (workflow, uid). ``inline`` is in bytes: the store keeps larger values apart. ``apart`` is how
    far clocks may be that share it. ``queue`` is what waits for the next tick.
    """

    def __init__(
        self,
        storage: Storage,
        graph_of: GraphOf,
        clock: Clock,
        identity: Identity,
        inline: int = LARGE,
        territory: Territory | None = None,
    ) -> None:
        self.storage = storage
        self.territory = Territory() if territory is None else territory
        self.inline, self.apart = inline, apart(storage)
        self.clock = clock
        self.graph_of = graph_of
        self.identity = identity
        self.residents = Residents(storage, graph_of, self.territory)
        self.outlets = Outlets(self.residents)
        self.epoch = 0
        self.now = 0  # of the tick: what is asked for it, and what it writes, is of one instant
        self.stopping, self.deaf, self.unstored = False, False, STOPPED
        self.wake = asyncio.Event()
        self.drained = asyncio.Event()
        self.drained.set()
        self.fresh: dict[tuple[str, str, str], Change] = {}
        self.unreadable: set[str] = set()
        self.first_in_line: Callable[[str, str], str | None] = lambda workflow, uid: None
        self.length_of_line: Callable[[str], int] = lambda name: 0
        self.queue: deque[Post] = deque()
        self._taken: list[Post] = []
        self._known: dict[tuple[str, str], StoredEvent] | None = None
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self.backoff = 0.0  # seconds to wait before the next tick, after a store that failed
        self.commits = 0
        self.learn: Callable[[], Awaitable[bool]] = nothing_new
        self.known: Callable[[], int | None] = lambda: None

    def __len__(self) -> int:
        """Posts that wait for the next tick."""
        return len(self.queue)

    def post(self, post: Post) -> None:
        if self.stopping and post.answer is not None and (self.deaf or not post.last):
            raise Unready(self.unstored)
        self.queue.append(post)
        self.drained.clear()
        self.wake.set()

    def post_first(self, posts: Sequence[Post]) -> None:
        """Before everything that is queued: what they say may be true no longer after that."""
        self.queue.extendleft(reversed(posts))
        self.drained.clear()
        self.wake.set()

    async def ask(self, make: Callable[[asyncio.Future[Any]], Post]) -> Any:
        """Post, and wait until it is stored."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.post(make(answer))
        return await answer

    def give(self, partitions: Partitions) -> None:
        """Between two ticks: another process goes on with the runs that are there."""
        self.residents.give(partitions)
        self.queue = deque(post for post in self.queue if post.partition not in partitions)

    def run_id(self, now: int) -> str:
        """Of a run that may be anywhere: in a partition of this process's."""
        run_id, partition = self.identity.run_id(now), self.territory.choose(self.identity.chance)
        return run_id if partition is None else in_partition(run_id, partition)

    async def rest(self) -> None:
        """Wait until nothing in memory is ahead of the store."""
        while not self._at_rest.is_set():
            await self._at_rest.wait()

    async def run_once(self, now: int | None = None) -> int:
        """One tick: at most ``CAP`` posts. Returns how many."""
        posts = [self.queue.popleft() for _ in range(min(len(self.queue), CAP))]
        if posts:
            self._taken, self._known = posts, None
            self._at_rest.clear()
            try:
                self.now = self.clock.now() if now is None else now
                await self._tick(posts, self.now)
            finally:
                self.fresh.clear()
                self.residents.shrink()
                self._at_rest.set()
            self._taken = []
        if not self.queue or self.backoff:
            self.drained.set()
        return len(posts)

    async def _tick(self, posts: list[Post], now: int) -> None:
        ready, unread, error = await self._prepare(posts)
        await self._commit(self._apply(ready, now), now)
        if error is not None:
            self._again_or_fail(unread, error)

    def close(self) -> None:
        """Whoever still waits is told that nothing comes any more."""
        for post in (*self._taken, *self.queue):
            post.failed(Unready(self.unstored))
        self.outlets.watching.stop()

    # folding

    async def _prepare(self, posts: list[Post]) -> tuple[list[Post], list[Post], Exception | None]:
        """The posts that have what they need, those that the store could not serve, and why."""
        ready: list[Post] = []
        unread: list[Post] = []
        failure: Exception | None = None
        for post in posts:
            try:
                await self.make_ready(post)
            except Abroad as error:
                self.outlets.abroad(post, error.partition)
            except Exception as error:
                if not may_pass(post, error):
                    self._refuse(post, error)
                    continue
                failure = error
                unread.append(post)
            else:
                ready.append(post)
        return ready, unread, failure

    async def make_ready(self, post: Post) -> None:
        """What cannot be found may have been deployed by another process just now."""
        try:
            await post.ready(self)
        except (WorkflowNotFound, Unloadable):
            if not await self.learn():
                raise
            await post.ready(self)

    async def known_events(self) -> dict[tuple[str, str], StoredEvent]:
        """Of the events that this tick brings, those that are stored: one read for all posts."""
        if self._known is None:
            pairs = [pair for post in self._taken for pair in post.pairs]
            self._known = await self.storage.known_events(pairs)
        return self._known

    def _refuse(self, post: Post, error: Exception) -> None:
        """It cannot even be looked at: there is no such run, or it cannot be loaded."""
        if isinstance(post, Tell) and (isinstance(error, Unloadable) or post.fired is not None):
            say_unreadable(self, post, error)
        elif not isinstance(error, OstinatoError):
            log.error("post.broken", post=type(post).__name__, exc_info=error)
        elif post.answer is None and not isinstance(error, NotFoundError):
            log.error("post.refused", post=type(post).__name__, error=str(error))
        post.failed(error)

    def readable_again(self, run_id: str) -> None:
        self.unreadable.discard(run_id)
        self.post(Recheck(run_id))
        self.outlets.on_readable(run_id)

    def _apply(self, posts: list[Post], now: int) -> list[Applied]:
        applied: list[Applied] = []
        back: list[Post] = []
        for post in posts:
            change = Change()
            try:
                applied.append(Applied(post, change, post.apply(self, change, now)))
            except NotYet:
                self._undo(change)
                back.append(post)
            except Exception as error:
                self._break(post, change, error)
        if back:
            self.post_first(back)
        return applied

    def tell(self, change: Change, resident: Resident, event: e.Event, now: int) -> Told:
        """Fold one event into one run, and note what there is to write."""
        state = resident.state
        seq = state.seq
        try:
            facts, commands = advance(state, event, now)
        except Exception:
            self.residents.spoil(resident)  # it may be half folded
            raise
        told = Told(resident, seq, facts, commands, state.ended)
        change.tolds.append(told)
        told.head = resident.new_head()
        if state.ended and facts:
            if state.uid is not None:
                self.fresh["freed", state.workflow, state.uid] = change
            note_failed(self, change, state, now)
        return told

    def _undo(self, change: Change) -> None:
        for told in change.tolds:
            self.residents.spoil(told.resident)

    def _break(self, post: Post, change: Change, error: Exception) -> None:
        """Deciding raised: an incident of that run only. A start is refused instead."""
        if isinstance(post, Tell) or not isinstance(error, OstinatoError):
            log.error("decide.broken", post=type(post).__name__, exc_info=error)
        self._undo(change)
        self._fail_run(post, error, f"{type(error).__name__}: {error}")

    def _fail_run(self, post: Post, error: Exception, reason: str) -> None:
        """The run of this post needs a person. The timer that fired goes away with that."""
        if isinstance(post, Tell) and not isinstance(post.event, e.Broken):
            self.post(Tell(post.run_id, e.Broken(reason), fired=post.fired))
        elif isinstance(post, Tell):
            say_unreadable(self, post, error)
        elif post.answer is None:
            log.error("post.lost", post=type(post).__name__, error=reason)
        post.failed(error)

    # committing

    async def _commit(self, applied: list[Applied], now: int) -> None:
        batch, changes = NOTHING, [one.change for one in applied]
        try:
            if any(changes):
                batch = batch_of(self.epoch, now, changes, self.inline, self.apart)
                batch.known = self.known()
                self.outlets.hand_out(batch, now)
                await self.storage.commit(batch)
                self.commits += 1
        except Outdated:
            await self._look_anew(applied)
        except Refused as error:
            await self._halve(applied, now, error)
        except UnknownCommit as error:
            log.warning("commit.unknown", error=str(error))
            await self._take_stock(applied, batch, now)
        except (StoreError, Fenced) as error:
            log.error("commit.failed", error=str(error))
            self._put_back(applied, error)
            if isinstance(error, Fenced):
                self.outlets.on_fenced()
        except Exception as error:  # what no store may raise: it may have kept the batch, too
            log.error("commit.broken", exc_info=error)
            await self._take_stock(applied, batch, now)
        else:
            self.backoff = 0.0
            self.outlets.leave(applied)

    async def _look_anew(self, applied: list[Applied]) -> None:
        """Events may start other runs, and be waited for by others, than was known."""
        try:
            await self.learn()
        except Exception as error:
            return self._put_back(applied, error)
        self._put_back(applied)

    async def _halve(self, applied: list[Applied], now: int, error: Refused) -> None:
        """Find the one change that the store refuses; the others are committed."""
        if len(applied) == 1:
            self._undo(applied[0].change)
            post = applied[0].post
            if isinstance(error, Overtaken) and post.overtaken(self):
                return
            if post.answer is None:
                self._fail_run(post, error, f"the store refused: {error}")
            else:
                post.failed(error)
            return
        middle = len(applied) // 2
        await self._commit(applied[:middle], now)
        standing = [one for one in applied[middle:] if one.change.stands]
        fallen = [one for one in applied[middle:] if not one.change.stands]
        await self._commit(standing, now)
        for one in fallen:  # made on top of a change that came to nothing
            self._undo(one.change)
        self.post_first([one.post for one in fallen])

    async def _take_stock(self, applied: list[Applied], batch: Batch, now: int) -> None:
        """Look whether the batch was kept. Nothing else can be done before that is known."""
        while True:
            try:
                kept = await self._was_kept(batch)
            except Fenced as error:  # another process owns what this one did
                self._put_back(applied, error)
                self.outlets.on_fenced()
                return
            except Exception as error:  # whatever it raises, nothing else can be done first
                log.error("store.failed", error=f"{type(error).__name__}: {error}")
                self._refuse_queued(error)
                await asyncio.sleep(self._slow_down())
            else:
                break
        self.backoff = 0.0
        if kept:
            self.outlets.leave(applied)
        else:
            self._put_back(applied)

    def _refuse_queued(self, error: Exception) -> None:
        """Whoever waits is told now; what nobody waits for goes on waiting."""
        waiting = list(self.queue)
        self.queue.clear()
        for post in waiting:
            if post.answer is None:
                self.queue.append(post)
            else:
                post.failed(error)

    async def _was_kept(self, batch: Batch) -> bool:
        self.epoch = await self.storage.join()
        return await was_kept(self.storage, batch)

    def _put_back(self, applied: list[Applied], error: Exception | None = None) -> None:
        for one in applied:
            self._undo(one.change)
        posts = [one.post for one in applied]
        if error is None:
            self.post_first(posts)
        else:
            self._again_or_fail(posts, error)

    def _again_or_fail(self, posts: Iterable[Post], error: Exception) -> None:
        """Whoever waits is told; what nobody waits for is tried again, less and less often."""
        again = [post for post in posts if post.answer is None]
        for post in posts:
            post.failed(error)
        if again:
            self.post_first(again)
            self._slow_down()

    def _slow_down(self) -> float:
        self.backoff = min(PATIENCE, self.backoff * 2 or 0.05)
        return self.backoff
