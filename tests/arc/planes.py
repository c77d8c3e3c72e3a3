"""A control plane on a store in memory, with a clock that is turned by hand."""

import json

import httpx2

from ostinato.arc import ControlPlane
from ostinato.arc.secrets import issue
from ostinato.ports import Page, RunQuery
from ostinato.signing import sign_arc
from ostinato.web.asgi import application

MASTER = "the master of all secrets"

ONBOARDING = {
    "workflow": "onboarding",
    "uid": {"key": "input.tenant.id", "again": "new"},
    "phases": [
        {
            "phase": "provision",
            "jobs": [
                {
                    "job": "webhook",
                    "run": "arc.request",
                    "callback": True,
                    "timeout": "30m",
                    "with": {"type": "TENANT_PROVISIONING", "data": "${ input }"},
                    "expect": "output.status == 1",
                }
            ],
        }
    ],
    "output": "jobs.webhook.output",
}


class Plane:
    """An app with a control plane, its door, and what a tenant's orchestrator knows."""

    def __init__(self, stage, app, **more):
        self.stage = stage
        self.app = app
        self.arc = ControlPlane(app, **{"transport": self._transport()} | more)
        app.workflow_document(ONBOARDING)

    def _transport(self, client="127.0.0.1"):
        return httpx2.ASGITransport(app=application(self.app), client=(client, 4711))

    async def onboard(self, tenant="t-1", tier="basic"):
        request = {"tenant": {"id": tenant, "name": "Ada"}, "planConfig": {"tier": tier}}
        return await self.app.start_run("onboarding", request)

    async def issued(self, tenant="t-1"):
        """The secret and context that belong to the tenant's newest run."""
        query = RunQuery(workflow="onboarding", uid=tenant)
        [head] = await self.app.runs(query, Page(1))
        [job] = await self.app.callbacks(head.run_id)
        return issue(self.app.settings, job.token)

    async def post(self, path, body, headers, client="127.0.0.1"):
        transport = self._transport(client)
        content = body if isinstance(body, bytes) else compact(body)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.post(path, content=content, headers=headers)

    async def call(self, tenant="t-1", *, issued=None, at=None, **members):
        """A callback as an orchestrator makes it."""
        issued = issued or await self.issued(tenant)
        body = compact(told(tenant, **members))
        return await self.post("/webhook", body, signed(issued, body, at or self.app.now()))

    def jump(self, seconds):
        self.stage.jump(self.app, seconds)


def told(tenant="t-1", type=0, status=1):
    data = {"status": status, "resources": [], "appPlaneUrl": "https://ä.example"}
    return {"initiatorId": tenant, "type": type, "data": data}


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def signed(issued, body, at, context=None):
    context = issued.context if context is None else context
    signature = sign_arc(issued.secret, body, at, context)
    return {"x-signature": signature, "x-timestamp": str(at)}
