"""The workflow whose jobs are done elsewhere, in whatever a job may stand in."""

from __future__ import annotations

from ostinato.testing.simulation.parts import FEW, RETRY, Data, N, job, job_of, phase

NEAR = "near"
"""A topic for which some processes have a handler."""

FAR: Data = {
    "workflow": "far",
    "on": [{"event": "FAR"}],
    "timeout": "2m",
    "phases": [
        phase(
            "apart",
            job("one", "far", retry=RETRY, undo="quick"),
            job("two", "near", retry=RETRY, undo={"run": "far", "with": N}),
            job("item", "far", each={"in": "input.items", "as": "item"}, retry=RETRY),
            job("told", "near", retry=RETRY) | {"with": N | {"key": "${ secrets.KEY }"}},
        ),
        phase(
            "short",
            job("brief", "far", timeout="700ms", retry=FEW, optional=True),
            job("ask", "near", callback=True, heartbeat="3s", timeout="20s", optional=True),
            job("limited", "far", concurrency={"limit": 1}, retry=RETRY),
            job("caught", "far", retry=1, catch=[{"on": "*", "do": job_of("near")}], optional=True),
        ),
        phase("race", job("away", "far", retry=RETRY), job("here", "steady"), mode="race"),
        phase("break", {"job": "stop", "end": "failed", "when": "input.n % 3 == 1"}),
    ],
    "finally": [job("tidy", "near", retry=RETRY)],
}

FAR_AWAY = ("far",)
"""Workflows with jobs for workers elsewhere, who fail and die as they like."""
