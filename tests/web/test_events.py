"""Events over HTTP: every form, the older services' routes, and what is refused."""

import asyncio
import json

import pytest

from ostinato.config import ArcSettings, AuthSettings
from ostinato.errors import Busy
from ostinato.web.asgi import application
from tests.web.conftest import client_of, events_of, running, runs_of

SHORT = {"type": "ORDER_PLACED", "data": {"n": 1}}
ENVELOPE = {
    "version": "0", "id": "e-1", "detail-type": "ORDER_PLACED", "source": "shop", "account": "1",
    "time": "2027-01-15T08:00:00Z", "region": "eu", "resources": [], "detail": {"n": 1},
}  # fmt: skip
CLOUD = {
    "specversion": "1.0",
    "id": "c-1",
    "source": "/shop",
    "type": "ORDER_PLACED",
    "data": {"n": 1},
}
TASK = {"key": "ORDER_PLACED", "payload": {"n": 1}, "source": "shop", "description": "d"}
RECORDS = {"Records": [{"body": json.dumps(SHORT)}]}
DEEP = b'{"type": "T", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (SHORT, {}),
        (ENVELOPE, {}),
        (CLOUD, {"content-type": "application/cloudevents+json"}),
        (TASK, {}),
        (
            {"n": 1},
            {"ce-specversion": "1.0", "ce-id": "b", "ce-source": "/s", "ce-type": "ORDER_PLACED"},
        ),
    ],
    ids=["short", "eventbridge", "cloudevents", "task", "binary"],
)
async def test_one_event_in_any_form_is_accepted(http, app, body, headers):
    answer = await http.post("/events", json=body, headers=headers)
    assert answer.status_code == 202
    assert answer.json().keys() == {"id", "source", "runs", "duplicate"}
    assert answer.json()["runs"] == [run.run_id for run in await runs_of(app)]
    (stored,) = await events_of(app)
    assert (stored.event.type, json.loads(bytes(stored.event.data))) == ("ORDER_PLACED", {"n": 1})


@pytest.mark.parametrize(
    ("body", "many"),
    [
        ([SHORT, ENVELOPE, CLOUD], 3),
        (RECORDS, 1),
        ([], 0),
    ],
    ids=["array", "records", "empty"],
)
async def test_several_events_are_answered_with_an_array(http, body, many):
    answer = await http.post("/events", json=body)
    assert answer.status_code == 202
    assert len(answer.json()) == many


async def test_a_duplicate_gets_the_same_answer(http):
    first = (await http.post("/events", json=CLOUD)).json()
    again = (await http.post("/events", json=CLOUD)).json()
    assert again == first | {"duplicate": True}


async def test_an_event_that_does_not_fit_its_trigger_is_accepted_as_a_dead_letter(http, app):
    answer = await http.post("/events", json={"type": "UNFIT", "data": {}})
    assert answer.status_code == 202
    assert answer.json()["runs"] == []
    (letter,) = answer.json()["deadLetters"]
    assert letter["trigger"].startswith("strict")
    assert [one.id for one in await app.dead_letters()] == [letter["id"]]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"", 400, "not JSON"),
        (b'{"type": "T", "data": NaN}', 400, "not JSON"),
        (b'{"type": "T", "data": "\xff"}', 400, "not JSON"),
        (DEEP, 400, "deep"),
        (b'{"type": "T", "data": "\\ud83d"}', 400, r"\ud83d is half of a character"),
        (b'[{"type": "T", "data": "\\ud83d\\ude00 \\\\ud800 \\udc00"}]', 400, r"\udc00 is half"),
        (b'{"data": {}}', 422, '{"type": "ORDER_PLACED", "data": {}}'),
        (b'{"type": 1}', 422, "type"),
        (b'"T"', 422, "object"),
        (b'{"type": "T", "time": "noon"}', 422, "RFC 3339"),
        (b'[{"type": "T"}, {"data": 1}]', 422, "[1]"),
        (b'{"type": "T", "data": "' + b"x" * 1_100_000 + b'"}', 413, "limit"),
        (b" " * 17_000_000, 413, "limit"),
    ],
    ids=[
        "cut", "empty", "nan", "latin-1", "deep", "high", "low", "typeless", "number", "text",
        "time", "array", "large", "huge",
    ],
)  # fmt: skip
async def test_what_is_not_an_event_is_refused_with_its_reason(http, app, body, status, said):
    answer = await http.post("/events", content=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert await events_of(app) == []


async def test_a_compressed_body_is_refused(http):
    answer = await http.post("/events", content=b"x", headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


async def test_a_body_without_announced_length_is_bounded_while_it_is_read(http):
    sent = 0

    async def parts():
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * 1_000_000

    answer = await http.post("/events", content=parts())
    assert answer.status_code == 413


@pytest.mark.parametrize(("digits", "status"), [(5_000, 400), (21, 400), (18, 413)])
async def test_a_length_that_nobody_can_mean_is_refused(http, digits, status):
    answer = await http.post("/events", content=b"{}", headers={"content-length": "9" * digits})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/event-bridge/events/T", b'{"a": %s}'),
        ("/events/trigger", b'{"key": "T", "payload": %s}'),
        ("/runs", b'{"workflow": %s}'),
    ],
    ids=["bridge", "trigger", "runs"],
)
async def test_half_of_a_character_is_told_as_such(http, path, body):
    answer = await http.post(path, content=body % b'"\\ud800"')
    assert answer.status_code == 400
    assert r"not JSON: \ud800 is half of a character" in answer.json()["detail"]
    answer = await http.post(path, content=(body % b'"\\\\ud800"')[:-2])
    assert "truncated" in answer.json()["detail"]


