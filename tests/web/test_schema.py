"""Whatever fits the document, and much that does not, gets an answer that the document knows."""

import asyncio
import contextlib
import threading

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ostinato.web.asgi import TABLE, application
from ostinato.web.openapi import document
from tests.web.conftest import running

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
SCHEMA = schemathesis.openapi.from_dict(document(TABLE.operations))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
CASES = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation.query or operation.body
]


@contextlib.asynccontextmanager
async def served(ready):
    async with running() as app:
        for name in ("hello", "slow", "broken"):
            await app.start_run(name, {})
        config = uvicorn.Config(application(app), port=0, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        ready(server)
        yield
        await task


@pytest.fixture(scope="module")
def url():
    """Schemathesis calls and waits, so the server lives in a thread of its own."""
    listening, servers = threading.Event(), []

    def ready(server):
        servers.append(server)
        listening.set()

    async def serve():
        async with served(ready):
            pass

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert listening.wait(10)
    port = servers[0].servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    servers[0].should_exit = True
    thread.join(10)


@pytest.mark.real
@pytest.mark.parametrize(
    ("operation", "mode"), CASES, ids=[f"{one.label}-{mode.value}" for one, mode in CASES]
)
def test_every_answer_is_one_that_the_document_knows(url, operation, mode):
    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def probe(case):
        case.call_and_validate(base_url=url, checks=CHECKS, timeout=10)

    probe()
