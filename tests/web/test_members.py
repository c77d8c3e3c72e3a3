"""``/members``: who shares the store, and what a server does that has no part of it."""

from datetime import timedelta

import pytest

from ostinato.app import App
from ostinato.config import Settings
from ostinato.storage.memory import SharedMemoryStorage, Table
from ostinato.web.asgi import application
from tests.stage import one_job, until
from tests.web.conftest import client_of


@pytest.fixture
def table():
    return Table(lambda: 1_800_000_000_000)


def server(table, **more):
    settings = Settings(lease=timedelta(seconds=6), **more)
    app = App(settings, storage=SharedMemoryStorage(table))
    app.workflow_document(one_job({"run": "noop"}))
    return app


async def test_a_store_of_one_process_has_one_member(http):
    answer = await http.get("/members")
    [seat] = answer.json()["seats"]
    assert (seat["partitions"], seat["late"]) == (64, False)
    assert (answer.json()["hub"], answer.json()["free"]) == (seat["id"], 0)


def partitions(app):
    return 0 if app._service is None else len(app.service.engine.territory.owned)


async def test_each_of_two_servers_answers_for_both(table):
    async with server(table) as first, server(table, port=8086) as second:
        await until(lambda: (partitions(first), partitions(second)) == (32, 32))
        for one, other in ((first, second), (second, first)):
            async with client_of(application(one)) as http:
                run = (await http.post("/runs?wait=5s", json={"workflow": "w", "input": {}})).json()
            async with client_of(application(other)) as http:
                assert (await http.get(f"/runs/{run['id']}")).json()["status"] == "succeeded"
                assert run["id"] in [each["id"] for each in (await http.get("/runs")).json()]
                assert (await http.get("/readyz")).status_code == 200
        await second._membership._renew()
        async with client_of(application(second)) as http:
            roll = (await http.get("/members")).json()
        assert [(seat["address"], seat["partitions"]) for seat in roll["seats"]] == [
            ("http://127.0.0.1:8085", 32),
            ("http://127.0.0.1:8086", 32),
        ]
        assert (roll["hub"], roll["free"]) == (roll["seats"][0]["id"], 0)


async def test_a_server_without_a_partition_reads_and_says_who_does_the_work(table):
    async with server(table) as first, server(table, port=8086, standby=True) as second:
        async with client_of(application(first)) as http:
            run = (await http.post("/runs?wait=5s", json={"workflow": "w", "input": {}})).json()
        async with client_of(application(second)) as http:
            assert (await http.get(f"/runs/{run['id']}")).json()["status"] == "succeeded"
            assert (await http.get("/healthz")).status_code == 200
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()) == (503, {"status": "standing by"})
            refused = await http.post("/runs", json={"workflow": "w", "input": {}})
            assert refused.status_code == 503
            assert "stands by; ask http://127.0.0.1:8085" in refused.json()["detail"]
            assert refused.json()["error"]["address"] == "http://127.0.0.1:8085"


async def test_a_server_that_joins_is_not_ready(table):
    async with server(table) as first:
        first.service.executor.at_work = lambda: set(range(64))  # it can give none
        async with server(table, port=8086) as second, client_of(application(second)) as http:
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()) == (503, {"status": "joining"})


async def test_a_standby_is_ended_by_a_word(table):
    async with server(table, standby=True) as app, client_of(application(app)) as http:
        assert (await http.post("/runs", json={"workflow": "w", "input": {}})).status_code == 503
        told = await http.post("/members/promote")
        assert (told.status_code, told.json()["promoted"]) == (200, True)
        assert (await http.post("/members/promote")).json()["promoted"] is False
        await until(lambda: app._service is not None and app._service.ready)
        assert (await http.post("/runs", json={"workflow": "w", "input": {}})).status_code == 201
        assert (await http.get("/members")).json()["seats"][0]["partitions"] == 64
