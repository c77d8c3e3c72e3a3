"""Workflows: what is deployed, under the names that older clients know it by as well."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostinato.app import Deployed
from ostinato.core.views import View
from ostinato.errors import ConflictError
from ostinato.ports import Version
from ostinato.web.answers import json_answer, nothing
from ostinato.web.door import door_of
from ostinato.web.errors import Refusal, unfit
from ostinato.web.events import Count
from ostinato.web.lists import Form, NoQuery, Paged, cut, page_answer, read_query
from ostinato.web.operation import Operations

doors = Operations("workflows")


class WorkflowView(View, omit_defaults=False):
    """``workflowVersion`` and ``externalIdentifier`` are what older clients read."""

    id: str
    name: str
    version: int
    workflow_version: int
    external_identifier: str
    provider: str
    input_schema: dict[str, Any]
    description: str
    warnings: list[str]


class WorkflowDetail(WorkflowView, omit_defaults=False):
    """``document`` as it was deployed: an object if it came as JSON, else its text."""

    document: Any


class VersionView(View, omit_defaults=False):
    """``definitionId`` is how older engines would call it: ``key:version:id``."""

    version: int
    digest: str
    created_at: int
    definition_id: str


class WhichVersion(msgspec.Struct, forbid_unknown_fields=True):
    version: int | None = None


def workflow_view(deployed: Deployed) -> dict[str, Any]:
    return {
        "id": deployed.id,
        "name": deployed.name,
        "version": deployed.version,
        "workflowVersion": deployed.version,
        "externalIdentifier": deployed.name,
        "provider": "ostinato",
        "inputSchema": deployed.input_schema or {},
        "description": deployed.description or "",
        "warnings": list(deployed.warnings),
    }


def definition_id(workflow: str, version: int, workflow_id: str) -> str:
    return f"{workflow}:{version}:{workflow_id}"


@doors.get(
    "/workflows", may="workflow:read", seed=True, query=Paged, answers={200: list[WorkflowView]}
)
async def list_workflows(request: Request) -> Response:
    """List workflows by name, each at its latest version."""
    query = read_query(request, Paged)
    known = sorted(await door_of(request).app.workflows(), key=_name)
    return page_answer(
        request, query, cut(query, known, _name, Form.WORKFLOW), _name, workflow_view
    )


def _name(deployed: Deployed) -> str:
    return deployed.name


@doors.get("/workflows/count", may="workflow:read", seed=True, query=NoQuery, answers={200: Count})
async def count_workflows(request: Request) -> Response:
    """Count workflows."""
    read_query(request, NoQuery)
    return json_answer({"count": len(await door_of(request).app.workflows())})


@doors.get(
    "/workflows/{name}",
    may="workflow:read",
    seed=True,
    query=WhichVersion,
    answers={200: WorkflowDetail},
)
async def get_workflow(request: Request) -> Response:
    """Show a workflow, by name or id, with its document."""
    query = read_query(request, WhichVersion)
    name = request.path_params["name"]
    deployed, version = await door_of(request).app.workflow(name, query.version)
    return json_answer(workflow_view(deployed) | {"document": _document(version.document)})


def _document(written: bytes) -> Any:
    if not written.lstrip().startswith(b"{"):
        return written.decode("utf-8", "replace")
    try:
        return msgspec.json.decode(written)
    except (ValueError, RecursionError):
        return written.decode("utf-8", "replace")


@doors.get(
    "/workflows/{name}/versions",
    may="workflow:read",
    query=Paged,
    answers={200: list[VersionView]},
)
async def list_versions(request: Request) -> Response:
    """List a workflow's versions, oldest first."""
    query = read_query(request, Paged)
    versions = await door_of(request).app.versions(request.path_params["name"])
    ordered = sorted(versions, key=_number)
    return page_answer(
        request, query, cut(query, ordered, _number, Form.NUMBER), _number, version_view
    )


def _number(version: Version) -> str:
    return f"{version.version:012}"  # cursors are compared as text


def version_view(version: Version) -> VersionView:
    return VersionView(
        version=version.version,
        digest=version.digest,
        created_at=version.created_at,
        definition_id=definition_id(version.workflow, version.version, version.workflow_id),
    )


@doors.delete("/workflows/{name}", may="workflow:delete", seed=True, answers={204: None})
async def delete_workflow(request: Request) -> Response:
    """Delete a workflow with all its versions. Its runs go on to their end."""
    await door_of(request).app.delete_workflow(request.path_params["name"])
    return nothing()


@doors.delete(
    "/workflows/{name}/version/{version}", may="workflow:delete", seed=True, answers={204: None}
)
async def delete_version(request: Request) -> Response:
    """Delete one version, but not the latest."""
    number = _wanted(request.path_params["version"])
    try:
        await door_of(request).app.delete_version(request.path_params["name"], number)
    except ConflictError as error:
        raise Refusal(400, "BadRequestError", error.message) from None
    return Response(status_code=204)


def _wanted(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise unfit(f"{text[:40]!r} is not a version; it is a whole number from 1", "version")
    return int(text)
