"""What workers and servers say to each other: protocol 1, in camelCase as all JSON over HTTP."""

from __future__ import annotations

from typing import Protocol

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ostinato.ports import Brief, JobRow
from ostinato.runtime.workers import PROTOCOL


class Handed(Struct, rename="camel", frozen=True):
    """A job in a worker's hands: it has it, by ``token``, until ``lease_until``.

    ``mark`` tells where secrets belong in ``input``: they are the worker's own. ``event`` is what
    started the run. Whoever has ``callback_token`` can end the job.
    """

    id: str
    token: str
    topic: str
    attempt: int
    idempotency_key: str
    input: Raw
    lease_until: int
    run_id: str
    key: str
    workflow: str
    uid: str | None
    timeout: int | None
    deaths: int
    event: Raw
    callback_token: str
    callback_url: str
    mark: str = ""


def handed(row: JobRow) -> Handed:
    brief = msgspec.json.decode(row.brief, type=Brief)
    return Handed(
        id=row.id,
        token=row.token or "",
        topic=row.topic,
        attempt=row.attempt,
        idempotency_key=row.idempotency_key,
        input=brief.input,
        lease_until=row.lease_until or 0,
        run_id=row.run_id,
        key=row.key,
        workflow=row.workflow,
        uid=brief.uid,
        timeout=row.timeout,
        deaths=row.deaths,
        event=brief.trigger,
        callback_token=brief.callback,
        callback_url=f"{brief.address}/callbacks/{brief.callback}",
        mark=brief.mark,
    )


class Wanted(Struct, rename="camel", frozen=True, omit_defaults=True):
    """So many jobs at most of this topic."""

    topic: str
    max: int


class Fetch(Struct, rename="camel", frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Ask for at most ``max`` jobs of these topics, and wait for the first of them.

    ``lease`` and ``wait`` are durations, or numbers of milliseconds.
    """

    topics: list[str | Wanted]
    worker: str
    max: int = 1
    lease: str | int = 30_000
    wait: str | int = 0
    version: str = ""
    protocol: int = PROTOCOL


class Failed(Struct, frozen=True):
    name: str
    message: str = ""


class Done(Struct, rename="camel", frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """It went well. ``later``: its end will come from outside, by its callback's token.

    With ``fetch`` the answer is the next jobs.
    """

    token: str
    output: Raw | UnsetType = UNSET
    later: bool = False
    fetch: Fetch | None = None


class Broken(Struct, rename="camel", frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """It went wrong. Without ``retry`` it is not tried again; ``after`` says when it is."""

    token: str
    error: Failed
    retry: bool = True
    after: str | int | None = None
    fetch: Fetch | None = None


class Extend(Struct, rename="camel", frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``beat``: the work itself says that it goes on, as a job with a `heartbeat` has to."""

    token: str
    lease: str | int = 30_000
    beat: bool = False


class Extended(Struct, rename="camel", frozen=True):
    cancelled: bool


class Release(Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
    token: str


class Desk(Protocol):
    """Where a worker gets its jobs and hands them in.

    Raises ``ConflictError`` or ``NotFoundError`` for a job that is not its own any more,
    ``NothingIsRunning`` while nobody answers.
    """

    async def fetch(self, asked: Fetch) -> list[Handed]: ...

    async def complete(self, job_id: str, done: Done) -> list[Handed]: ...

    async def fail(self, job_id: str, broken: Broken) -> list[Handed]: ...

    async def extend(self, job_id: str, extend: Extend) -> bool:
        """Whether it should stop."""

    async def release(self, job_id: str, release: Release) -> None: ...

    async def close(self) -> None: ...
