"""The verbs of workers elsewhere: ask for jobs, say how they went; and who they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
from msgspec import Raw, UnsetType, structs

from ostinato.app.reading import Reading
from ostinato.core import events as e
from ostinato.core.durations import parse_duration
from ostinato.core.labels import LONGEST_TOPIC, is_label
from ostinato.core.views import View
from ostinato.errors import DefinitionError, InvalidInput
from ostinato.ports import JobRow
from ostinato.runtime.asking import Wish
from ostinato.runtime.bounds import check_size
from ostinato.runtime.claims import handed_over
from ostinato.runtime.desk import (
    Broken,
    Done,
    Extend,
    Extended,
    Failed,
    Fetch,
    Handed,
    Release,
    Wanted,
    handed,
)
from ostinato.runtime.reports import failure_from
from ostinato.runtime.workers import PROTOCOL, Seen

MOST_JOBS = 1_000
MOST_TOPICS = 100
SHORTEST_LEASE, LONGEST_LEASE = 1_000, 3_600_000
LONGEST_WAIT = 60_000


class WorkerView(View, omit_defaults=False):
    """``jobs`` it has in hand; ``skew`` says what is wrong with its version; ``late``: nothing was
    heard of it for longer than its lease. Of one that was heard of by another process alone only
    its jobs are known."""

    name: str
    topics: tuple[str, ...]
    version: str
    protocol: int | None
    seen_at: int | None
    jobs: int
    skew: str
    late: bool


class TopicView(View, omit_defaults=False):
    """``offered`` jobs wait, the oldest since ``oldest``; somebody last asked at ``asked_at``."""

    topic: str
    offered: int
    taken: int
    oldest: int | None
    asked_at: int | None


class Elsewhere(Reading):
    async def fetch_jobs(
        self, asked: Fetch, until: asyncio.Future[None] | None = None
    ) -> list[Handed]:
        """Jobs for a worker. It waits as it says, but not when ``until`` is done.

        Raises ``InvalidInput``, and ``ProtocolMismatch`` for a worker of another protocol.
        """
        wish = wish_of(asked)
        self._heard(asked)
        never = asyncio.get_running_loop().create_future()
        rows = await self.service.jobs.fetch(wish, never if until is None else until)
        return await self._readable(rows)

    def _heard(self, asked: Fetch) -> None:
        wish = wish_of(asked)
        lease = wish.lease + round(wish.wait * 1000)
        known = self.service.jobs.workers
        known.asks(asked.worker, wish.topics, asked.version, asked.protocol, lease)

    async def _readable(self, rows: Sequence[JobRow]) -> list[Handed]:
        found = [(row, _handed(row)) for row in rows]
        for row, told in found:
            if told is None:
                damaged = Failed("Damaged", "its row in the store cannot be read")
                await self.fail_job(row.id, Broken(row.token or "", damaged, retry=False))
        return [told for _, told in found if told is not None]

    async def complete_job(self, job_id: str, done: Done) -> list[Handed]:
        """Raises ``ConflictError`` or ``NotFoundError`` when it is not the worker's any more."""
        wish = _next(done.fetch)
        output = Raw(b"null" if isinstance(done.output, UnsetType) else bytes(done.output))
        check_size("the output", output, self.settings.limits.result, "limits.result")

        def said(row: JobRow) -> e.Event:
            if done.later:
                return e.Deferred(row.key, row.attempt)
            return e.Completed(row.key, row.attempt, output)

        given = await self.service.jobs.end(job_id, done.token, said, wish)
        return await self._more(done.fetch, given)

    async def fail_job(self, job_id: str, broken: Broken) -> list[Handed]:
        """Raises as ``complete_job`` does."""
        wish = _next(broken.fetch)
        failure = failure_from(broken.error.name, broken.error.message)
        after = None if broken.after is None else ms_of(broken.after, "after")
        final = not broken.retry

        def said(row: JobRow) -> e.Event:
            return e.Failed(row.key, row.attempt, failure, final=final, after=after)

        given = await self.service.jobs.end(job_id, broken.token, said, wish)
        return await self._more(broken.fetch, given)

    async def extend_job(self, job_id: str, extend: Extend) -> bool:
        """Whether it should stop. Raises as ``complete_job`` does."""
        lease = _lease(extend.lease)
        return await self.service.jobs.extend(job_id, extend.token, lease, beat=extend.beat)

    async def release_job(self, job_id: str, release: Release) -> None:
        """It is offered again, and that is no failure. Raises as ``complete_job`` does."""
        await self.service.jobs.end(job_id, release.token, handed_over)

    async def _more(self, asked: Fetch | None, given: Sequence[JobRow]) -> list[Handed]:
        if asked is None:
            return []
        if not given:
            return await self.fetch_jobs(structs.replace(asked, wait=0))
        self._heard(asked)
        return await self._readable(given)

    async def workers(self) -> list[WorkerView]:
        """Who has asked for work, and who has some; the one that was heard of last comes first."""
        counts = Counter[str]()
        for count in await self.storage.job_counts():
            if count.worker is not None:
                counts[count.worker] += count.count
        known = [] if self._service is None else self._service.jobs.workers.all()
        told = [self._worker(seen, counts.pop(seen.name, 0)) for seen in known]
        return told + [_unknown(name, counts[name]) for name in sorted(counts)]

    def _worker(self, seen: Seen, jobs: int) -> WorkerView:
        return WorkerView(
            name=seen.name,
            topics=seen.topics,
            version=seen.version,
            protocol=seen.protocol,
            seen_at=seen.seen_at,
            jobs=jobs,
            skew=self.service.jobs.workers.skew(seen),
            late=self.service.jobs.workers.is_late(seen),
        )

    async def topics(self) -> list[TopicView]:
        """What is offered elsewhere, by name."""
        found: dict[str, TopicView] = {}
        for count in await self.storage.job_counts():
            view = found.setdefault(count.topic, self._topic(count.topic))
            if count.worker is None:
                view.offered, view.oldest = count.count, count.oldest
            else:
                view.taken += count.count
        return list(found.values())

    def _topic(self, topic: str) -> TopicView:
        service = self._service
        asked_at = None if service is None else service.jobs.workers.asked_at(topic)
        return TopicView(topic=topic, offered=0, taken=0, oldest=None, asked_at=asked_at)


