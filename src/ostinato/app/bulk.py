"""The verbs about many runs at once: look first, then repair them one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ostinato.app.hub import at_hub
from ostinato.app.reading import check_words
from ostinato.app.repairing import Repairing
from ostinato.core.decide.repairs import ACTIONS
from ostinato.core.views import View
from ostinato.errors import ConflictError, NotFoundError, UsageError
from ostinato.ports import Asked, Head, Operation, Page, RunFilter, Tally
from ostinato.runtime.bounds import check_text
from ostinato.runtime.operating import Halt, KeepMatched, Launch

VALID = 3_600_000
"""ms for which a preview can be begun."""

LOT = 500
SAMPLE = 10
REASONS = 20

SLOWEST, FASTEST = 0.01, 1_000.0
"""Runs per second."""


class SampleRun(View, omit_defaults=False):
    id: str
    workflow: str
    uid: str | None
    status: str
    error: str | None


class Preview(View, omit_defaults=False):
    """What a repair would be about: ``preview_token`` begins it, until ``expires_at``."""

    action: str
    where: RunFilter
    matched: int
    sample: list[SampleRun]
    preview_token: str
    expires_at: int


class Reason(View, omit_defaults=False):
    reason: str
    count: int
    example: str


class OperationView(View, omit_defaults=False, kw_only=True):
    """``passed`` are runs that no longer fitted ``where`` when their turn came."""

    id: str
    action: str
    where: RunFilter
    job: str | UnsetType = UNSET
    status: str
    rate: float
    by: str
    why: str
    matched: int
    done: int
    refused: int
    passed: int
    left: int
    reasons: list[Reason]
    created_at: int
    begun_at: int | None
    ended_at: int | None
    stopped_by: str | None
    stopped_why: str | None


class Bulk(Repairing):
    """A preview keeps the runs that fit; the repair is about those and no others."""

    async def preview_bulk(
        self, action: str, where: RunFilter, *, job: str = "", output: Any = UNSET,
        now: int | None = None,
    ) -> Preview:  # fmt: skip
        """Which runs a repair would be about. Nothing is done to them.

        Actions: cancel, pause, resume, retry (``job`` for one step), skip (a ``job``, with an
        ``output``). ``now``: the moment from which ``where`` was reckoned, if not this one.
        """
        asked = self._asked(action, where, job, output)
        now = self.now() if now is None else now
        found = Operation(self.new_id(), asked, "preview", 0, now, now + VALID)
        sample: list[Head] = []
        async for lot in self._matching(where):
            found = msgspec.structs.replace(found, matched=found.matched + len(lot))
            sample = sample or lot[:SAMPLE]
            await self._keep(found, [head.run_id for head in lot])
        if not found.matched:
            await self._keep(found, [])
        return Preview(
            action=action, where=where, matched=found.matched, sample=[_sample(h) for h in sample],
            preview_token=found.id, expires_at=now + VALID,
        )  # fmt: skip

    def _asked(self, action: str, where: RunFilter, job: str, output: Any) -> Asked:
        _check(action, where, job, output)
        if output is UNSET:
            return Asked(action, where, job)
        data = self._bounded("the output", output, "limits.result")
        return Asked(action, where, job, bytes(data).decode())

    async def _matching(self, where: RunFilter) -> AsyncIterator[list[Head]]:
        """In pages, however many they are."""
        cursor = None
        while page := await self.storage.runs(where, Page(LOT, cursor)):
            cursor = page[-1].run_id
            if lot := [head for head in page if where.is_alike(head)]:
                yield lot

    async def _keep(self, found: Operation, runs: list[str]) -> None:
        await self.service.ask(lambda answer: KeepMatched(found, runs, answer))

    @at_hub
    async def start_bulk(
        self, token: str, *, rate: float = 10.0, by: str = "", why: str = "",
        action: str | None = None, where: RunFilter | None = None, job: str | None = None,
        output: Any = UNSET,
    ) -> OperationView:  # fmt: skip
        """Begin what a preview has shown, at ``rate`` runs per second, oldest first.

        ``action``, ``where``, ``job`` and ``output`` are those of the preview, if they are given.
        Asked twice, it begins once. Raises ``ConflictError`` for a token that is too old, or of
        something else.
        """
        check_pace(rate, why)
        asked = (await self.previewed(token)).asked
        said = None if output is UNSET else self._bounded("the output", output, "limits.result")
        if other := _differs(asked, action, where, job, said):
            told = f"this token is of a preview for something else: its `{other}` is another"
            raise ConflictError(f"{told}; look again")
        role = self.service.operations
        begun = await self.service.ask(
            lambda answer: Launch(role, token, by, why, float(rate), answer)
        )
        return await self._seen(begun)

    async def previewed(self, token: str) -> Operation:
        """What a token begins, or has begun. Raises ``ConflictError``."""
        found = await self.storage.operation(token)
        if found is None:
            hint = "it may have expired, or be of another server; look again with dryRun"
            raise ConflictError(f"no preview has this token: {hint}")
        if found.is_damaged:
            raise ConflictError(f"what this token is of cannot be told: {found.why}; look again")
        return found

    async def operations(self, page: Page | None = None) -> list[OperationView]:
        """Newest first."""
        found = await self.storage.operations(page or Page())
        return list(await asyncio.gather(*(self._seen(one) for one in found)))

    async def operation(self, operation_id: str) -> OperationView:
        found = await self.storage.operation(operation_id)
        if found is None or found.status == "preview":
            raise NotFoundError(f"there is no operation {operation_id!r}")
        return await self._seen(found)

    async def stop_operation(
        self, operation_id: str, *, by: str = "", why: str = ""
    ) -> OperationView:
        """What is on its way ends, the rest is left as it is."""
        check_text("why", why)
        await self._halt(operation_id, by, why)
        return await self.operation(operation_id)

    @at_hub
    async def _halt(self, operation_id: str, by: str, why: str) -> None:
        role = self.service.operations
        await self._ask_once(lambda answer: Halt(role, operation_id, by, why, answer))

    async def _seen(self, one: Operation) -> OperationView:
        tally = await self.storage.operation_tally(one.id)
        return OperationView(
            id=one.id,
            action=one.asked.action,
            where=one.asked.where,
            job=one.asked.key or UNSET,
            status=one.status,
            rate=one.rate,
            by=one.by,
            why=one.why,
            matched=one.matched,
            done=_count(tally, "done"),
            refused=_count(tally, "refused"),
            passed=_count(tally, "passed"),
            left=_count(tally, ""),
            reasons=[_reason(part) for part in tally if part.reason][:REASONS],
            created_at=one.created_at,
            begun_at=one.begun_at,
            ended_at=one.ended_at,
            stopped_by=one.stopped_by or None,
            stopped_why=one.stopped_why or None,
        )


def _check(action: str, where: RunFilter, job: str, output: Any) -> None:
    if action not in ACTIONS:
        raise UsageError(f"many runs can be {action!r:.40}? No: one of {', '.join(ACTIONS)}")
    if where == RunFilter():
        raise UsageError("say which runs: a status, a workflow, a fingerprint, …")
    check_words(where)
    if action == "skip" and not job:
        raise UsageError("skip needs a `job`: the key of the step to go on without")
    if job and action not in ("retry", "skip"):
        raise UsageError(f"`job` does nothing beside {action}; it goes with retry, skip")
    if output is not UNSET and action != "skip":
        raise UsageError(f"`output` does nothing beside {action}; it goes with skip")


def check_pace(rate: float, why: str) -> None:
    check_text("why", why)
    if not SLOWEST <= rate <= FASTEST:
        raise UsageError(f"a rate is {SLOWEST:g} to {FASTEST:g} runs per second, not {rate:g}")


def _differs(
    asked: Asked, action: str | None, where: RunFilter | None, job: str | None, said: Raw | None
) -> str:
    """What of it is given, and is another one."""
    if action not in (None, asked.action):
        return "action"
    if where not in (None, asked.where):
        return "where"
    if job not in (None, asked.key):
        return "job"
    same = said is None or (bool(asked.output) and _plain(said) == _plain(asked.output))
    return "" if same else "output"


def _plain(data: Raw | str) -> bytes:
    """Equal for JSON that says the same, in whatever order its members stand."""
    return msgspec.json.encode(msgspec.json.decode(data), order="sorted")


def _sample(head: Head) -> SampleRun:
    error = f"{head.error_name}: {head.error_message}" if head.error_name else None
    return SampleRun(
        id=head.run_id, workflow=head.workflow, uid=head.uid, status=head.status, error=error
    )


def _count(tally: list[Tally], outcome: str) -> int:
    return sum(part.count for part in tally if part.outcome == outcome)


def _reason(part: Tally) -> Reason:
    return Reason(reason=part.reason, count=part.count, example=part.example)
