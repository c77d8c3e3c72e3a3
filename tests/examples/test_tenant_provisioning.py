"""The example, in process: its own handlers, its own builder, a store in memory."""

import asyncio
import runpy
import threading
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from ostinato.cli.demo.tenants.builder import Builder
from ostinato.config import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/tenant_provisioning"
PACKAGED = EXAMPLE.parents[1] / "src/ostinato/cli/demo/tenants"


class BuilderHere(Builder):
    """Calls back without HTTP: nobody serves the app."""

    def __init__(self, app, loop):
        super().__init__(port=0, pace=0.01)
        self._tell = app.answer
        self._loop = loop

    def call_back(self, address, answer):
        told = self._tell(address.rpartition("/")[2], **answer)
        asyncio.run_coroutine_threadsafe(told, self._loop).result()
        return True


@contextmanager
def serving(builder):
    with builder:
        thread = threading.Thread(target=builder.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield builder
        builder.shutdown()
        thread.join()


@pytest.fixture
async def app(monkeypatch):
    example = runpy.run_path(str(EXAMPLE / "app.py"))  # fresh: each test has an app of its own
    app = example["app"]
    with serving(BuilderHere(app, asyncio.get_running_loop())) as builder:
        seen_by_handlers = example["work"].__globals__
        monkeypatch.setitem(seen_by_handlers, "PACE", 0.01)
        monkeypatch.setitem(seen_by_handlers, "BUILDER", builder.url)
        app.configure(Settings(store="memory:"))
        app.heard = listen(app)
        async with app:
            await app.deploy(EXAMPLE / "workflow.yaml")
            yield app


def listen(app):
    heard: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

    def keep(event):
        heard.put_nowait((event.type, msgspec.json.decode(event.data)))

    @app.consumer("TENANT_PROVISIONING_SUCCESS")
    async def on_success(event):
        keep(event)

    @app.consumer("TENANT_PROVISIONING_FAILURE")
    async def on_failure(event):
        keep(event)

    return heard


def order(tenant, tier, **more):
    plan = {"tier": tier} | {name: more.pop(name) for name in ("size",) if name in more}
    return {
        "tenant": {"id": tenant, "name": tenant.title()},
        "planConfig": plan,
        "builderConfig": {"type": "CODE_BUILD"},
        **more,
    }


async def provisioned(app, *arguments, **more):
    """The run at its end, its jobs by key."""
    accepted = await app.emit("TENANT_PROVISIONING", order(*arguments, **more))
    view = await app.wait_ended(accepted.runs[0], 20)
    return view, {job.key: job for job in view.jobs}


async def announced(app):
    return await asyncio.wait_for(app.heard.get(), 5)


async def test_a_premium_tenant_is_deployed_in_every_region(app):
    view, jobs = await provisioned(app, "umbrella", "premium", regions=["eu", "us", "ap"])
    assert view.status == "succeeded"
    assert msgspec.json.decode(view.output) == {"appUrl": "https://umbrella.example.com"}
    for region in range(3):
        assert jobs[f"deploy[{region}]/check"].status == "succeeded"
    assert jobs["finally/close"].status == "succeeded"
    told = {"tenantId": "umbrella", "appUrl": "https://umbrella.example.com"}
    assert await announced(app) == ("TENANT_PROVISIONING_SUCCESS", told)


async def test_a_basic_tenant_is_not_deployed_and_the_reason_is_recorded(app):
    view, _ = await provisioned(app, "acme", "basic")
    assert view.status == "succeeded"
    skipped = [one for one in await app.history(view.id) if one["type"] == "phase.skipped"]
    assert [one["why"] for one in skipped] == ['input.planConfig.tier != "basic" is false']


async def test_a_busy_service_is_asked_again(app):
    view, jobs = await provisioned(app, "globex", "standard")
    assert view.status == "succeeded"
    assert jobs["prepare/quota"].attempts == 2


async def test_a_failed_build_ends_in_on_failure_and_finally(app):
    view, jobs = await provisioned(app, "hooli", "premium", size="XXL")
    assert (view.status, view.error.name) == ("failed", "Unexpected")
    assert jobs["on_failure/tell-failed"].status == "succeeded"
    assert jobs["finally/close"].status == "succeeded"
    type, told = await announced(app)
    assert type == "TENANT_PROVISIONING_FAILURE"
    assert "XXL" in told["reason"]


async def test_an_unknown_tier_is_refused_before_anything_runs(app):
    accepted = await app.emit("TENANT_PROVISIONING", order("evil", "gold"))
    assert list(accepted.runs) == []
    assert len(accepted.dead_letters) == 1


async def test_a_second_order_for_a_tenant_joins_the_open_run(app):
    first = await app.emit("TENANT_PROVISIONING", order("acme", "basic"))
    second = await app.emit("TENANT_PROVISIONING", order("acme", "basic"))
    assert second.runs == first.runs
    await app.wait_ended(first.runs[0], 20)


def test_the_folder_shows_the_files_that_the_demo_runs():
    for name in ("workflow.yaml", "app.py", "builder.py"):
        assert (EXAMPLE / name).resolve() == PACKAGED / name
