"""The handlers that workflow.yaml calls: ordinary functions, slow enough to be watched.

Each may be run twice when its process dies at the wrong moment. None minds: what they would do in
the world is done under a key that stays the same (``job.idempotency_key``).
"""

import asyncio
import os

import httpx2

from ostinato import App, Fail, Job

BUILDER = os.environ.get("BUILDER_URL", "http://127.0.0.1:8099")
PACE = 1.0  # 0.5 is twice as fast

TIERS = {
    "basic": {"jobIdentifier": "pooled-build", "seats": 5},
    "standard": {"jobIdentifier": "bridge-build", "seats": 50},
    "premium": {"jobIdentifier": "silo-build", "seats": 500},
}

app = App()


class QuotaServiceBusy(Exception):
    pass


async def work(seconds: float) -> None:
    await asyncio.sleep(seconds * PACE)


@app.handler("tenants.tier_details")
async def tier_details(tier: str) -> dict[str, object]:
    await work(0.2)
    if tier not in TIERS:
        raise Fail(f"there is no tier {tier!r}")  # final: trying again would not help
    return TIERS[tier]


@app.handler("tenants.reserve_quota")
async def reserve_quota(tenant: str, seats: int, job: Job) -> dict[str, object]:
    await work(0.3)
    if tenant == "globex" and job.attempt == 1:
        raise QuotaServiceBusy("503, try again")  # anything but Fail is tried again
    return {"reservation": f"{tenant}-{seats}"}


@app.handler("builders.start", timeout="10s")
async def start_build(job_id: str, parameters: dict[str, str], callback: str, job: Job) -> None:
    """Asks the builder, which answers at ``callback`` when it is done."""
    order = {"key": job.idempotency_key, "job": job_id, "callback": callback}
    async with httpx2.AsyncClient(base_url=BUILDER, trust_env=False) as http:
        answer = await http.post("/builds", json={**order, "parameters": parameters})
        answer.raise_for_status()


@app.handler("tenants.bootstrap")
async def bootstrap(tenant: str, region: str) -> dict[str, str]:
    await work(0.4)
    return {"url": f"https://{tenant}.{region}.example.com"}


@app.handler("tenants.smoke_test")
async def smoke_test(region: str) -> str:
    await work(0.4)
    return f"{region} answers"


@app.handler("tenants.close_ticket")
def close_ticket(tenant: str) -> str:  # not async: it runs in a thread
    return f"ticket of {tenant} closed"
