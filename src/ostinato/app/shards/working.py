"""Work that is done outside: tasks of people, jobs of workers elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec import UNSET, structs

from ostinato.app.elsewhere import TopicView, WorkerView, wish_of
from ostinato.app.orchestrator import App
from ostinato.app.pages import heavy_page, place_of_task, weight_of_task
from ostinato.app.shards import merging
from ostinato.app.shards.part import Part
from ostinato.app.shards.reading import Reading
from ostinato.app.tasks import PENDING, TaskView, task_view
from ostinato.errors import ConflictError, OstinatoError
from ostinato.ports import Page, TaskQuery, TaskRow
from ostinato.runtime.desk import Broken, Done, Extend, Fetch, Handed, Release, Wanted


class Working(Reading):
    def __init__(self, whole: App) -> None:
        super().__init__(whole)
        self._first = 0

    # tasks

    async def tasks(self, query: TaskQuery = PENDING, page: Page | None = None) -> list[TaskView]:
        now = self.now()
        return [task_view(row, now) for row in await self.task_rows(query, page or Page())]

    async def task_rows(self, query: TaskQuery, page: Page) -> list[TaskRow]:
        return await heavy_page(
            page, partial(self._task_rows, query), weight_of_task, place_of_task
        )

    async def _task_rows(self, query: TaskQuery, page: Page) -> list[TaskRow]:
        lots = await self.all(lambda part: part.storage.tasks(query, page))
        return merging.merged(lots, lambda task: (task.opened_at, task.id), page.limit)

    async def count_tasks(self, query: TaskQuery = PENDING) -> int:
        return sum(await self.all(lambda part: part.count_tasks(query)))

    async def task(self, name: str) -> TaskView:
        number, task_id = await self._task(name)
        return await self.at(number, lambda part: part.task(task_id))

    async def complete(
        self, name: str, *, outcome: str | None = None, data: Any = UNSET, by: str = ""
    ) -> TaskView:
        number, task_id = await self._task(name)
        return await self.at(
            number, lambda part: part.complete(task_id, outcome=outcome, data=data, by=by)
        )

    async def _task(self, name: str) -> tuple[int, str]:
        """Who has it, and its id; what nobody has, the first one denies."""
        number = await self.owner("task", name, partial(_has_task, name))
        if number is not None:
            return number, name
        query = TaskQuery(id_prefix=name)
        lots = await self.all(lambda part: part.storage.tasks(query, Page(2))) if name else []
        found = [(number, row.id) for number, lot in enumerate(lots) for row in lot]
        if len(found) > 1:
            raise ConflictError(f"more than one task begins with {name!r}: give more of its id")
        return found[0] if found else (0, name)

    # jobs elsewhere

    async def fetch_jobs(
        self, asked: Fetch, until: asyncio.Future[None] | None = None
    ) -> list[Handed]:
        """What there is, else what comes first. Each time another store is asked first."""
        wait = wish_of(asked).wait
        found = await self._fetch_now(asked)
        if found or not wait:
            return found
        return await self._fetch_first(asked, until)

    async def _fetch_now(self, asked: Fetch) -> list[Handed]:
        self._first += 1
        found: list[Handed] = []
        away: list[OstinatoError] = []
        size = len(self.parts)
        turns = [(self._first + turn) % size for turn in range(size)]
        asked_of = await self.answering(turns) or turns
        for number in asked_of:
            if (left := _left(asked, found)) is None:
                break
            try:
                found += await self._fetch_at(number, structs.replace(left, wait=0), None)
            except OstinatoError as error:
                away.append(error)
        if len(away) == len(asked_of):  # else the others have what there is
            raise away[0]
        return found

    async def _fetch_at(
        self, number: int, asked: Fetch, until: asyncio.Future[None] | None
    ) -> list[Handed]:
        jobs = await self.at(number, lambda part: part.fetch_jobs(asked, until))
        for job in jobs:
            self.remember("job", job.id, number)
        return jobs

    async def _fetch_first(self, asked: Fetch, until: asyncio.Future[None] | None) -> list[Handed]:
        """All are asked to wait; when one has something, or is away, the others need not."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waits = [
            asyncio.ensure_future(self._fetch_at(number, asked, over))
            for number in range(len(self.parts))
        ]
        ahead: set[asyncio.Future[Any]] = {*waits, *([] if until is None else [until])}
        try:
            while any(wait in ahead for wait in waits):
                done, ahead = await asyncio.wait(ahead, return_when=asyncio.FIRST_COMPLETED)
                if until in done or any(_has_jobs(one) for one in done):
                    break
        finally:
            if not over.done():
                over.set_result(None)
            lots = await asyncio.gather(*waits, return_exceptions=True)
        found = [job for lot in lots if not isinstance(lot, BaseException) for job in lot]
        errors = [lot for lot in lots if isinstance(lot, OstinatoError)]
        if len(errors) == len(self.parts):
            raise errors[0]
        return await self._no_more_than(asked, found)

    async def _no_more_than(self, asked: Fetch, found: Sequence[Handed]) -> list[Handed]:
        """Several had something at the same moment: what is too much goes back."""
        kept: list[Handed] = []
        for job in found:
            left = _left(asked, kept)
            if left is not None and job.topic in _topics(left):
                kept.append(job)
            else:
                with suppress(OstinatoError):  # its lease ends
                    await self.release_job(job.id, Release(job.token))
        return kept

    async def complete_job(self, job_id: str, done: Done) -> list[Handed]:
        if done.fetch is not None:
            wish_of(done.fetch)
        alone = structs.replace(done, fetch=None)
        await self._of_job(job_id, lambda part: part.complete_job(job_id, alone))
        return await self._next(done.fetch)

    async def fail_job(self, job_id: str, broken: Broken) -> list[Handed]:
        if broken.fetch is not None:
            wish_of(broken.fetch)
        alone = structs.replace(broken, fetch=None)
        await self._of_job(job_id, lambda part: part.fail_job(job_id, alone))
        return await self._next(broken.fetch)

    async def extend_job(self, job_id: str, extend: Extend) -> bool:
        done: bool = await self._of_job(job_id, lambda part: part.extend_job(job_id, extend))
        return done

    async def release_job(self, job_id: str, release: Release) -> None:
        await self._of_job(job_id, lambda part: part.release_job(job_id, release))

    async def _of_job(self, job_id: str, work: Any) -> Any:
        return await self.at(await self.owner("job", job_id, partial(_has_job, job_id)) or 0, work)

    async def _next(self, asked: Fetch | None) -> list[Handed]:
        return [] if asked is None else await self.fetch_jobs(structs.replace(asked, wait=0))

    async def workers(self) -> list[WorkerView]:
        return merging.workers(await self.all(lambda part: part.workers()))

    async def topics(self) -> list[TopicView]:
        return merging.topics(await self.all(lambda part: part.topics()))


async def _has_task(name: str, part: Part) -> bool:
    return bool(name) and await part.storage.task(name) is not None


async def _has_job(job_id: str, part: Part) -> bool:
    return await part.storage.job(job_id) is not None


def _has_jobs(one: asyncio.Future[Any]) -> bool:
    return one.exception() is None and bool(one.result())


def _left(asked: Fetch, found: Sequence[Handed]) -> Fetch | None:
    """What is still wanted of it; None: nothing."""
    wanted = [
        Wanted(one.topic, one.max - sum(job.topic == one.topic for job in found))
        for one in _wanted(asked)
    ]
    topics: list[str | Wanted] = [one for one in wanted if one.max > 0]
    most = asked.max - len(found)
    return structs.replace(asked, topics=topics, max=most) if topics and most > 0 else None


def _wanted(asked: Fetch) -> list[Wanted]:
    return [one if isinstance(one, Wanted) else Wanted(one, asked.max) for one in asked.topics]


def _topics(asked: Fetch) -> set[str]:
    return {one.topic for one in _wanted(asked)}
