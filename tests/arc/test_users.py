"""Callbacks that are signed without a context: the tenant's first user, and our own calls out."""

import httpx2
import pytest

from ostinato.app import Run
from ostinato.signing import verify_arc
from ostinato.web.asgi import application
from tests.arc.planes import compact, signed

pytestmark = pytest.mark.seed("A75")

ADA = {"tenant": {"id": "t-1", "identityProvider": "keycloak"}, "plan": {"tier": "basic"}}


async def called(plane, body, context="", issued=None):
    content = compact(body)
    issued = issued or await plane.issued()
    headers = signed(issued, content, plane.app.now(), context)
    return await plane.post("/manage/users", content, headers)


async def test_the_tenants_first_user_is_made_by_who_can(plane):
    @plane.arc.on_users
    async def users(tenant, plan):
        return f"{tenant['identityProvider']}-{plan['tier']}"

    await plane.onboard()
    answer = await called(plane, ADA)
    assert (answer.status_code, answer.json()) == (200, {"authId": "keycloak-basic"})


async def test_where_nobody_can_the_id_is_empty(plane):
    await plane.onboard()
    assert (await called(plane, ADA)).json() == {"authId": ""}


async def test_a_call_uses_up_nothing(plane):
    await plane.onboard()
    assert (await called(plane, ADA)).status_code == 200
    assert (await called(plane, ADA)).status_code == 200
    assert (await plane.call()).status_code == 204


@pytest.mark.parametrize(
    "body",
    [{"plan": {}}, {"tenant": {}}, {"tenant": "t-1"}, {"tenant": {"id": "t-2"}, "plan": {}}],
    ids=["no tenant", "no id", "a text", "another"],
)
async def test_who_names_no_tenant_that_is_waited_for_is_not_believed(plane, body):
    await plane.onboard()
    assert (await called(plane, body)).status_code == 401


async def test_a_signature_with_the_context_is_another_one(plane):
    await plane.onboard()
    issued = await plane.issued()
    assert (await called(plane, ADA, issued.context)).status_code == 401


async def test_without_a_control_plane_it_says_what_would_be_one(stage):
    app = stage.app()
    async with app:
        transport = httpx2.ASGITransport(app=application(app))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            answer = await http.post("/manage/users", content=b"{}")
    assert answer.status_code == 404
    assert "ControlPlane(app)" in answer.json()["detail"]


async def test_our_own_calls_have_that_signature(stage, begun, received):
    call = {"job": "call", "run": "arc.call", "with": {"url": received.url, "body": ADA}}
    document = {
        "workflow": "boot", "on": [{"event": "BOOT"}],
        "phases": [{"phase": "p", "jobs": [call]}], "output": "jobs.call.output",
    }  # fmt: skip
    secret = "00112233445566778899aabbccddeeff"
    async with begun({"transport": None}) as plane:
        await plane.app.deploy(document)
        received.answers.append((200, b'{"authId": "a-1"}'))
        accepted = await plane.app.emit("BOOT", {"tenant": {"id": "t-1"}, "secret": secret})
        assert await Run(plane.app, accepted.runs[0]).result(5) == {"authId": "a-1"}
        [(headers, body)] = received.calls
        verify_arc(secret, body, headers, now=plane.app.now())
