"""Asking a builder how a build is, until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ostinato.arc.builders import Result
from ostinato.telemetry.logger import logger

log = logger("ostinato.arc")

PATIENCE = 60.0
"""Seconds at most between two questions to a builder that does not answer."""


async def follow(
    look: Callable[[], Awaitable[Result | None]], every: float, what: str, *errors: type[Exception]
) -> Result:
    """``look`` gives None as long as it goes on; one of ``errors`` is no news of the build."""
    pause = every
    while True:
        try:
            result = await look()
        except errors as error:
            log.warning("arc.builder_silent", build=what, error=str(error))
            pause = min(pause * 2, PATIENCE)
        else:
            if result is not None:
                return result
            pause = every
        await asyncio.sleep(pause)
