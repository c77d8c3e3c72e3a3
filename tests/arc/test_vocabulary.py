"""Seven event types that all go somewhere, and one status for every state of a tenant's run."""

import pytest

from ostinato.arc import EventTypes, TenantStatus
from ostinato.arc.vocabulary import tenant_status
from ostinato.core.state import RUN_STATUSES
from ostinato.errors import NotFoundError

SEVEN = {
    "TENANT_PROVISIONING", "TENANT_DEPROVISIONING", "TENANT_PROVISIONING_SUCCESS",
    "TENANT_PROVISIONING_FAILURE", "TENANT_DEPLOYMENT", "TENANT_DEPLOYMENT_SUCCESS",
    "TENANT_DEPLOYMENT_FAILURE",
}  # fmt: skip


@pytest.mark.seed("A7")
def test_there_are_seven_and_each_is_called_as_it_is_written():
    assert {each.value for each in EventTypes} == SEVEN == {each.name for each in EventTypes}


@pytest.mark.seed("A7", "A1")
@pytest.mark.parametrize("type", EventTypes)
async def test_every_one_of_them_is_routable_by_either_path(plane, type):
    job = {"job": "j", "run": "noop"}
    phases = [{"phase": "p", "jobs": [job]}]
    await plane.app.deploy({"workflow": "w", "on": [{"event": type}], "phases": phases})
    for path in ("/events", "/event-bridge/events"):
        answer = await plane.post(f"{path}/{type}", {"tenant": {"id": "t-1"}}, {})
        assert (answer.status_code, answer.json()) == (200, {"success": True})


def test_the_numbers_are_those_of_the_tenant_service():
    assert [each.name for each in sorted(TenantStatus)] == [
        "ACTIVE", "PENDINGPROVISION", "PROVISIONING", "PROVISIONFAILED", "DEPROVISIONING",
        "INACTIVE",
    ]  # fmt: skip


@pytest.mark.seed("B.8-18")
@pytest.mark.parametrize(
    ("run", "coming", "leaving"),
    [("pending", 1, 4), ("running", 2, 4), ("waiting", 2, 4), ("paused", 2, 4),
     ("succeeded", 0, 5), ("failed", 3, 3), ("cancelled", 5, 0)],
)  # fmt: skip
def test_every_status_of_a_run_is_one_of_a_tenant(run, coming, leaving):
    assert (tenant_status(run), tenant_status(run, leaving=True)) == (coming, leaving)
    assert run in RUN_STATUSES and len(RUN_STATUSES) == 7


async def test_a_tenant_has_the_status_of_its_newest_run(plane):
    async def status():
        return await plane.arc.status("t-1", "onboarding", "offboarding")

    with pytest.raises(NotFoundError, match="t-1"):
        await status()
    run = await plane.onboard()
    assert await status() is TenantStatus.PROVISIONING
    await plane.call()
    await plane.app.wait_ended(run.id, 5)
    assert await status() is TenantStatus.ACTIVE
    again = await plane.onboard()
    await plane.call(status=0)
    await plane.app.wait_ended(again.id, 5)
    assert await status() is TenantStatus.PROVISIONFAILED
