"""The control plane of the example in this process, with a clock by hand: every way it can end."""

import asyncio
import contextlib
import json
import runpy

import pytest

from ostinato.app import App
from ostinato.arc import TenantStatus
from ostinato.config import ArcSettings, Settings
from ostinato.ports import EventQuery, Page, RunQuery
from tests.arc.planes import Plane
from tests.examples.playing import EXAMPLES, sent
from tests.stage import Clock, Memory, Stage, crash, one_job, reached

pytestmark = pytest.mark.seed("A93", "B.8-18")

EXAMPLE = EXAMPLES / "saas_control_plane"
ACME = {"tenant": {"id": "acme", "name": "Acme"}, "plan": {"tier": "basic"}, "builder": "BY_HAND"}


class ByHand:
    """A builder that only reports: a test does."""

    def __init__(self):
        self.builds = []

    async def run(self, build):
        self.builds.append(build)


class Played(Plane):
    """The example's own app, on our store and clock, with a builder by hand."""

    def __init__(self, stage, app, arc, builder):
        self.stage, self.app, self.arc, self.builder = stage, app, arc, builder
        arc.transport = self._transport()
        arc.builders["BY_HAND"] = builder

    async def run_of(self, workflow, **query):
        found = await self.app.runs(RunQuery(workflow=workflow, **query), Page(1))
        return found[0].run_id if found else None

    async def built(self, number=0, **output):
        """Report a build that has begun."""
        await self.begun(number + 1)
        await self.app.answer(self.builder.builds[number].token, output=output)

    async def begun(self, count=1):
        async with asyncio.timeout(20):
            while len(self.builder.builds) < count:
                await asyncio.sleep(0)

    async def tenant(self):
        return await self.arc.status("acme", "onboarding", "offboarding")

    async def issued(self, tenant="acme"):
        return await super().issued(tenant)


@pytest.fixture
def stage():
    made = Stage(Memory())
    made.clock = Clock()
    return made


@pytest.fixture
def play(stage, monkeypatch):
    def made(builder):
        arc = ArcSettings(secret="of the example", username="shop", password="shop")
        settings = Settings(store="memory:", arc=arc)
        app = App(settings, storage=stage.place.store(), clock=stage.clock)
        monkeypatch.setattr("ostinato.App", lambda: app)
        names = runpy.run_path(str(EXAMPLE / "app.py"))
        for document in sorted(EXAMPLE.glob("*.yaml")):
            app.workflow_document(document)
        return Played(stage, app, names["arc"], builder)

    @contextlib.asynccontextmanager
    async def play(builder=None):
        played = made(builder or ByHand())
        async with played.app:
            yield played

    play.made = made
    return play


@pytest.fixture
async def plane(play):
    async with play() as played:
        yield played


async def ended(plane, run):
    return await plane.app.wait_ended(run.id, 20)


async def onboarded(plane):
    return await plane.app.start_run("onboarding", ACME)


async def test_success_is_active_and_every_stage_is_told(plane):
    run = await onboarded(plane)
    assert await plane.tenant() is TenantStatus.PROVISIONING
    await plane.built(status="succeeded", appPlaneUrl="https://a")
    view = await ended(plane, run)
    assert (view.status, await plane.tenant()) == ("succeeded", TenantStatus.ACTIVE)
    for type in ("TENANT_DEPLOYMENT_SUCCESS", "TENANT_PROVISIONING_SUCCESS"):
        assert await sent(plane.app, type) == [{"tenantId": "acme"}]
    [said] = await sent(plane.app, "TENANT_STATUS")
    assert said == {"tenantId": "acme", "status": 0, "appPlaneUrl": "https://a"}


async def test_a_failed_build_is_provision_failed(plane):
    run = await onboarded(plane)
    await plane.built(status="failed", reason="no room")
    await ended(plane, run)
    assert await plane.tenant() is TenantStatus.PROVISIONFAILED
    [failure] = await sent(plane.app, "TENANT_PROVISIONING_FAILURE")
    assert failure["tenantId"] == "acme"
    assert [one["status"] for one in await sent(plane.app, "TENANT_STATUS")] == [3]


async def test_an_order_that_lacks_its_tier_is_told_at_once(plane):
    """By whoever asks without the example's own schema before it."""
    order = {"type": "TENANT_PROVISIONING", "data": {"tenant": {"id": "acme"}}}
    asks = {"run": "arc.request", "callback": True, "with": order}
    await plane.app.deploy(one_job(asks, "asking", uid={"key": "input.id"}))
    run = await plane.app.start_run("asking", {"id": "acme"})
    view = await ended(plane, run)
    assert [json.loads(bytes(job.output))["status"] for job in view.jobs] == [0]


async def test_a_build_that_never_reports_times_out_and_the_tenant_has_failed(plane):
    run = await onboarded(plane)
    await plane.begun()
    plane.jump(15 * 60 + 1)
    await ended(plane, run)
    assert await plane.tenant() is TenantStatus.PROVISIONFAILED
    assert (await sent(plane.app, "TENANT_PROVISIONING_FAILURE"))[0]["reason"]


