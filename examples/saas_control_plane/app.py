"""A control plane and its orchestrator in one app. On two machines it is the same app, twice."""

import os
import sys
from pathlib import Path

from ostinato import App
from ostinato.arc import ControlPlane, HttpBuilder, Jenkins, LocalProcess

BUILD = [sys.executable, str(Path(__file__).parent / "build.py")]

app = App()

builders = {"LOCAL": LocalProcess({"basic-job": BUILD, "silo-build": BUILD})}
if url := os.environ.get("JENKINS_URL"):
    user, token = os.environ["JENKINS_USER"], os.environ["JENKINS_TOKEN"]
    builders["JENKINS"] = Jenkins(url, user, token)
if url := os.environ.get("BUILDER_URL"):
    builders["HTTP"] = HttpBuilder(url)

arc = ControlPlane(
    app,
    tiers={
        "basic": {"jobName": "basic-job"},
        "premium": {"jobName": "silo-build", "replicas": 3},
    },
    builders=builders,
)


@app.handler("plane.bootstrap")
async def bootstrap(tenant: dict[str, str], url: str | None = None) -> str:
    """What the application needs to know of its new tenant; where the tenant finds it."""
    return url or f"https://{tenant['id']}.example.com"
