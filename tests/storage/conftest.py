"""A PostgreSQL for the tests of one process, and empty databases for each test."""

from collections.abc import Iterator

import pytest

from tests.servers.databases import Databases
from tests.servers.postgres import Missing, Server, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    try:
        with postgres() as server:
            yield server
    except Missing as error:
        pytest.skip(f"missing PostgreSQL: {error}")


@pytest.fixture(scope="session")
def _databases(postgres_server):
    databases = Databases(postgres_server)
    yield databases
    databases.drop()


@pytest.fixture
def new_database(_databases):
    """Makes URLs of databases that have the tables, and nothing in them."""
    yield _databases.take
    _databases.give_back()
