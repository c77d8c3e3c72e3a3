"""Servers for the tests of buses: one of each for all tests of a process."""

from uuid import uuid4

import pytest

from tests.servers.missing import Missing, unless_missing


@pytest.fixture
def mortal_redis():
    """One of the test's own, that may be killed: what was answered is on its disk."""
    from tests.servers.redis import redis

    yield from unless_missing("Redis", lambda: redis(durable=True, own=True))


@pytest.fixture(scope="session")
def node():
    """Runs programs of ``tests/buses/node``."""
    from tests.servers.node import Program, modules

    try:
        modules()
    except Missing as error:
        pytest.skip(f"missing Node: {error}")
    return Program


@pytest.fixture
def topic(kafka_server):
    """Makes topics that nobody else has."""
    return lambda partitions=1, **config: kafka_server.make(
        f"topic-{uuid4().hex[:12]}", partitions, **config
    )
