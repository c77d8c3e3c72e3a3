"""AWS CodeBuild. ``jobIdentifier`` is the name of a project."""

from __future__ import annotations

import hashlib
from typing import Any

from ostinato.arc.builders import Build, Ended, Result
from ostinato.arc.builders.environment import told
from ostinato.arc.builders.following import follow
from ostinato.errors import SettingsError

ENDED: dict[str, Ended] = {
    "SUCCEEDED": "succeeded", "FAILED": "failed", "FAULT": "failed", "STOPPED": "failed",
    "TIMED_OUT": "failed",
}  # fmt: skip


class CodeBuild:
    """``client`` are arguments of the AWS client (region_name, endpoint_url); what they leave open
    it finds as it always does.

    ``poll`` is in seconds: how often a build is looked at. None: it is not, and only its report
    ends the job; then let EventBridge send its state changes here.
    """

    def __init__(self, *, poll: float | None = 15.0, **client: Any) -> None:
        self._poll = poll
        self._client = client

    async def run(self, build: Build) -> Result | None:
        async with _session().create_client("codebuild", **self._client) as client:
            started = await client.start_build(**_request(build))
            build_id = started["build"]["id"]
            if self._poll is None:
                return None

            async def look() -> Result | None:
                found = await client.batch_get_builds(ids=[build_id])
                return result_of(found["builds"][0]) if found["builds"] else None

            return await follow(look, self._poll, build_id, *_errors())


def _request(build: Build) -> dict[str, Any]:
    """Under one idempotency token CodeBuild begins one build, for the next five minutes."""
    environment = told(
        build.environment, token=build.token, callback_url=build.callback_url, key=build.key
    )
    return {
        "projectName": build.job,
        "idempotencyToken": hashlib.sha256(build.key.encode()).hexdigest(),
        "environmentVariablesOverride": [
            {"name": name, "value": value, "type": "PLAINTEXT"}
            for name, value in environment.items()
        ],
    }


def result_of(found: dict[str, Any]) -> Result | None:
    """None as long as it is at work."""
    status = ENDED.get(found.get("buildStatus", ""))
    if status is None:
        return None
    output = {"buildId": found["id"]}
    if link := (found.get("logs") or {}).get("deepLink"):
        output["log"] = link
    reason = "" if status == "succeeded" else f"CodeBuild says {found['buildStatus']}"
    return Result(status, reason, output)


def _session() -> Any:
    try:
        from aiobotocore.session import get_session  # type: ignore[import-untyped]
    except ImportError as error:
        raise SettingsError(
            f'CodeBuild needs aiobotocore ({error}); pip install "ostinato[aws]"'
        ) from error
    return get_session()


def _errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ClientError,
    )

    return ClientError, BotoCoreError
