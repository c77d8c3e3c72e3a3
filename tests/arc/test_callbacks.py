"""The control plane's webhook: who is believed, who is not, and what the others are told."""

import asyncio
from datetime import timedelta

import pytest

from ostinato.app import App
from ostinato.config import ArcSettings, Settings
from ostinato.ports import EventQuery, Page
from tests.arc.planes import MASTER, Plane, compact, signed, told
from tests.stage import crash, reached

pytestmark = pytest.mark.seed("A73")


async def status_of(run):
    return (await run.view()).status


async def is_open(run):
    return await status_of(run) in ("running", "waiting")


async def refused(answer):
    """As whoever is not believed is told: nothing."""
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "Unauthorized")
    assert answer.json()["detail"] == "Unauthorized"
    return True


@pytest.mark.seed("B.8-1", "B.8-18")
async def test_a_signed_webhook_ends_the_run_that_waits(plane):
    run = await plane.onboard()
    answer = await plane.call()
    assert (answer.status_code, answer.content) == (204, b"")
    output = await run.result(5)
    assert output == told()["data"]


@pytest.mark.seed("B.8-18")
async def test_a_failure_fails_the_run(plane):
    run = await plane.onboard()
    assert (await plane.call(status=0)).status_code == 204
    await plane.app.wait_ended(run.id, 5)
    assert await status_of(run) == "failed"


async def test_bytes_count_first_and_then_what_javascript_writes_of_them(plane):
    """Older senders sign the compact text, and send it with spaces."""
    run = await plane.onboard()
    issued, said = await plane.issued(), told()
    headers = signed(issued, compact(said), plane.app.now())
    spaced = b' {"initiatorId" : "t-1", "type": 0,\n "data": ' + compact(said["data"]) + b" }"
    assert (await plane.post("/webhook", spaced, headers)).status_code == 204
    assert await status_of(run) == "succeeded"
    await plane.onboard()
    issued = await plane.issued()
    headers = signed(issued, spaced, plane.app.now())
    assert (await plane.post("/webhook", spaced, headers)).status_code == 204


@pytest.mark.seed("B.8-2")
@pytest.mark.parametrize(
    ("off", "status"), [(20_000, 204), (-20_000, 204), (20_001, 401), (-20_001, 401)]
)
async def test_a_timestamp_may_be_off_by_20_seconds(plane, off, status):
    await plane.onboard()
    assert (await plane.call(at=plane.app.now() + off)).status_code == status


async def test_how_far_it_may_be_off_is_a_setting(begun):
    async with begun(tolerance=timedelta(seconds=5)) as plane:
        await plane.onboard()
        assert await refused(await plane.call(at=plane.app.now() - 5001))
        assert (await plane.call(at=plane.app.now() - 5000)).status_code == 204


NOT_TO_BE_BELIEVED = {
    "another signature": lambda headers, body: ({**headers, "x-signature": "0" * 64}, body),
    "a shorter one": lambda headers, body: ({**headers, "x-signature": "00"}, body),
    "one that is no ASCII": lambda headers, body: ({**headers, "x-signature": b"\xc3\xbc"}, body),
    "none": lambda headers, body: ({"x-timestamp": headers["x-timestamp"]}, body),
    "no time": lambda headers, body: ({"x-signature": headers["x-signature"]}, body),
    "a time in words": lambda headers, body: ({**headers, "x-timestamp": "now"}, body),
    "a very long time": lambda headers, body: ({**headers, "x-timestamp": "9" * 400}, body),
    "a broken time": lambda headers, body: ({**headers, "x-timestamp": "1e3"}, body),
    "another status": lambda headers, body: (headers, body.replace(b's":1', b's":0')),
    "another tenant": lambda headers, body: (headers, body.replace(b"t-1", b"t-2")),
    "half a body": lambda headers, body: (headers, b"{"),
    "no UTF-8": lambda headers, body: (headers, b"\xff\xfe"),
    "no body": lambda headers, body: (headers, b""),
    "a deep body": lambda headers, body: (headers, b"[" * 50_000),
    "a number": lambda headers, body: (headers, b'{"initiatorId": 7, "type": 0}'),
    "a NUL": lambda headers, body: (headers, body.replace(b"t-1", b"t\\u0000")),
    "a very long tenant": lambda headers, body: (headers, body.replace(b"t-1", b"t" * 90_000)),
    "a type in words": lambda headers, body: (headers, b'{"initiatorId": "t-1", "type": "0"}'),
}


