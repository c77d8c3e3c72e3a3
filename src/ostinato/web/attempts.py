"""Whether the first attempts at some runs went well, for callers who wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from msgspec import Struct

from ostinato.web.door import Door

LONGEST = 30.0  # seconds; whoever waits longer has given up

# The first of these says that the first attempt is over, or that the run waits for something.
FAILED = frozenset(("job.failed", "job.retried", "run.failed", "run.stuck"))
OVER = FAILED | {"job.succeeded", "job.waiting", "run.succeeded", "run.cancelled"}


class FirstFailure(Struct):
    name: str
    message: str


async def first_failures(door: Door, runs: list[str]) -> list[FirstFailure]:
    if not runs:
        return []
    told = asyncio.gather(*(_first(door, run_id) for run_id in runs))
    found = await door.within(_all(told), LONGEST)
    return [failure for failure in found or () if failure is not None]


async def _all(told: asyncio.Future[list[FirstFailure | None]]) -> list[FirstFailure | None]:
    return await told


async def _first(door: Door, run_id: str) -> FirstFailure | None:
    facts = cast(AsyncGenerator[dict[str, Any], None], door.app.stream(run_id))
    async with aclosing(facts):
        async for fact in facts:
            if fact["type"] in OVER:
                return _failure(fact) if fact["type"] in FAILED else None
    return None


def _failure(fact: dict[str, Any]) -> FirstFailure:
    error = fact.get("error")
    if isinstance(error, dict):
        return FirstFailure(str(error.get("name", "Failed")), str(error.get("message", "")))
    if error is not None:
        return FirstFailure(error.name, error.message)
    return FirstFailure("Incident", str(fact.get("reason", "the run needs an operator")))
