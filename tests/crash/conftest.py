from collections.abc import Iterator

import pytest

from tests.servers.missing import unless_missing
from tests.servers.postgres import Server, postgres


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """One that may be killed: what it has acknowledged is on the disk."""
    yield from unless_missing("PostgreSQL", lambda: postgres(durable=True))