@pytest.mark.parametrize("change", NOT_TO_BE_BELIEVED.values(), ids=NOT_TO_BE_BELIEVED)
async def test_what_is_not_to_be_believed_is_told_nothing(plane, capsys, change):
    run = await plane.onboard()
    body = compact(told())
    headers, body = change(signed(await plane.issued(), body, plane.app.now()), body)
    assert await refused(await plane.post("/webhook", body, headers))
    assert await is_open(run)
    assert "callback.refused" in capsys.readouterr().out  # with its reason


async def test_a_context_of_another_run_does_not_fit(plane):
    await plane.onboard("t-1")
    await plane.onboard("t-2")
    assert await refused(await plane.call("t-1", issued=await plane.issued("t-2")))


async def test_nobody_waits_for_an_unknown_initiator(plane):
    await plane.onboard()
    issued = await plane.issued()
    assert await refused(await plane.call("nobody", issued=issued))


async def test_one_that_came_counts_once(plane):
    run = await plane.onboard()
    issued = await plane.issued()
    assert (await plane.call(issued=issued)).status_code == 204
    assert await refused(await plane.call(issued=issued))
    assert await refused(await plane.call(issued=issued, status=0))
    assert await status_of(run) == "succeeded"


async def test_by_choice_it_may_come_again_and_changes_nothing(begun):
    async with begun(single_use=False) as plane:
        run = await plane.onboard()
        issued = await plane.issued()
        for status in (1, 1, 0):
            assert (await plane.call(issued=issued, status=status)).status_code == 204
        assert await status_of(run) == "succeeded"
        plane.jump(20 * 60 + 1)
        assert await refused(await plane.call(issued=issued))


@pytest.mark.seed("A76", "B.8-18")
async def test_a_secret_is_good_for_20_minutes(plane):
    await plane.onboard()
    issued = await plane.issued()
    plane.jump(20 * 60 + 1)
    assert await refused(await plane.call(issued=issued))


@pytest.mark.seed("B.8-18")
async def test_a_late_webhook_finds_a_tenant_that_has_failed(begun):
    async with begun(secret_expiry=timedelta(hours=9)) as plane:
        run = await plane.onboard()
        issued = await plane.issued()
        plane.jump(30 * 60 + 1)
        view = await plane.app.wait_ended(run.id, 5)
        assert (view.status, view.error.name) == ("failed", "Timeout")
        assert await refused(await plane.call(issued=issued))


@pytest.mark.seed("A76")
async def test_a_secret_has_32_hex_digits_and_its_context_is_a_uuid(plane):
    await plane.onboard("t-1")
    await plane.onboard("t-2")
    one, other = await plane.issued("t-1"), await plane.issued("t-2")
    assert len(one.secret) == 32 and int(one.secret, 16)
    assert [len(part) for part in one.context.split("-")] == [8, 4, 4, 4, 12]
    assert one.secret != other.secret and one.context != other.context


@pytest.mark.seed("A76")
async def test_a_secret_outlives_a_crash_and_is_there_before_the_event(stage, begun):
    """The webhook comes while the event has not even left."""
    app = stage.app(arc=ArcSettings(secret=MASTER))
    plane = Plane(stage, app)
    await app.__aenter__()
    run = await plane.onboard()
    issued = await plane.issued()
    await crash(app)
    async with begun() as again:
        assert await again.issued() == issued
        assert (await again.call(issued=issued)).status_code == 204
        assert (await again.app.wait_ended(run.id, 5)).status == "succeeded"


@pytest.mark.seed("A76")
async def test_neither_store_nor_event_holds_the_secret(plane):
    run = await plane.onboard()
    issued = await plane.issued()
    await reached(plane.app, run.id, "job.waiting")
    records = await plane.app.storage.history(run.id, -1, None)
    events = await plane.app.events(EventQuery(type="TENANT_PROVISIONING"), Page())
    kept = [record.data for record in records] + [bytes(events[0].event.data)]
    assert issued.context.encode() in kept[-1]
    assert not any(issued.secret.encode() in one for one in kept)


@pytest.mark.seed("A76")
async def test_a_request_that_is_made_again_is_the_same_event(plane):
    """An attempt that died after it had sent is tried again: under this id it counts once."""
    run = await plane.onboard()
    await reached(plane.app, run.id, "job.waiting")
    [stored] = await plane.app.events(EventQuery(type="TENANT_PROVISIONING"), Page())
    assert (stored.event.id, stored.event.subject) == (f"{run.id}:provision/webhook", "t-1")


