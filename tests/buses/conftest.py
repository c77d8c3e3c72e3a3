"""What tests of buses share."""

from uuid import uuid4

import pytest


@pytest.fixture
def topic(kafka_server):
    """Makes topics that nobody else has."""
    return lambda partitions=1, **config: kafka_server.make(
        f"topic-{uuid4().hex[:12]}", partitions, **config
    )
