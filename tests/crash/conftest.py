from collections.abc import Iterator

import pytest

from tests.servers.missing import Missing
from tests.servers.postgres import Server, postgres


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    """One that may be killed: what it has acknowledged is on the disk."""
    try:
        with postgres(durable=True) as server:
            yield server
    except Missing as error:
        pytest.skip(f"missing PostgreSQL: {error}")