@pytest.mark.seed("A76")
async def test_by_choice_the_event_carries_it_for_who_knows_no_master(begun):
    async with begun(send_secret=True) as plane:
        run = await plane.onboard()
        issued = await plane.issued()
        await reached(plane.app, run.id, "job.waiting")
        [stored] = await plane.app.events(EventQuery(type="TENANT_PROVISIONING"), Page())
        assert issued.secret.encode() in bytes(stored.event.data)


async def test_without_a_master_nothing_is_asked_for_and_it_says_what_to_set(stage, begun):
    app = stage.app()
    plane = Plane(stage, app)
    async with app:
        run = await plane.onboard()
        view = await app.wait_ended(run.id, 5)
        assert view.status == "failed"
        assert "OSTINATO_ARC__SECRET" in view.error.message


@pytest.mark.seed("A77")
async def test_a_type_without_handler_is_422_and_keeps_the_run_waiting(plane):
    run = await plane.onboard()
    answer = await plane.call(type=7)
    assert answer.status_code == 422
    assert "type 7" in answer.json()["detail"]
    assert await is_open(run)


@pytest.mark.seed("A77")
async def test_handlers_are_registered_by_their_number(plane):
    seen = []

    @plane.arc.on_webhook(7)
    async def seven(webhook):
        seen.append((webhook.initiator_id, webhook.type, webhook.data["status"]))
        await webhook.finish({"status": 1, "by": "seven"})

    run = await plane.onboard()
    assert (await plane.call(type=7)).status_code == 204
    assert seen == [("t-1", 7, 1)]
    assert (await run.result(5))["by"] == "seven"


async def test_a_status_that_is_none_is_refused_and_said(plane):
    run = await plane.onboard()
    answer = await plane.call(status=2)
    assert (answer.status_code, await is_open(run)) == (422, True)
    assert "data.status is 0 (failure) or 1 (success)" in answer.json()["detail"]


async def test_the_headers_may_have_other_names(begun):
    names = {"signature_header": "X-Plane-Signature", "timestamp_header": "X-Plane-Time"}
    async with begun(**names) as plane:
        await plane.onboard()
        body = compact(told())
        usual = signed(await plane.issued(), body, plane.app.now())
        assert await refused(await plane.post("/webhook", body, usual))
        other = {"X-Plane-Signature": usual["x-signature"], "X-Plane-Time": usual["x-timestamp"]}
        assert (await plane.post("/webhook", body, other)).status_code == 204


@pytest.fixture
def seventh():
    """Counts what the handler of type 7 is called with; that does not end the job."""

    def seventh(plane):
        calls = []

        @plane.arc.on_webhook(7)
        async def seven(webhook):
            calls.append(webhook.data)

        return calls

    return seventh


async def test_a_call_that_is_played_again_counts_once_whatever_its_handler_does(plane, seventh):
    calls = seventh(plane)
    run = await plane.onboard()
    issued = await plane.issued()
    body = compact(told(type=7))
    headers = signed(issued, body, plane.app.now())
    assert (await plane.post("/webhook", body, headers)).status_code == 204
    for again in (headers, {**headers, "x-signature": f"{headers['x-signature']} more"}):
        for text in (body, body.replace(b",", b", ")):
            assert await refused(await plane.post("/webhook", text, again))
    assert len(calls) == 1
    later = signed(issued, body, plane.app.now() + 1)  # the same thing, said again
    assert (await plane.post("/webhook", body, later)).status_code == 204
    assert (len(calls), await is_open(run)) == (2, True)


async def test_a_call_that_is_played_twice_at_once_counts_once(plane, seventh):
    calls = seventh(plane)
    await plane.onboard()
    body = compact(told(type=7))
    headers = signed(await plane.issued(), body, plane.app.now())
    both = await asyncio.gather(*[plane.post("/webhook", body, headers) for _ in range(2)])
    assert sorted(answer.status_code for answer in both) == [204, 401]
    assert len(calls) == 1


async def test_a_call_that_came_before_a_crash_has_come(stage, begun, seventh):
    app = stage.app(arc=ArcSettings(secret=MASTER))
    plane = Plane(stage, app)
    first = seventh(plane)
    await app.__aenter__()
    await plane.onboard()
    body = compact(told(type=7))
    headers = signed(await plane.issued(), body, plane.app.now() + 20_000)  # its clock is ahead
    assert (await plane.post("/webhook", body, headers)).status_code == 204
    await crash(app)
    async with begun() as again:
        second = seventh(again)
        again.jump(40)
        assert await refused(await again.post("/webhook", body, headers))
    assert (len(first), len(second)) == (1, 0)


