"""What builders say on a bus, matched to the job that waits: by its token, never by the tenant.

Two forms are read: the event that ARC's build script sends (the environment of the build as its
data), and the state change that CodeBuild itself gives EventBridge. Either has the token among the
variables of the build.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ostinato.arc.builders import Result
from ostinato.arc.builders.code_build import ENDED
from ostinato.arc.builders.environment import TOKEN
from ostinato.arc.vocabulary import EventTypes

STATE_CHANGE = "CodeBuild Build State Change"
WORKFLOW = "arc-build-result"

_HAS_TOKEN = {"data": {TOKEN: [{"exists": True}]}}

DOCUMENT: Mapping[str, Any] = {
    "workflow": WORKFLOW,
    "description": "a builder's report, for the job that waits for it",
    "on": [
        {"event": EventTypes.TENANT_PROVISIONING_SUCCESS.value, "pattern": _HAS_TOKEN},
        {"event": EventTypes.TENANT_PROVISIONING_FAILURE.value, "pattern": _HAS_TOKEN},
        {"event": STATE_CHANGE, "pattern": {"data": {"build-status": list(ENDED)}}},
    ],
    "phases": [
        {
            "phase": "match",
            "jobs": [
                {
                    "job": "report",
                    "run": "arc.report",
                    "with": {"type": "${ event.type }", "data": "${ event.data }"},
                }
            ],
        }
    ],
}


class Report(NamedTuple):
    token: str
    result: Result


def read_report(type: str, data: Mapping[str, Any]) -> Report | None:
    """None for what is nobody's: a build that none of our jobs has begun."""
    if type == STATE_CHANGE:
        return _state_change(data)
    token = data.get(TOKEN)
    if not isinstance(token, str):
        return None
    kept = {"buildId": data["CODEBUILD_BUILD_ID"]} if data.get("CODEBUILD_BUILD_ID") else {}
    address = data.get("APP_PLANE_REDIRECT_URL")
    if isinstance(address, str) and address:
        kept["appPlaneUrl"] = address
    if type == EventTypes.TENANT_PROVISIONING_SUCCESS:
        return Report(token, Result("succeeded", output=kept))
    return Report(token, Result("failed", "the build says that it failed", kept))


def _state_change(data: Mapping[str, Any]) -> Report | None:
    status = ENDED.get(str(data.get("build-status")))
    more = data.get("additional-information")
    environment = more.get("environment") if isinstance(more, Mapping) else None
    variables = environment.get("environment-variables") if isinstance(environment, Mapping) else ()
    token = _value_of(TOKEN, variables)
    if status is None or token is None:
        return None
    reason = "" if status == "succeeded" else f"CodeBuild says {data['build-status']}"
    return Report(token, Result(status, reason, {"buildId": data.get("build-id")}))


def _value_of(name: str, variables: Any) -> str | None:
    for each in variables if isinstance(variables, list) else ():
        if isinstance(each, Mapping) and each.get("name") == name:
            value = each.get("value")
            return value if isinstance(value, str) else None
    return None