async def test_without_room_the_sender_is_told_when_to_come_back(http, app, monkeypatch):
    async def accept(events, wait):
        assert not wait
        raise Busy("10000 jobs are ready; try again later", retry_after=2.4)

    monkeypatch.setattr(app, "accept", accept)
    answer = await http.post("/events", json=SHORT)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3"
    assert answer.json()["error"]["name"] == "Busy"


# -- the older services' routes


@pytest.mark.seed("A1", "A2", "A3", "B.8-13")
@pytest.mark.parametrize("route", ["/events/ORDER_PLACED", "/event-bridge/events/ORDER_PLACED"])
@pytest.mark.parametrize("body", [SHORT, ENVELOPE, {"n": 1}], ids=["short", "envelope", "bare"])
async def test_typed_routes_unwrap_every_envelope(http, app, route, body):
    answer = await http.post(route, json=body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (stored,) = await events_of(app)
    assert (stored.event.type, json.loads(bytes(stored.event.data))) == ("ORDER_PLACED", {"n": 1})


@pytest.mark.seed("A3")
async def test_the_envelopes_id_is_the_idempotency_key(http, app):
    for _ in range(2):
        answer = await http.post("/events/ORDER_PLACED", json=ENVELOPE)
        assert answer.status_code == 200
    assert len(await runs_of(app)) == 1


@pytest.mark.seed("A1", "A2")
@pytest.mark.parametrize(
    ("route", "status", "said"),
    [
        ("/events/BROKEN", 400, "the boiler exploded"),
        ("/event-bridge/events/BROKEN", 500, "the boiler exploded"),
        ("/events/NO_SUCH_TYPE", 400, "NO_SUCH_TYPE"),
        ("/event-bridge/events/NO_SUCH_TYPE", 200, None),
        ("/events/UNFIT", 400, "strict"),
    ],
)
async def test_typed_routes_fail_as_the_seed(http, route, status, said):
    answer = await http.post(route, json={})
    assert answer.status_code == status
    if said is None:
        assert answer.json() == {"success": True}
    else:
        assert answer.headers["content-type"] == "application/json"
        assert said in answer.json()["error"]["message"]
        assert answer.json()["error"]["statusCode"] == status


@pytest.mark.seed("A1", "A2")
@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 200), (b"{", 400), (b"\xff", 400), (b"[" * 100_000, 400), (b"[{}]", 422), (b"7", 422),
     (b"null", 422), (b'"x"', 422)],
    ids=["none", "half", "no UTF-8", "deep", "array", "number", "null", "text"],
)  # fmt: skip
@pytest.mark.parametrize("route", ["/events", "/event-bridge/events"])
async def test_typed_routes_take_any_object_and_nothing_else(http, app, route, body, status):
    answer = await http.post(f"{route}/ORDER_PLACED", content=body)
    assert answer.status_code == status
    assert len(await events_of(app)) == (status == 200)


@pytest.mark.seed("A3")
async def test_only_what_is_plainly_an_envelope_is_unwrapped(http, app):
    bodies = [{"type": "OTHER", "data": {"n": 1}}, {"detail-type": "X", "n": 2}, {"detail": {}}]
    for body in bodies:
        assert (await http.post("/event-bridge/events/ORDER_PLACED", json=body)).status_code == 200
    stored = [json.loads(bytes(one.event.data)) for one in reversed(await events_of(app))]
    assert stored == bodies


@pytest.mark.seed("A1")
async def test_an_unknown_type_may_be_accepted_by_configuration():
    arc = ArcSettings(accept_unknown=True)
    async with running(arc=arc) as app, client_of(application(app)) as http:
        answer = await http.post("/events/NO_SUCH_TYPE", json={"n": 1})
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        (stored,) = await events_of(app)
        assert stored.event.type == "NO_SUCH_TYPE"


@pytest.mark.seed("A1", "A2")
@pytest.mark.parametrize("route", ["/events/NO_SUCH_TYPE", "/event-bridge/events/NO_SUCH_TYPE"])
async def test_unknown_types_are_counted_and_logged(http, capsys, route):
    await http.post(route, json={})
    assert "event.unhandled" in capsys.readouterr().out
    assert "ostinato_events_unhandled_total 1.0" in (await http.get("/metrics")).text


