"""Who may do what: the operator on this machine, holders of keys, everyone else."""

import hashlib

import pytest

from ostinato.web.asgi import TABLE, application
from ostinato.web.auth import PERMISSIONS, Key
from ostinato.web.operation import KNOWN, PUBLIC
from tests.web.conftest import LOCAL, client_of

FAR = "203.0.113.7"


def key(secret, *permissions):
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return Key(secret, digest, frozenset(permissions or ("*",)))


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("operation", TABLE.operations, ids=lambda one: f"{one.method}{one.path}")
async def test_from_afar_only_what_is_public_needs_no_key(app, operation):
    door = application(app, bind="0.0.0.0")  # noqa: S104 - nothing is bound here
    path = operation.path.replace("{", "").replace("}", "")
    async with client_of(door, client=FAR, base="http://flows.example") as http:
        answer = await http.request(operation.method, path)
    if operation.may == PUBLIC:
        assert answer.status_code != 401
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["error"]["name"] == "UnauthorizedError"


def test_every_permission_is_in_the_table():
    asked = {operation.may for operation in TABLE.operations} - {PUBLIC, KNOWN}
    assert asked == PERMISSIONS.keys() - {"run:write"} | (asked & {"run:write"})


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
async def test_a_key_may_what_it_holds_under_either_name(app, permission, path, status):
    door = application(app, keys=[key("other"), key("secret", permission)])
    async with client_of(door, client=FAR, base="http://flows.example") as http:
        answer = await http.get(path, headers=bearer("secret"))
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["error"]["name"] == "ForbiddenError"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic c2VjcmV0", "secret"])
async def test_what_is_no_known_key_is_401(app, header):
    door = application(app, keys=[key("secret")])
    async with client_of(door, client=FAR) as http:
        answer = await http.get("/runs", headers={"authorization": header})
    assert answer.status_code == 401


async def test_a_wrong_key_is_refused_on_this_machine_as_well(http):
    assert (await http.get("/runs", headers=bearer("wrong"))).status_code == 401


@pytest.mark.parametrize(
    ("bind", "client", "headers", "status"),
    [
        (None, "127.0.0.1", {}, 200),
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
async def test_only_this_machine_is_the_operator(app, bind, client, headers, status):
    async with client_of(application(app, bind=bind), client=client) as http:
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
    assert bool(app.kept) == (status == 202)


async def test_settings_open_routes_by_name(app):
    door = application(app, anonymous=["post_bridge_event"])
    async with client_of(door, client=FAR) as http:
        assert (await http.post("/event-bridge/events/T", json={})).status_code == 200
        assert (await http.post("/events/T", json={})).status_code == 401


def test_a_name_that_is_no_route_opens_nothing_silently(app):
    with pytest.raises(ValueError, match="post_brigde_event"):
        application(app, anonymous=["post_brigde_event"])


async def test_callbacks_need_their_token_only(app):
    app.tokens["t"] = "open"
    async with client_of(application(app), client=FAR) as http:
        assert (await http.post("/callbacks/t", json={})).status_code == 204


async def test_who_cancelled_is_recorded(app):
    door = application(app, keys=[key("robot")])
    await app.start_run("slow", {})
    async with client_of(door, client=FAR) as http:
        await http.post("/runs/last/cancel", json={"why": "x"}, headers=bearer("robot"))
    assert app.facts["run-001"][-1]["by"] == "robot"
