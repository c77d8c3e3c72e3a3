"""The doors of an app that has several stores."""

import pytest
from structlog.testing import capture_logs

from ostinato import App
from ostinato.config import Settings
from ostinato.errors import StoreError
from ostinato.web.asgi import application
from tests.web.conftest import DOCUMENTS, client_of


@pytest.fixture
async def app(tmp_path):
    stores = tuple(f"sqlite:///{tmp_path}/{number}.db" for number in range(2))
    async with App(Settings(store=stores)) as app:
        await app.deploy_texts(DOCUMENTS)
        yield app


@pytest.fixture
async def http(app):
    async with client_of(application(app)) as http:
        yield http


async def test_runs_are_started_listed_and_shown(http):
    made = []
    for number in range(6):
        key = {"idempotency-key": f"k{number}"}
        body = {"workflow": "hello", "uid": f"u{number}"}
        answer = await http.post("/runs?wait=20s", json=body, headers=key)
        assert (answer.status_code, answer.json()["status"]) == (201, "succeeded")
        again = await http.post("/runs", json=body, headers=key)
        assert (again.json()["id"], again.headers["idempotent-replay"]) == (
            answer.json()["id"], "true",
        )  # fmt: skip
        made.append(answer.json()["id"])
    refused = await http.post("/runs", json={"workflow": "hello", "uid": "other"}, headers=key)
    assert refused.status_code == 409
    listed, url = [], "/runs?limit=2"
    while url:
        page = await http.get(url)
        listed += [run["id"] for run in page.json()]
        url = page.links.get("next", {}).get("url")
    assert listed == made[::-1]
    assert (await http.get("/runs/count")).json() == {"count": 6}
    for run_id in made:
        assert (await http.get(f"/runs/{run_id}")).json()["id"] == run_id
        assert (await http.get(f"/runs/{run_id}/history")).status_code == 200
    assert (await http.get("/runs/nobody")).status_code == 404


async def test_who_may_be_asked_is_told(http, app):
    assert (await http.get("/readyz")).status_code == 200
    seats = (await http.get("/members")).json()["seats"]
    assert [seat["id"][:2] for seat in seats] == ["1/", "2/"]


async def test_a_store_that_is_away_is_named_by_its_number(http, app):
    part = app.runs.__self__.parts[1]

    async def away(*args):
        raise StoreError("no route to 10.0.0.7")

    part.storage.runs = away
    with capture_logs() as told:
        answer = await http.get("/runs")
    error = answer.json()["error"]
    assert (answer.status_code, error["name"]) == (503, "ShardAway")
    [line] = [one for one in told if one["event"] == "request.refused"]
    assert ("10.0.0.7" in line["reason"], "exc_info" in line) == (True, False)
    assert error["message"] == "store 2 of 2 cannot answer now; the server's log says why"
    assert "10.0.0.7" not in answer.text
    assert (await http.get("/readyz")).status_code == 200