async def test_an_orchestrator_that_never_calls_back_leaves_a_tenant_that_has_failed(plane):
    """Its word comes after the secret's end: it is not believed, and changes nothing."""
    run = await onboarded(plane)
    await plane.begun()
    issued = await plane.issued()
    provisioning = await plane.run_of("provisioning")
    await plane.app.pause(provisioning)
    plane.jump(20 * 60 + 1)
    view = await ended(plane, run)
    assert (view.error.name, await plane.tenant()) == ("Timeout", TenantStatus.PROVISIONFAILED)
    late = await plane.call("acme", issued=issued)
    assert late.status_code == 401
    assert await plane.tenant() is TenantStatus.PROVISIONFAILED


async def test_a_late_report_of_a_build_changes_nothing(plane):
    run = await onboarded(plane)
    await plane.begun()
    plane.jump(15 * 60 + 1)
    await ended(plane, run)
    token = plane.builder.builds[0].token
    answer = await plane.post(f"/callbacks/{token}", {"output": {"status": "succeeded"}}, {})
    assert answer.status_code == 410
    assert await plane.tenant() is TenantStatus.PROVISIONFAILED


async def test_who_failed_may_pay_again(plane):
    run = await onboarded(plane)
    await plane.built(status="failed")
    await ended(plane, run)
    again = await onboarded(plane)
    assert again.id != run.id
    assert await plane.tenant() is TenantStatus.PROVISIONING
    await plane.built(1, status="succeeded")
    await ended(plane, again)
    assert await plane.tenant() is TenantStatus.ACTIVE


async def test_who_pays_twice_is_set_up_once(plane):
    first, second = await onboarded(plane), await onboarded(plane)
    assert (first.id, second.duplicate) == (second.id, True)
    await plane.built(status="succeeded")
    await ended(plane, first)
    assert len(plane.builder.builds) == 1


async def test_leaving_is_deprovisioning_and_then_inactive(plane):
    run = await plane.app.start_run("offboarding", ACME)
    assert await plane.tenant() is TenantStatus.DEPROVISIONING
    await plane.begun()
    assert plane.builder.builds[0].environment["action"] == "destroy"
    await plane.built(status="succeeded")
    await ended(plane, run)
    assert await plane.tenant() is TenantStatus.INACTIVE


async def test_who_cannot_be_taken_down_has_a_status_too(plane):
    run = await plane.app.start_run("offboarding", ACME)
    await plane.built(status="failed")
    await ended(plane, run)
    assert await plane.tenant() is TenantStatus.PROVISIONFAILED


async def test_a_deployment_may_be_asked_for_by_its_own_event(plane):
    await plane.arc.tenants.put("acme", {"tenant": ACME["tenant"]})
    await plane.app.emit("TENANT_DEPLOYMENT", {"tenantId": "acme"})
    assert await sent(plane.app, "TENANT_DEPLOYMENT_SUCCESS") == [{"tenantId": "acme"}]
    await plane.app.emit("TENANT_DEPLOYMENT", {"tenantId": "nobody"})
    [failure] = await sent(plane.app, "TENANT_DEPLOYMENT_FAILURE")
    assert failure["tenantId"] == "nobody" and "'nobody'" in failure["reason"]


async def test_a_crash_in_between_loses_no_tenant(play, stage):
    """The process dies while the build is at work; the next one takes the report."""
    builder = ByHand()
    first = play.made(builder)
    await first.app.__aenter__()
    run = await onboarded(first)
    await first.begun()
    await reached(first.app, await first.run_of("provisioning"), "job.waiting")
    await crash(first.app)
    async with play(builder) as second:
        await second.app.answer(builder.builds[0].token, output={"status": "succeeded"})
        await second.app.wait_ended(run.id, 20)
        assert await second.tenant() is TenantStatus.ACTIVE


async def test_the_builds_environment_holds_no_secret(plane):
    run = await onboarded(plane)
    await plane.begun()
    issued = await plane.issued()
    told = json.dumps(dict(plane.builder.builds[0].environment))
    assert issued.secret not in told and issued.context not in told
    await plane.app.cancel(run.id)


@pytest.mark.seed("A7")
async def test_each_of_the_seven_types_is_an_event_of_the_flow_or_starts_one(plane):
    run = await onboarded(plane)
    await plane.built(status="succeeded")
    await ended(plane, run)
    away = await plane.app.start_run("offboarding", ACME)
    await plane.built(1, status="succeeded")
    await ended(plane, away)
    again = await onboarded(plane)
    await plane.built(2, status="failed")
    await ended(plane, again)
    await plane.app.emit("TENANT_DEPLOYMENT", {"tenantId": "nobody"})
    await sent(plane.app, "TENANT_DEPLOYMENT_FAILURE")
    await sent(plane.app, "TENANT_PROVISIONING_FAILURE")
    seen = {one.event.type for one in await plane.app.events(EventQuery(), Page(100))}
    assert {
        "TENANT_PROVISIONING", "TENANT_DEPROVISIONING", "TENANT_PROVISIONING_SUCCESS",
        "TENANT_PROVISIONING_FAILURE", "TENANT_DEPLOYMENT", "TENANT_DEPLOYMENT_SUCCESS",
        "TENANT_DEPLOYMENT_FAILURE",
    } <= seen  # fmt: skip


def test_the_documents_are_short():
    assert all(len(one.read_text().splitlines()) < 60 for one in EXAMPLE.glob("*.yaml"))
