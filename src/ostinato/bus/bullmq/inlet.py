"""A queue's jobs, in hand as they are in a worker of BullMQ: active and locked, the lock renewed.

What is stored is completed, with what became of its events as its return value. What is given back
goes in front of the queue and has lost no attempt. A job whose taker died comes again once its lock
is over, however often that was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any
from uuid import uuid4

import msgspec
from bullmq import Job, Worker  # type: ignore[import-untyped]
from redis.asyncio import Redis

from ostinato.bus.bullmq.server import AWAY, connected, log, told
from ostinato.bus.bullmq.together import Together
from ostinato.config.buses import BullMqSettings
from ostinato.core.cloudevents import Message
from ostinato.errors import BusError
from ostinato.ports.buses import Received

PATIENCE = 5.0
"""Seconds that a fetch waits for its first job."""

TOGETHER = 64
"""Jobs that are asked for at once."""

GIVEN_BACK = (
    "active", "wait", "stalled", "paused", "meta", "limiter", "prioritized", "marker", "events",
)  # fmt: skip
"""The keys that a job is given back with."""

Row = Mapping[str, str]
"""A job as it lies in Redis."""


class BullMqInlet:
    def __init__(self, settings: BullMqSettings, queue: str) -> None:
        self.name = queue
        self._settings = settings
        self._client: Redis | None = None
        self._hand: dict[str, Received] = {}  # by the token of its lock
        self._taking: asyncio.Future[list[Received]] | None = None
        self._due = 0
        """When the next delayed job is, in ms since epoch; 0: nobody knows of one."""
        self._barred = 0.0
        """Seconds in which the queue's rate limit gives nothing."""

    async def open(self) -> None:
        self._client = client = await connected(self._settings)
        lock = int(self._settings.lock.total_seconds() * 1000)
        options = {"connection": client, "prefix": self._settings.prefix, "name": "ostinato"}
        # a job that was lost several times with those who held it is still to be stored
        times = {"lockDuration": lock, "stalledInterval": lock, "maxStalledCount": 1 << 31}
        self._worker = Worker(self.name, None, options | times)
        self._worker.on("error", self._heard)
        together = Together(client)
        scripts = self._worker.backend.scripts
        scripts.commands = {name: together.of(one) for name, one in scripts.commands.items()}
        self._give_back = together.of(client.register_script(_giving_back()))
        self._worker.lockManager.start()
        self._watching = asyncio.create_task(self._watch(lock / 1000))

    def _heard(self, error: Exception, *_: Any) -> None:
        """What goes wrong in the background, the next fetch sees as well."""
        log.warning("bullmq.background", queue=self.name, error=str(error))

    async def _watch(self, pause: float) -> None:
        """Jobs whose taker is gone go back to the queue, whoever that was."""
        while True:
            await self._worker.runStalledJobsCheck()
            await asyncio.sleep(pause)

    # taken

    async def fetch(self, most: int) -> Sequence[Received]:
        until = time.monotonic() + PATIENCE
        with told(self._settings):
            while True:
                # what was asked for is known also when this call is cancelled
                self._taking = asyncio.ensure_future(self._take(most))
                if found := await asyncio.shield(self._taking):
                    return found
                left = until - time.monotonic()
                if left <= 0:
                    return ()
                await self._wait(left)

    async def _wait(self, seconds: float) -> None:
        if self._barred:
            await asyncio.sleep(min(seconds, self._barred))
            return
        if self._due:
            seconds = min(seconds, max(self._due / 1000 - time.time(), 0.01))
        await self._worker.backend.waitForJob(seconds)

    async def _take(self, most: int) -> list[Received]:
        found: list[Received] = []
        lot = 1  # a queue is mostly empty, or long
        while len(found) < most:
            asked = min(lot, most - len(found))
            more = await self._take_lot(asked)
            found += more
            if len(more) < asked:
                break
            lot = min(2 * lot, TOGETHER)
        return found

    async def _take_lot(self, count: int) -> list[Received]:
        tokens = [uuid4().hex for _ in range(count)]
        backend, options = self._worker.backend, self._worker.opts
        calls = [backend.moveToActive(token, options) for token in tokens]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        found: list[tuple[Received, Row]] = []
        for token, answer in zip(tokens, answers, strict=True):
            if isinstance(answer, BaseException):
                if not found:
                    raise answer
                break
            row, number, barred, due = answer
            self._barred, self._due = (barred or 0) / 1000, int(due or 0)
            if row:
                found.append((self._received(row, number, token), row))
        for received, row in found:
            if "rjk" in row:
                await self._make_next(received, row)
        return [received for received, _ in found]

    def _received(self, row: Row, number: str, token: str) -> Received:
        """Its data stay as they were written."""
        time_, attempt = row.get("timestamp", ""), row.get("ats", "")
        message = Message(
            place=self.name,
            body=row.get("data", "").encode("utf-8", "surrogateescape"),
            headers={"name": _text(row.get("name", ""))},
            id=_text(f"{self.name}/{number}/{time_}"),
            time=_whole(time_),
        )
        job = _job(self._worker, row, number)
        received = Received(message, (job, token), _whole(attempt) or 1)
        self._hand[token] = received
        self._worker.lockManager.track_job(number, token, int(time.time() * 1000))
        return received

    async def _make_next(self, received: Received, row: Row) -> None:
        """Whoever takes a job of a job scheduler makes the one that comes after it."""
        job, token = received.handle
        try:
            await self._worker.nextJobFromJobData(dict(row), job.id, 0, 0, token)
        except Exception as error:  # this one is in hand nevertheless
            log.error("bullmq.schedule", queue=self.name, job=job.id, error=str(error))

    # let go

    async def done(self, received: Sequence[Received]) -> None:
        await self._each(received, self._complete)

    def _complete(self, received: Received) -> Awaitable[Any]:
        job, token = received.handle
        remove = job.opts.get("removeOnComplete", False)
        answer = _answer(received.answers)
        finished: Awaitable[Any] = self._worker.backend.moveToCompleted(
            job, answer, remove, token, fetch_next=False
        )
        return finished

    async def again(self, received: Sequence[Received]) -> None:
        """In front, as they were."""
        await self._each(received[::-1], self._return)

    def _return(self, received: Received) -> Awaitable[Any]:
        job, token = received.handle
        scripts = self._worker.backend.scripts
        keys = scripts.getKeys(list(GIVEN_BACK))
        return self._give_back(keys, [job.id, token, scripts.toKey(job.id)])

    async def _each(
        self, received: Sequence[Received], call: Callable[[Received], Awaitable[Any]]
    ) -> None:
        """All at once. A job that is not ours any more is no trouble: whoever has it stores it."""
        with told(self._settings):
            answers = await asyncio.gather(*map(call, received), return_exceptions=True)
            for one, answer in zip(received, answers, strict=True):
                job, token = one.handle
                self._hand.pop(token, None)
                self._worker.lockManager.untrack_job(job.id)
                if isinstance(answer, AWAY):
                    raise answer
                if isinstance(answer, Exception):
                    await self._refused(job, token, answer)

    async def _refused(self, job: Any, token: str, error: Exception) -> None:
        """Its lock is lost; or children of it have failed, and so has it."""
        log.warning("bullmq.not_completed", queue=self.name, job=job.id, error=str(error))
        try:
            await job.moveToFailed(error, token)
        except TypeError as lost:  # of the library, for a job that is not ours
            log.info("bullmq.not_ours", queue=self.name, job=job.id, error=str(lost))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            self._watching.cancel()
            with suppress(BusError):  # else their locks run out
                await self._settle()
        finally:
            await self._worker.lockManager.close()
            await client.aclose()

    async def _settle(self) -> None:
        tasks = [task for task in (self._watching, self._taking) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.again(list(self._hand.values()))


def _giving_back() -> str:
    """The script by which a job goes from active to the front, of those that the library has."""
    [path] = [
        each
        for each in files("bullmq").joinpath("commands").iterdir()
        if each.name.startswith("moveJobFromActiveToWait-")
    ]
    return path.read_text()


def _text(text: str) -> str:
    """Without bytes that are none."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _job(worker: Any, row: Row, number: str) -> Any:
    """Without its data; and without its options, where others have written them badly."""
    kept = {name: row[name] for name in ("name", "opts", "atm", "attemptsMade") if name in row}
    try:
        return Job.fromJSON(worker, kept, number)
    except (ValueError, TypeError, AttributeError):
        return Job.fromJSON(worker, {}, number)


def _answer(answers: Sequence[Any]) -> Any:
    """What a job returns: as events are answered over HTTP; null when it was none."""
    told: list[Any] = msgspec.to_builtins(answers)
    return told if len(told) > 1 else told[0] if told else None