def _handed(row: JobRow) -> Handed | None:
    """None for one that something else has written into."""
    try:
        return handed(row)
    except (msgspec.MsgspecError, ValueError):
        return None


def _unknown(name: str, jobs: int) -> WorkerView:
    return WorkerView(
        name=name,
        topics=(),
        version="",
        protocol=None,
        seen_at=None,
        jobs=jobs,
        skew="",
        late=False,
    )


def _next(asked: Fetch | None) -> Wish | None:
    """What is asked for beside is looked at before anything is done; a worker of another protocol
    is told so after that."""
    if asked is None:
        return None
    wish = wish_of(structs.replace(asked, wait=0))
    return wish if asked.protocol == PROTOCOL else None


def wish_of(asked: Fetch) -> Wish:
    """Raises ``InvalidInput`` that says where."""
    return Wish(
        topics=_topics(asked),
        worker=_name(asked.worker, "worker"),
        most=_within(asked.max, "max", 1, MOST_JOBS),
        lease=_lease(asked.lease),
        wait=_within(ms_of(asked.wait, "wait"), "wait", 0, LONGEST_WAIT) / 1000,
    )


def _topics(asked: Fetch) -> dict[str, int]:
    if not 0 < len(asked.topics) <= MOST_TOPICS:
        raise InvalidInput(f"topics: one to {MOST_TOPICS} names, not {len(asked.topics)}")
    wanted = [one if isinstance(one, Wanted) else Wanted(one, asked.max) for one in asked.topics]
    return {
        _name(one.topic, "topics"): _within(one.max, f"topics.{one.topic}", 0, MOST_JOBS)
        for one in wanted
    }


def _name(text: str, where: str) -> str:
    if not is_label(text, LONGEST_TOPIC):
        raise InvalidInput(f"{where}: {text!r:.80} is no name of 1 to {LONGEST_TOPIC} characters")
    return text


def _lease(given: str | int) -> int:
    return _within(ms_of(given, "lease"), "lease", SHORTEST_LEASE, LONGEST_LEASE)


def ms_of(given: str | int, where: str) -> int:
    try:
        return parse_duration(given) if isinstance(given, str) else given
    except DefinitionError as error:
        raise InvalidInput(f"{where}: {error}") from None


def _within(number: int, where: str, least: int, most: int) -> int:
    if not least <= number <= most:
        raise InvalidInput(f"{where}: {number:,} is not within {least:,} to {most:,}")
    return number


__all__ = [
    "Broken",
    "Done",
    "Elsewhere",
    "Extend",
    "Extended",
    "Fetch",
    "Handed",
    "Release",
    "TopicView",
    "WorkerView",
    "wish_of",
]
