"""The Redis that holds the queues, and what is said when it does not answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import redis.exceptions as faults
from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ostinato.config.buses import BullMqSettings
from ostinato.errors import BusError
from ostinato.telemetry.logger import logger

log = logger("ostinato.bullmq")

AWAY = (faults.RedisError, OSError)

SILENCE = 15.0
"""Seconds in which Redis must answer; longer than it is asked to wait."""


def is_address(url: str) -> bool:
    try:
        parse_url(url)
    except (ValueError, TypeError):
        return False
    return True


async def connected(settings: BullMqSettings) -> Redis:
    """One that answers. Raises ``BusError``."""
    client = _client(settings)
    try:
        with told(settings):
            await client.ping()
            await _warn_of_eviction(client, settings)
    except BaseException:
        await client.aclose()
        raise
    return client


def _client(settings: BullMqSettings) -> Redis:
    """Bytes that are no text come back as they were. It never tries again by itself: what is not
    known to have been done is for the caller to judge."""
    return Redis.from_url(
        settings.url,
        decode_responses=True,
        encoding_errors="surrogateescape",
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=SILENCE,
        socket_timeout=SILENCE,
        client_name="ostinato-" + re.sub(r"[^!-~]", "_", settings.name),
    )


async def _warn_of_eviction(client: Redis, settings: BullMqSettings) -> None:
    with suppress(faults.ResponseError):  # not everybody may ask
        policy = (await client.info("memory")).get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            log.warning("bullmq.may_lose_jobs", bus=settings.name, maxmemory_policy=policy)


@contextmanager
def told(settings: BullMqSettings) -> Iterator[None]:
    """Whatever goes wrong with Redis is a ``BusError`` that names the server."""
    try:
        yield
    except AWAY as error:
        raise trouble(settings, error) from error


def trouble(settings: BullMqSettings, error: Exception) -> BusError:
    where = urlsplit(settings.url)
    server = f"Redis at {where.hostname}:{where.port or 6379}" if where.hostname else where.path
    if isinstance(error, faults.AuthenticationError):
        mend = f"bus.{settings.name}.url = redis://USER:PASSWORD@HOST:PORT (USER may be empty)"
        return BusError(f"{server} does not know who we are ({error}); {mend}")
    if isinstance(error, faults.ConnectionError | faults.TimeoutError | OSError):
        return BusError(f"{server} cannot be reached: {error}")
    return BusError(f"{server} refuses: {error}")