@pytest.mark.seed("A2")
async def test_the_bridge_may_be_opened_to_strangers_by_its_name(app):
    for anonymous, status in [((), 401), (("post_bridge_event",), 200)]:
        auth = AuthSettings(anonymous=anonymous)
        async with running(auth=auth) as app:
            far = client_of(application(app), client="203.0.113.7", base="http://flows.example")
            async with far as http:
                answer = await http.post("/event-bridge/events/ORDER_PLACED", json={"n": 1})
                assert answer.status_code == status


@pytest.mark.seed("A1", "B.8-12")
@pytest.mark.parametrize("type", ["trigger", "mapping", "count"])
async def test_a_type_that_is_a_route_of_its_own_goes_by_the_bridge(http, app, type):
    answer = await http.post(f"/event-bridge/events/{type}", json={"n": 1})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (stored,) = await events_of(app)
    assert stored.event.type == type


@pytest.mark.parametrize("segment", ["mapping", "count"])
async def test_a_reserved_segment_is_no_event_type(http, app, segment):
    assert (await http.post(f"/events/{segment}", json={})).status_code == 404
    assert await events_of(app) == []


async def test_an_event_type_in_the_path_is_plain(http):
    assert (await http.post("/events/a%20b", json={})).status_code == 422
    assert (await http.post("/events/" + "x" * 129, json={})).status_code == 422


@pytest.mark.seed("A4", "B.8-12")
async def test_a_task_event_is_triggered(http, app):
    answer = await http.post("/events/trigger", json=TASK)
    assert (answer.status_code, answer.content) == (204, b"")
    (stored,) = await events_of(app)
    assert (stored.event.type, stored.event.source) == ("ORDER_PLACED", "shop")
    assert stored.event.description == "d"


@pytest.mark.seed("A4")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "NOBODY", "payload": {}}, 204),
        ({"key": "BROKEN", "payload": {}}, 500),
        ({"key": "K"}, 422),
        ({"key": "K", "payload": {}, "timestamp": 1}, 422),
    ],
)
async def test_triggering_answers_as_the_seed(http, body, status):
    assert (await http.post("/events/trigger", json=body)).status_code == status


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/events/BROKEN", {}),
        ("/event-bridge/events/BROKEN", {}),
        ("/events/trigger", {"key": "BROKEN", "payload": {}}),
    ],
)
async def test_who_prefers_not_to_wait_does_not(http, app, route, body):
    answer = await http.post(route, json=body, headers={"prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.json()["runs"] == [run.run_id for run in await runs_of(app)]


async def test_typed_routes_do_not_wait_for_what_waits(http):
    answer = await asyncio.wait_for(http.post("/events/LONG", json={}), 5)
    assert answer.status_code == 200


# -- reading


@pytest.mark.seed("A5")
async def test_stored_events_carry_both_sets_of_names(http, app):
    await http.post("/events/trigger", json=TASK | {"id": "t-1"})
    (item,) = (await http.get("/events")).json()
    assert item == (await http.get("/events/t-1")).json()
    assert (item["type"], item["data"]) == (item["key"], item["payload"])
    assert item["description"] == "d"
    assert isinstance(item["timestamp"], int)
    assert item["runs"] == [run.run_id for run in await runs_of(app)]


@pytest.mark.seed("A5")
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 3),
        ({"type": "A"}, 2),
        ({"key": "A"}, 2),
        ({"where": '{"key": "A"}'}, 2),
        ({"where": '{"source": "nobody"}'}, 0),
    ],
)
async def test_events_are_counted(http, query, count):
    await http.post("/events", json=[{"type": "A"}, {"type": "A"}, {"type": "B"}])
    assert (await http.get("/events/count", params=query)).json() == {"count": count}
    assert len((await http.get("/events", params=query)).json()) == count


async def test_loopback_filters_are_understood_or_refused(http):
    await http.post("/events", json=[{"type": "A"}, {"type": "A"}, {"type": "B"}])
    params = {"filter": '{"where": {"key": "A"}, "limit": 1}'}
    assert len((await http.get("/events", params=params)).json()) == 1
    for refused in ('{"order": "key DESC"}', '{"where": {"key": {"like": "A"}}}', "[]", "{"):
        answer = await http.get("/events", params={"filter": refused})
        assert answer.status_code == 422, refused


async def test_an_event_is_picked_by_its_source(http):
    for source in ("/a", "/b"):
        await http.post("/events", json=CLOUD | {"source": source})
    answer = await http.get("/events/c-1", params={"source": "/b"})
    assert answer.json()["source"] == "/b"
    assert (await http.get("/events/c-1", params={"source": "/c"})).status_code == 404


async def test_an_id_may_hold_a_slash(http):
    await http.post("/events", json=CLOUD | {"id": "topic/0/17"})
    assert (await http.get("/events/topic%2F0%2F17")).json()["id"] == "topic/0/17"


async def test_who_leaves_amid_a_body_has_sent_nothing(app, door):
    came = [{"type": "http.request", "body": b'{"type":', "more_body": True}]
    sent = []

    async def receive():
        return came.pop() if came else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/events", "headers": [],
        "client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 8085),
    }  # fmt: skip
    await door(scope, receive, send)
    assert sent == []
    assert await events_of(app) == []
