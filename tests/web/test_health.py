"""Health, counters and pages."""

import pytest


@pytest.mark.seed("A83")
async def test_ping_greets_and_shows_what_is_not_secret(http):
    headers = {"x-colour": "red", "cookie": "hunter2", "x-api-key": "hunter2"}
    answer = await http.get("/ping", headers=headers)
    assert answer.json().keys() == {"greeting", "date", "url", "headers"}
    assert answer.json()["headers"]["x-colour"] == "red"
    assert answer.json()["url"] == "/ping"
    assert "hunter2" not in answer.text


@pytest.mark.seed("A83")
@pytest.mark.parametrize("path", ["/healthz", "/health/live", "/readyz", "/health/ready"])
async def test_a_running_server_is_alive_and_ready(http, path):
    assert (await http.get(path)).status_code == 200


async def test_a_server_that_stops_is_alive_and_not_ready(http, door):
    door.stop()
    assert (await http.get("/readyz")).json() == {"status": "stopping"}
    assert (await http.get("/readyz")).status_code == 503
    assert (await http.get("/healthz")).status_code == 200


async def test_a_server_without_its_engine_is_not_ready(http, app, monkeypatch):
    monkeypatch.setattr(app, "health", lambda: {"ready": False})
    assert (await http.get("/readyz")).status_code == 503


async def test_metrics_count_requests_and_events(http):
    for _ in range(2):
        await http.post("/events", json={"type": "T", "id": "e"})
    await http.get("/nothing")
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'ostinato_http_requests_total{operation="post_events",status="202"} 2.0',
        'ostinato_http_requests_total{operation="none",status="404"} 1.0',
        'ostinato_events_accepted_total{duplicate="false"} 1.0',
        'ostinato_events_accepted_total{duplicate="true"} 1.0',
        "ostinato_ready 1.0",
    ):
        assert line in answer.text.splitlines()


@pytest.mark.seed("A83", "A84")
@pytest.mark.parametrize(
    ("path", "said"),
    [("/", "openapi.json"), ("/docs", "POST /events"), ("/explorer", "POST /events/{eventType}")],
)
async def test_pages_need_nothing_from_elsewhere(http, path, said):
    answer = await http.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    assert said in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