async def test_what_has_come_is_forgotten_when_it_is_too_old_anyway(plane, seventh):
    seventh(plane)
    await plane.onboard()
    assert (await plane.call(type=7)).status_code == 204
    plane.jump(101)
    await plane.app.clean()
    assert await plane.app.storage.expired_replies(2**62, 10) == []


async def test_by_choice_a_call_of_any_type_may_be_played_again(begun, seventh):
    async with begun(single_use=False) as plane:
        calls = seventh(plane)
        await plane.onboard()
        issued = await plane.issued()
        for _ in range(2):
            assert (await plane.call(issued=issued, type=7)).status_code == 204
        assert len(calls) == 2


async def test_who_guesses_is_kept_waiting_and_others_are_not(begun):
    async with begun(attempts=3) as plane:
        await plane.onboard()
        body = compact(told())
        wrong = {"x-signature": "0" * 64, "x-timestamp": str(plane.app.now())}
        said = [await plane.post("/webhook", body, wrong, client="10.0.0.9") for _ in range(5)]
        assert [one.status_code for one in said] == [401, 401, 401, 429, 429]
        assert said[-1].headers["retry-after"] == "60"
        assert (await plane.call()).status_code == 204  # from another address
        await plane.onboard()
        plane.jump(61)
        answer = await plane.post("/webhook", body, wrong, client="10.0.0.9")
        assert answer.status_code == 401
        assert (await plane.call()).status_code == 204


async def test_behind_a_proxy_strangers_keep_nobody_from_calling(begun):
    """All have its address: what fits is believed, however many did not."""
    async with begun(attempts=3) as plane:
        for tenant in ("t-1", "t-2"):
            await plane.onboard(tenant)
        wrong = {"x-signature": "0" * 64, "x-timestamp": str(plane.app.now())}
        for body in (b"{}", compact(told("t-1"))):
            said = [(await plane.post("/webhook", body, wrong)).status_code for _ in range(4)]
            assert said == [401, 401, 401, 429]
        assert await refused(await plane.post("/webhook", compact(told("t-2")), wrong))
        for tenant in ("t-1", "t-2"):
            assert (await plane.call(tenant)).status_code == 204


async def test_calls_that_are_believed_do_not_count(begun):
    async with begun(attempts=2) as plane:
        for number in range(5):
            await plane.onboard(f"t-{number}")
            assert (await plane.call(f"t-{number}")).status_code == 204


async def test_a_caller_from_afar_needs_no_key(plane):
    await plane.onboard()
    body = compact(told())
    headers = signed(await plane.issued(), body, plane.app.now())
    answer = await plane.post("/webhook", body, headers, client="203.0.113.7")
    assert answer.status_code == 204


async def test_two_runs_of_one_tenant_are_told_apart(begun):
    """The first has failed; its orchestrator's late call does not end the second."""
    async with begun(secret_expiry=timedelta(hours=9)) as plane:
        first = await plane.onboard()
        before = await plane.issued()
        plane.jump(30 * 60 + 1)
        await plane.app.wait_ended(first.id, 5)
        second = await plane.onboard()
        assert await refused(await plane.call(issued=before))
        assert await is_open(second)
        assert (await plane.call()).status_code == 204
        assert await status_of(second) == "succeeded"


async def test_of_several_stores_the_one_that_has_the_tenant_is_found(tmp_path, seventh):
    stores = tuple(f"sqlite:///{tmp_path}/{number}.db" for number in range(2))
    app = App(Settings(store=stores, arc=ArcSettings(secret=MASTER)))
    plane = Plane(None, app)
    async with app:
        runs = [await plane.onboard(f"t-{number}") for number in range(6)]
        calls = seventh(plane)
        for number in range(6):
            issued, at = await plane.issued(f"t-{number}"), app.now()
            call = [await plane.call(f"t-{number}", issued=issued, at=at, type=7) for _ in "12"]
            assert [answer.status_code for answer in call] == [204, 401]
        assert len(calls) == 6
        for number in range(6):
            assert (await plane.call(f"t-{number}")).status_code == 204
        assert [(await app.wait_ended(run.id, 10)).status for run in runs] == ["succeeded"] * 6
        await plane.arc.tenants.put("t-1", {"tier": "basic"})
        assert await plane.arc.tenants.get("t-1") == {"tier": "basic"}


@pytest.mark.parametrize("status", [True, False, "1", 2, None, 1.0])
async def test_a_status_is_0_or_1(plane, status):
    run = await plane.onboard()
    assert (await plane.call(status=status)).status_code == 422
    assert await is_open(run)
