"""What is kept of a tenant, by its id: a port, and the one that needs nothing but this engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from ostinato.app import App
from ostinato.ports import Page, RunQuery

WORKFLOW = "arc-tenant-data"
DOCUMENT: Mapping[str, Any] = {
    "workflow": WORKFLOW,
    "description": "what is kept of a tenant: the input of its newest run here",
    "uid": {"key": "input.tenantId", "open": "queue"},
    "phases": [{"phase": "keep", "jobs": [{"job": "kept", "run": "noop"}]}],
}


class TenantStore(Protocol):
    """Both may be called again with the same arguments after a crash."""

    async def put(self, tenant_id: str, data: Mapping[str, Any]) -> None:
        """Durable when it returns."""

    async def get(self, tenant_id: str) -> dict[str, Any] | None:
        """What was put last; None for a tenant that nothing is known of."""


class RunTenants:
    """Each put is a run, so it is wherever the runs are: in every kind of store, on every page,
    and kept as long as ``retention.workflows`` says of ``arc-tenant-data``."""

    def __init__(self, app: App) -> None:
        self._app = app
        app.workflow_document(DOCUMENT)

    async def put(self, tenant_id: str, data: Mapping[str, Any]) -> None:
        kept = {"tenantId": tenant_id, "data": dict(data)}
        await self._app.start_run(WORKFLOW, kept, uid=tenant_id)

    async def get(self, tenant_id: str) -> dict[str, Any] | None:
        found = await self._app.runs(RunQuery(workflow=WORKFLOW, uid=tenant_id), Page(1))
        if not found:
            return None
        view = await self._app.run_view(found[0].run_id)
        data: dict[str, Any] = msgspec.json.decode(view.input)["data"]
        return data
