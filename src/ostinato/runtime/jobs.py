"""Jobs that workers elsewhere do: who asks gets some or waits, who holds one is heard or loses it.

A claim is between the worker and the store; what a worker says of a job goes through the engine.
Leases that were running when a process died or left are not judged before ``RETURN`` has passed: a
worker needs that to find another one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from msgspec import structs

from ostinato.core import events as e
from ostinato.core.commands import OfferJob
from ostinato.core.tasks import job_id
from ostinato.errors import ConflictError, Refused
from ostinato.ports import Batch, Claim, JobQuery, JobRow, Page
from ostinato.ports.jobs import leased_until
from ostinato.runtime.alarm import Alarm
from ostinato.runtime.asking import Hand, Wish
from ostinato.runtime.claims import EndJob, EventOf, GiveBack, LoseLease, held, taken
from ostinato.runtime.engine import Engine
from ostinato.runtime.offers import Offers, Waiting
from ostinato.runtime.posts import Post, Tell
from ostinato.runtime.workers import Workers
from ostinato.telemetry.logger import logger

log = logger("ostinato.jobs")

LONG = 1_000
"""ms after which a start fact says who has a job; one that is over before has it with its end."""

RETURN = 30_000
"""ms after it has begun for one that is gone in which a process takes no job from a worker."""

MANY = 500

REMEMBERED = 10_000
"""Rows of jobs that workers have; of an older one it is read what it was."""

Ask = Callable[[Callable[[asyncio.Future[Any]], Post]], Awaitable[Any]]


class Jobs:
    """``here`` are the names of the handlers in this process. ``tell`` hints at what others want
    to know. Whoever gave a job to a worker looks after its lease, whosever run it is.
    """

    def __init__(
        self, engine: Engine, ask: Ask, here: Callable[[str], bool], workers: Workers
    ) -> None:
        self.engine = engine
        self.workers = workers
        self.offers = Offers()
        self.alarm = Alarm(engine.clock, engine.wake)
        self._ask = ask
        self._here = here
        self._claimed: deque[tuple[int, JobRow]] = deque()
        self._held: dict[str, JobRow] = {}  # given by this process, without their briefs
        self._promised: dict[str, tuple[Hand, JobRow]] = {}
        self._recalled: list[tuple[str, str, int]] = []
        self._losing: set[str] = set()
        self._lease_at: float = inf
        self._calm_until = 0
        self._served: dict[str, int] = {}
        self._turn = 0
        self.tell: Callable[[str, str], None] = lambda kind, about: None

    # asking for work

    async def fetch(self, wish: Wish, until: Waiting) -> list[JobRow]:
        """At once when there is any, else as soon as there is; none when ``until`` is done."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wish.wait
        while not (until.done() or self.engine.stopping):
            if rows := await self._claim(wish):
                self._pass_on(wish)
                return rows
            left = deadline - loop.time()
            if left <= 0:
                return []
            if self.offers.possible(self._elsewhere(wish)):  # it came while one looked
                continue
            if given := await self._wait(Hand(wish), left, until):
                self._pass_on(wish)
                return given
        self._pass_on(wish)
        return []

    async def _wait(self, hand: Hand, seconds: float, until: Waiting) -> list[JobRow]:
        with self._held_out(hand):
            await self.offers.wait(hand, seconds, until)
        return hand.given

    @contextmanager
    def _held_out(self, hand: Hand) -> Iterator[None]:
        self.offers.hold_out(hand)
        try:
            yield
        except BaseException:
            for row in hand.given:
                self._give_back(row)
            self._pass_on(hand.wish)
            raise
        finally:
            self.offers.withdraw(hand)

    async def _claim(self, wish: Wish) -> list[JobRow]:
        possible = self.offers.possible(self._elsewhere(wish))
        if not possible:
            return []
        order = sorted(possible, key=lambda topic: self._served.get(topic, 0))
        rows = await self.engine.storage.claim_jobs(
            Claim(
                {topic: wish.topics[topic] for topic in order},
                wish.worker,
                self.engine.identity.token(),
                wish.most,
                wish.lease,
                self.engine.clock.now(),
            )
        )
        given = Counter(row.topic for row in rows)
        for topic, offered in possible.items():
            if len(rows) < wish.most and given[topic] < wish.topics[topic]:
                self.offers.found_empty(topic, offered)
        for row in rows:
            self._note(row)
        return rows

    def _pass_on(self, wish: Wish) -> None:
        """Whoever was woken, and takes no more, lets the next one look."""
        self.offers.pass_on(self._elsewhere(wish))

    def _elsewhere(self, wish: Wish) -> list[str]:
        return [topic for topic in wish.wanted if not self._here(topic)]

    def _note(self, row: JobRow) -> None:
        self._turn += 1
        self._served[row.topic] = self._turn
        self._held[row.id] = structs.replace(row, brief=b"")
        if len(self._held) > REMEMBERED:
            del self._held[next(iter(self._held))]
        start = (row.claimed_at or 0) + LONG
        self._claimed.append((start, row))
        self._expect_lease(row)
        self.alarm.expect(start)

    def _expect_lease(self, row: JobRow) -> None:
        if row.lease_until is not None and row.lease_until < self._lease_at:
            self._lease_at = max(row.lease_until, self._calm_until)
            self.alarm.expect(int(self._lease_at))

    # what goes to whoever waits

    def hand_out(self, batch: Batch, now: int) -> None:
        """What a batch offers is whoever's who waits for it, from the same transaction on."""
        for hand, _ in self._promised.values():  # the batch before this has come to nothing
            hand.promised.clear()
            hand.wake()
        self._promised.clear()
        if batch.jobs and self.offers:
            changes = Counter(change.id for change in batch.jobs)
            for n, row in enumerate(batch.jobs):
                if isinstance(row, JobRow) and changes[row.id] == 1 and not self._here(row.topic):
                    batch.jobs[n] = self._promise(row, now)

    def _promise(self, row: JobRow, now: int) -> JobRow:
        if (hand := self.offers.hand(row.topic)) is None:
            return row
        wish, token = hand.wish, self.engine.identity.token()
        until = leased_until(now, wish.lease, now, row.timeout)
        mine = structs.replace(
            row, token=token, worker=wish.worker, claimed_at=now, lease_until=until
        )
        hand.promised.append(mine)
        self._promised[row.id] = hand, mine
        return mine

    def on_offer(self, run_id: str, offered: OfferJob) -> None:
        name = job_id(run_id, offered.key, offered.attempt) if self._promised else ""
        if (found := self._promised.pop(name, None)) is None:
            self._offered(offered.topic)
            return
        hand, row = found
        self._note(row)
        if hand.withdrawn:
            self._give_back(row)
        else:
            hand.given.append(row)
            hand.wake()

    def _give_back(self, row: JobRow) -> None:
        """Whoever has asked for it is gone."""
        self.engine.post(GiveBack(row, self.ended))

    # what workers say

    async def end(
        self, job_id: str, token: str, event_of: EventOf, wish: Wish | None = None
    ) -> list[JobRow]:
        """What comes of it may be the next jobs of whoever says so, and has a ``wish``.

        Raises ``ConflictError`` or ``NotFoundError`` when whoever says so does not hold it.
        """
        if wish is None:
            await self._end(job_id, token, event_of)
            return []
        hand = Hand(wish)
        with self._held_out(hand):
            await self._end(job_id, token, event_of)
        self._pass_on(wish)
        return hand.given

    async def _end(self, job_id: str, token: str, event_of: EventOf) -> None:
        posts: list[EndJob] = []

        def make(answer: asyncio.Future[Any]) -> Post:
            posts.append(EndJob(job_id, token, event_of, answer, self._known(job_id, token)))
            return posts[0]

        try:
            counted = await self._ask(make)
        except Refused as error:
            self._held.pop(job_id, None)
            raise ConflictError(f"job {job_id} is not yours any more") from error
        self.ended(posts[0])
        if not counted:
            raise ConflictError(f"job {job_id} is over: its run has gone on without it")

    def ended(self, post: EndJob) -> None:
        """What a worker said of it is stored."""
        self.workers.heard(post.row.worker or "")
        self._forget(post.row)
        if post.freed:
            self._offer(post.row)

    async def extend(self, job_id: str, token: str, lease: int, *, beat: bool) -> bool:
        """Whether it should stop. Raises as ``end`` does. ``beat``: the work itself goes on."""
        storage, row = self.engine.storage, None
        if job_id not in self._losing:
            row = await storage.extend_job(job_id, token, lease, self.engine.clock.now())
        if row is None:
            await held(self.engine, job_id, token)
            raise ConflictError(f"job {job_id} is not yours any more: its lease is over")
        self.workers.heard(row.worker or "")
        self._expect_lease(row)
        if beat:
            self.engine.post(Tell(row.run_id, e.Heard(row.key, row.attempt)))
        return row.cancelled

    def _known(self, job_id: str, token: str) -> JobRow | None:
        """It was given here, and perhaps to another since: then the store refuses what is said."""
        row = self._held.get(job_id)
        return row if row is not None and row.token == token else None

    def _forget(self, row: JobRow) -> None:
        if self._known(row.id, row.token or "") is not None:
            del self._held[row.id]

    # what runs say

    def _offered(self, topic: str) -> None:
        self.offers.offered(topic)
        self.tell("offer", topic)

    def on_recall(self, run_id: str, key: str, attempt: int) -> None:
        """Its row is gone by now, or a worker has it and will be told."""
        self._recalled.append((run_id, key, attempt))
        self.alarm.expect(0)

    # what time brings

    async def refresh(self, *, orphans: bool = True) -> None:
        """What was offered before, and claimed; ``orphans``: of somebody who is gone, perhaps."""
        storage, now = self.engine.storage, self.engine.clock.now()
        self.offers.forget()
        if orphans and (first := await storage.next_lease()) is not None:
            self._calm_until = now + RETURN
            self._lease_at = max(first, self._calm_until)
            self.alarm.expect(int(self._lease_at))
        for count in await storage.job_counts():
            if count.worker is None and self._here(count.topic):
                await self._take_back(count.topic)

    async def _take_back(self, topic: str) -> None:
        """A handler of that name is here now."""
        query, cursor = JobQuery(topic=topic, claimed=False), None
        while rows := await self.engine.storage.jobs(query, Page(MANY, cursor)):
            for row in rows:
                if self.engine.territory.has_run(row.run_id):
                    self._offer(row)
            cursor = rows[-1].id

    def _offer(self, row: JobRow) -> None:
        """It is free again: for other workers, or for the handler that is here by now."""
        if self._here(row.topic):
            self.engine.post(Tell(row.run_id, e.TakenBack(row.key, row.attempt)))
        else:
            self._offered(row.topic)

    async def run_once(self, now: int) -> int:
        done = self._tell_starts(now)
        while self._recalled:
            await self._look_at(*self._recalled[0])
            del self._recalled[0]
            done += 1
        if now >= self._lease_at:
            done += await self._expire(now)
        next_start = self._claimed[0][0] if self._claimed else inf
        first = min(self._lease_at, next_start)
        self.alarm.set(None if first == inf else int(first))
        return done

    def _tell_starts(self, now: int) -> int:
        told = 0
        while self._claimed and self._claimed[0][0] <= now:
            _, row = self._claimed.popleft()
            if self._known(row.id, row.token or "") is not None:
                self.engine.post(Tell(row.run_id, taken(row)))
                told += 1
        return told

    async def _look_at(self, run_id: str, key: str, attempt: int) -> None:
        """Who has it says when it has stopped; nobody does when nobody has it."""
        if await self.engine.storage.job(job_id(run_id, key, attempt)) is None:
            self.engine.post(Tell(run_id, e.Stopped(key, attempt)))

    async def _expire(self, now: int) -> int:
        storage = self.engine.storage
        due = await storage.due_leases(now, MANY + len(self._losing))
        new = [row for row in due if row.id not in self._losing]
        for row in new:
            self._losing.add(row.id)
            log.warning("lease.lost", job=row.id, topic=row.topic, worker=row.worker)
            self.engine.post(LoseLease(row, self.lost))
        if due:  # more may be due by then; what is on its way may be so for long
            self._lease_at = now + (LONG if new else RETURN)
        else:
            first = await storage.next_lease()
            self._lease_at = inf if first is None else first
        return len(new)

    def lost(self, post: LoseLease) -> None:
        self._losing.discard(post.row.id)
        if post.lost:
            self._forget(post.row)
        if post.freed:
            self._offer(post.row)
        if not self._losing:  # which is the next one is asked now, not when it may be late
            self._lease_at = 0
            self.alarm.expect(0)

    def close(self) -> None:
        self.alarm.close()
