"""The webhook that goes out: signed for each attempt, tried again while it may help."""

import msgspec
import pytest

from ostinato.arc.secrets import secret_of
from ostinato.errors import SignatureError
from ostinato.signing import verify_arc
from tests.stage import reached

pytestmark = pytest.mark.seed("A74")

SECRET, CONTEXT = "00112233445566778899aabbccddeeff", "ctx-1"


def document(url, **more):
    told = {"initiator": "t-1", "status": 1, "app_plane_url": "https://ä.example", "url": url}
    job = {"job": "told", "run": "arc.tell", "with": told | more}
    retry = {"attempts": 3, "delay": "1s", "jitter": 0}
    return {
        "workflow": "tell", "on": [{"event": "TENANT_PROVISIONING"}],
        "phases": [{"phase": "tell", "jobs": [job | {"retry": retry}]}],
    }  # fmt: skip


@pytest.fixture
async def telling(begun, received):
    """Start the job for a request; the run."""
    async with begun({"transport": None}) as plane:
        await plane.app.deploy(document(received.url))

        async def tell(**request):
            accepted = await plane.app.emit("TENANT_PROVISIONING", request)
            return accepted.runs[0]

        tell.plane = plane
        yield tell


async def ended(telling, run):
    return await telling.plane.app.wait_ended(run, 10)


async def test_it_is_signed_with_what_the_request_gave(telling, received):
    run = await telling(secret=SECRET, context=CONTEXT)
    assert (await ended(telling, run)).status == "succeeded"
    [(headers, body)] = received.calls
    verify_arc(SECRET, body, headers, CONTEXT, now=telling.plane.app.now())
    with pytest.raises(SignatureError):
        verify_arc(SECRET, body, headers, now=telling.plane.app.now())
    said = msgspec.json.decode(body)
    data = {"status": 1, "resources": [], "appPlaneUrl": "https://ä.example"}
    assert said == {"initiatorId": "t-1", "type": 0, "data": data}
    assert b"\\u" not in body and b": " not in body


async def test_a_context_alone_is_enough_where_the_master_is_shared(telling, received):
    run = await telling(builderConfig={"config": {"environmentOverride": {"context": CONTEXT}}})
    assert (await ended(telling, run)).status == "succeeded"
    [(headers, body)] = received.calls
    secret = secret_of(telling.plane.app.settings, CONTEXT)
    verify_arc(secret, body, headers, CONTEXT, now=telling.plane.app.now())


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_any_2xx_is_success_also_without_a_body(telling, received, status):
    received.answers.append((status, b""))
    run = await telling(secret=SECRET, context=CONTEXT)
    assert (await ended(telling, run)).status == "succeeded"


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_what_may_pass_is_tried_again_and_signed_anew(telling, received, status):
    received.answers += [(status, b""), (204, b"")]
    run = await telling(secret=SECRET, context=CONTEXT)
    plane = telling.plane
    await reached(plane.app, run, "job.retried")
    plane.jump(60)
    assert (await ended(telling, run)).status == "succeeded"
    times = [int(headers["x-timestamp"]) for headers, _ in received.calls]
    assert times[1] - times[0] == 60_000
    headers, body = received.calls[1]
    verify_arc(SECRET, body, headers, CONTEXT, now=plane.app.now())


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refusal_is_final(telling, received, status):
    received.answers.append((status, b""))
    view = await ended(telling, await telling(secret=SECRET, context=CONTEXT))
    assert (view.status, view.error.name) == ("failed", "CallRefused")
    assert str(status) in view.error.message
    assert len(received.calls) == 1


async def test_who_does_not_answer_is_asked_again(telling, received):
    url = received.url
    received.close()
    plane = telling.plane
    run = await telling(secret=SECRET, context=CONTEXT)
    for number in range(2):
        await reached(plane.app, run, "job.retried", count=number + 1)
        plane.jump(60)
    view = await ended(telling, run)
    assert (view.status, view.error.name) == ("failed", "CallFailed")
    assert url in view.error.message


async def test_a_request_without_context_has_nobody_who_waits(telling, received):
    view = await ended(telling, await telling(tenant={"id": "t-1"}))
    assert (view.error.name, received.calls) == ("NoContext", [])


@pytest.mark.seed("B.8-18")
async def test_the_door_here_takes_what_is_told_here(begun):
    """Both planes in one app: the request goes round, and comes back signed."""
    async with begun() as plane:
        await plane.app.deploy(document(None))
        run = await plane.onboard()
        assert (await run.result(10))["status"] == 1
