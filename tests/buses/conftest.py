"""Servers that tests of buses share: one of each for the tests of a process."""

from itertools import count

import pytest

_names = count()


@pytest.fixture(scope="session")
def kafka_server():
    from tests.servers.kafka import kafka
    from tests.servers.postgres import Missing

    try:
        with kafka() as server:
            yield server
    except Missing as error:
        pytest.skip(f"missing Kafka: {error}")


@pytest.fixture
def topic(kafka_server):
    """Makes topics that nobody else has."""
    return lambda partitions=1, **config: kafka_server.make(
        f"topic-{next(_names)}", partitions, **config
    )
