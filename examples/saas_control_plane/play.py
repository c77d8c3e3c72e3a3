"""Serve the example, pay for three tenants, and see what becomes of them.

python play.py                        # requests go to the engine itself, on SQLite
python play.py --bus loop             # … or by a bus of the settings, by its name
python play.py --store postgresql://…
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx2

HERE = Path(__file__).resolve().parent
SHOP = ("shop", "shop")
SERVE = [sys.executable, "-m", "ostinato", "serve"]

TENANTS = {
    "acme": {"tier": "premium"},
    "initech": {"tier": "basic"},
    "globex": {"tier": "basic", "size": "XXL"},
}
EXPECTED = {"acme": "succeeded", "initech": "succeeded", "globex": "failed"}


def main() -> int:
    parser = argparse.ArgumentParser(
        description="A control plane and its orchestrator, end to end."
    )
    parser.add_argument("--bus", default="memory", help="the name of a [bus.NAME]")
    parser.add_argument("--store", help="default: a new SQLite file")
    parser.add_argument("--port", default="0", help="default: any free one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = given.store or f"sqlite:///{folder}/plane.db"
        documents = map(str, sorted(HERE.glob("*.yaml")))
        command = [*SERVE, *documents, str(HERE / "app.py"), "--json", "--port", given.port]
        settings = {"OSTINATO_CONFIG": str(HERE / "ostinato.toml"), "OSTINATO_ARC__BUS": given.bus}
        environment = os.environ | settings | {"OSTINATO_STORE": store}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                return played(json.loads(server.stdout.readline())["address"], given.bus)
            finally:
                server.terminate()


def played(address: str, bus: str) -> int:
    print(f"a control plane at {address}, requests by {bus}")
    with httpx2.Client(base_url=address, trust_env=False, timeout=60) as http:
        for tenant, plan in TENANTS.items():
            pay(http, tenant, plan)
        ends = {tenant: ended(http, "onboarding", tenant) for tenant in TENANTS}
        leave(http, "acme")
        left = ended(http, "offboarding", "acme")
    for tenant, run in ends.items():
        print(f"  {tenant}: {run['status']}, {json.dumps(run['output'] or run['error'])}")
    print(f"  acme leaves: {left['status']}")
    as_expected = {tenant: run["status"] for tenant, run in ends.items()} == EXPECTED
    return 0 if as_expected and left["status"] == "succeeded" else 1


def pay(http: httpx2.Client, tenant: str, plan: dict[str, str]) -> None:
    who = {"id": tenant, "name": tenant.title()}
    body = {"id": f"pay-{tenant}", "event_type": "payment_succeeded", "tenant": who, "plan": plan}
    http.post("/webhooks/payments", json=body, auth=SHOP).raise_for_status()


def leave(http: httpx2.Client, tenant: str) -> None:
    who = {"id": tenant, "name": tenant.title()}
    body = {"event_type": "subscription_cancelled", "tenant": who, "plan": TENANTS[tenant]}
    http.post("/webhooks/billing-payment", json=body, auth=SHOP).raise_for_status()


def ended(http: httpx2.Client, workflow: str, tenant: str) -> dict:
    """The tenant's newest run, at its end: the stream of what happens ends with it."""
    [found] = http.get("/runs", params={"workflow": workflow, "uid": tenant, "limit": 1}).json()
    with http.stream("GET", f"/runs/{found['id']}/stream") as facts:
        for _ in facts.iter_lines():
            pass
    return http.get(f"/runs/{found['id']}").json()


if __name__ == "__main__":
    sys.exit(main())
