"""What is kept of tenants and tiers: behind ports, and durable without anything else."""

import pytest

from ostinato.app import App
from ostinato.arc.tenants import RunTenants
from ostinato.config import Settings
from ostinato.ports import Page, RunQuery
from tests.arc.planes import Plane
from tests.stage import crash

pytestmark = pytest.mark.seed("A58")


def job(name, run, **given):
    return {"job": name, "run": run, "with": given}


async def outcome(plane, *jobs):
    phases = [{"phase": "p", "mode": "sequential", "jobs": list(jobs)}]
    document = {"workflow": "w", "phases": phases, "output": f"jobs.{jobs[-1]['job']}.output"}
    await plane.app.deploy(document)
    run = await plane.app.start_run("w", {})
    return await plane.app.wait_ended(run.id, 5), run


async def result(plane, *jobs):
    _, run = await outcome(plane, *jobs)
    return await run.result(5)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request, tmp_path):
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/t.db"}.get(request.param)
    app = App(Settings(store=url or request.getfixturevalue("new_database")()))
    tenants = RunTenants(app)
    async with app:
        yield tenants


async def test_what_was_put_last_is_there(store):
    assert await store.get("t-1") is None
    await store.put("t-1", {"tier": "basic"})
    await store.put("t-2", {"tier": "premium"})
    await store.put("t-1", {"tier": "standard", "more": {"deep": [1, "ü"]}})
    assert await store.get("t-1") == {"tier": "standard", "more": {"deep": [1, "ü"]}}
    assert await store.get("t-2") == {"tier": "premium"}
    assert await store.get("t") is None


async def test_it_outlives_a_crash(stage, begun):
    app = stage.app()
    plane = Plane(stage, app)
    await app.__aenter__()
    await plane.arc.tenants.put("t-1", {"tier": "basic"})
    await crash(app)
    async with begun() as again:
        assert await again.arc.tenants.get("t-1") == {"tier": "basic"}


async def test_handlers_keep_and_find_it(plane):
    keep = job("keep", "arc.keep", tenant_id="t-1", data={"tier": "basic"})
    kept = job("kept", "arc.kept", tenant_id="t-1")
    assert await result(plane, keep, kept) == {"tier": "basic"}
    view, _ = await outcome(plane, job("kept", "arc.kept", tenant_id="t-9"))
    assert view.error.name == "UnknownTenant"


async def test_a_store_of_ones_own_takes_its_place(begun):
    class Table(dict):
        async def put(self, tenant_id, data):
            self[tenant_id] = dict(data)

        async def get(self, tenant_id):
            return super().get(tenant_id)

    table = Table()
    async with begun({"tenants": table}) as plane:
        await result(plane, job("keep", "arc.keep", tenant_id="t-1", data={"tier": "basic"}))
        assert table == {"t-1": {"tier": "basic"}}
        found = await plane.app.runs(RunQuery(workflow="arc-tenant-data"), Page())
        assert found == []


async def test_without_a_map_a_tier_has_a_job_of_its_name(plane):
    assert await result(plane, job("t", "arc.tier", tier="gold")) == {"jobIdentifier": "gold-job"}


async def of_a_service(tier):
    return {"jobIdentifier": f"job-of-{tier}", "size": 3}


@pytest.mark.parametrize(
    ("tiers", "details"),
    [({"gold": {"jobName": "silo", "size": 3}},
      {"jobName": "silo", "size": 3, "jobIdentifier": "silo"}),
     (lambda tier: {"jobIdentifier": tier.upper()}, {"jobIdentifier": "GOLD"}),
     (of_a_service, {"jobIdentifier": "job-of-gold", "size": 3})],
    ids=["a map", "a function", "a coroutine"],
)  # fmt: skip
async def test_a_tier_is_known_by_a_map_or_a_function(begun, tiers, details):
    async with begun({"tiers": tiers}) as plane:
        assert await result(plane, job("t", "arc.tier", tier="gold")) == details


@pytest.mark.parametrize("tiers", [{}, {"gold": {"size": 3}}, lambda tier: None])
async def test_a_tier_that_names_no_job_is_final(begun, tiers):
    async with begun({"tiers": tiers}) as plane:
        view, _ = await outcome(plane, job("t", "arc.tier", tier="gold"))
        assert (view.status, view.error.name) == ("failed", "UnknownTier")
        assert "'gold'" in view.error.message
