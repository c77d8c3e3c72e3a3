"""Who may do what: the operator on this machine, holders of keys, everyone else."""

from contextlib import asynccontextmanager

import pytest

from ostinato.config import ApiKey, AuthSettings
from ostinato.errors import SettingsError
from ostinato.web.asgi import TABLE, application
from ostinato.web.auth import PERMISSIONS
from ostinato.web.operation import KNOWN, PUBLIC
from tests.web.conftest import LOCAL, client_of, events_of, running, token_of

FAR = "203.0.113.7"


def key(secret, *permissions):
    return ApiKey.of(secret, secret, *permissions)


@asynccontextmanager
async def guarded(host="127.0.0.1", keys=(), anonymous=(), **client):
    """A client of a door whose settings say who may call."""
    auth = AuthSettings(keys=keys, anonymous=anonymous)
    async with running(host=host, auth=auth) as app, client_of(application(app), **client) as http:
        yield http


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("operation", TABLE.operations, ids=lambda one: f"{one.method}{one.path}")
async def test_from_afar_only_what_is_public_needs_no_key(door, operation):
    path = operation.path.replace("{", "").replace("}", "")
    async with client_of(door, client=FAR, base="http://flows.example") as http:
        answer = await http.request(operation.method, path)
    if operation.may == PUBLIC:
        asked = answer.headers.get("www-authenticate", "")
        assert answer.status_code != 401 or asked.startswith("Basic")  # a password of its own
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["error"]["name"] == "UnauthorizedError"


def test_every_permission_is_in_the_table():
    asked = {operation.may for operation in TABLE.operations} - {PUBLIC, KNOWN}
    assert asked == PERMISSIONS.keys()


@pytest.mark.parametrize(
    ("permission", "path", "status"),
    [
        ("*", "/runs", 200),
        ("run:read", "/runs", 200),
        ("event:read", "/runs", 403),
        ("event:read", "/events", 200),
        ("16002", "/events", 200),
        ("16007", "/events", 403),
        ("ViewWorkflow", "/workflows", 200),
        ("1", "/workflows", 200),
        ("workflow:read", "/workflows", 200),
        ("2", "/workflows", 403),
        ("event:read", "/openapi.json", 200),
    ],
)
async def test_a_key_may_what_it_holds_under_either_name(permission, path, status):
    keys = (key("other"), key("secret", permission))
    async with guarded(keys=keys, client=FAR, base="http://flows.example") as http:
        answer = await http.get(path, headers=bearer("secret"))
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["error"]["name"] == "ForbiddenError"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic c2VjcmV0", "secret"])
async def test_what_is_no_known_key_is_401(header):
    async with guarded(keys=(key("secret"),), client=FAR) as http:
        answer = await http.get("/runs", headers={"authorization": header})
    assert answer.status_code == 401


async def test_a_wrong_key_is_refused_on_this_machine_as_well(http):
    assert (await http.get("/runs", headers=bearer("wrong"))).status_code == 401


@pytest.mark.parametrize(
    ("bind", "client", "headers", "status"),
    [
        ("127.0.0.1", "127.0.0.1", {}, 200),
        ("localhost", "::1", {}, 200),
        ("0.0.0.0", "127.0.0.1", {}, 401),  # noqa: S104 - nothing is bound here
        ("192.0.2.1", "127.0.0.1", {}, 401),
        ("127.0.0.1", FAR, {}, 401),
        ("127.0.0.1", "testclient", {}, 401),
        ("127.0.0.1", "127.0.0.1", {"x-forwarded-for": FAR}, 401),
        ("127.0.0.1", "127.0.0.1", {"forwarded": f"for={FAR}"}, 401),
        ("127.0.0.1", "127.0.0.1", {"host": "localhost:8085"}, 200),
        ("127.0.0.1", "127.0.0.1", {"host": "[::1]:8085"}, 200),
        ("127.0.0.1", "127.0.0.1", {"host": "evil.example"}, 403),
        ("127.0.0.1", "127.0.0.1", {"host": "127.0.0.1.evil.example"}, 403),
        ("127.0.0.1", "127.0.0.1", {"host": "[::1"}, 403),
    ],
)
async def test_only_this_machine_is_the_operator(bind, client, headers, status):
    async with guarded(host=bind, client=client) as http:
        assert (await http.get("/runs", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"origin": LOCAL}, 202),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": LOCAL}, 202),
    ],
)
async def test_a_page_of_another_site_is_not_the_operator(http, app, headers, status):
    answer = await http.post("/events", json={"type": "T"}, headers=headers)
    assert answer.status_code == status
    assert bool(await events_of(app)) == (status == 202)


async def test_settings_open_routes_by_name():
    async with guarded(anonymous=("post_bridge_event",), client=FAR) as http:
        assert (await http.post("/event-bridge/events/T", json={})).status_code == 200
        assert (await http.post("/events/T", json={})).status_code == 401


async def test_a_name_that_is_no_route_opens_nothing_silently():
    with pytest.raises(SettingsError, match="did you mean 'post_bridge_event'"):
        async with guarded(anonymous=("post_brigde_event",)):
            pass


async def test_callbacks_need_their_token_only(app, door):
    token = await token_of(app, (await app.start_run("slow", {})).id)
    async with client_of(door, client=FAR) as http:
        assert (await http.post(f"/callbacks/{token}", json={})).status_code == 204


async def test_who_cancelled_is_recorded():
    async with guarded(keys=(key("robot"),), client=FAR) as http:
        await http.post("/runs", json={"workflow": "slow"}, headers=bearer("robot"))
        await http.post("/runs/last/cancel", json={"why": "x"}, headers=bearer("robot"))
        facts = (await http.get("/runs/last/history", headers=bearer("robot"))).json()
    (cancelling,) = [fact for fact in facts if fact["type"] == "run.cancelling"]
    assert (cancelling["by"], cancelling["why"]) == ("robot", "x")
