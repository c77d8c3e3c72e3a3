"""A control plane and its orchestrator: every tenant gets a definite status, whatever happens."""

import httpx2
import pytest

from tests.cli.live import serving
from tests.examples.playing import EXAMPLES

EXAMPLE = EXAMPLES / "saas_control_plane"
SHOP = ("shop", "shop")
PATIENCE = 30


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plane.db"
    return request.getfixturevalue("new_database")()


@pytest.fixture(params=["memory", "loop"])
def bus(request):
    """Of the example's settings, by name."""
    return request.param


@pytest.fixture
def plane(tmp_path, store, bus):
    """A client of the example, served."""
    documents = sorted(EXAMPLE.glob("*.yaml"))
    settings = {"OSTINATO_CONFIG": str(EXAMPLE / "ostinato.toml"), "OSTINATO_STORE": store}
    settings["OSTINATO_ARC__BUS"] = bus
    arguments = [*documents, EXAMPLE / "app.py", "--port", "0", "--json"]
    with serving(tmp_path, *arguments, **settings) as server:
        address = server.facts()["address"]
        with httpx2.Client(base_url=address, trust_env=False) as http:
            yield http


def paid(http, tenant, **plan):
    body = {
        "id": f"pay-{tenant}", "event_type": "payment_succeeded",
        "tenant": {"id": tenant, "name": tenant.title()}, "plan": {"tier": "basic"} | plan,
    }  # fmt: skip
    assert http.post("/webhooks/payments", json=body, auth=SHOP).status_code == 204


def ended(http, workflow, uid):
    """The newest run of this workflow and uid, at its end."""
    [found] = http.get("/runs", params={"workflow": workflow, "uid": uid, "limit": 1}).json()
    with http.stream("GET", f"/runs/{found['id']}/stream", timeout=PATIENCE) as facts:
        for _ in facts.iter_lines():
            pass  # it ends with the run
    return http.get(f"/runs/{found['id']}").json()


@pytest.mark.real
@pytest.mark.seed("A93", "A78", "B.8-18")
def test_who_has_paid_becomes_a_tenant_and_who_leaves_is_none_any_more(plane):
    paid(plane, "acme")
    run = ended(plane, "onboarding", "acme")
    assert run["status"] == "succeeded", run["error"]
    assert run["output"]["appPlaneUrl"] == "https://acme.example.com"
