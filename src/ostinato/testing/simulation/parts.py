"""What simulated workflows are put together from."""

from __future__ import annotations

from typing import Any

Data = dict[str, Any]

N = {"n": "${ input.n }"}
MINE = {"data": {"n": ["${ input.n }"]}}


def job(name: str, run: str = "work", **more: Any) -> Data:
    return {"job": name, "run": run, "with": N} | more


def job_of(run: str) -> Data:
    return {"run": run, "with": N}


def phase(name: str, *jobs: Data, **more: Any) -> Data:
    return {"phase": name, "jobs": list(jobs)} | more


def tell(type: str) -> Data:
    return {"job": f"tell-{type.lower()}", "emit": {"type": type, "data": N}}


def tell_twice(type: str) -> list[Data]:
    """Two events in one commit."""
    return [tell(type), tell(f"{type}_TOO")]


FEW = {"attempts": 3, "delay": "10ms"}
RETRY = {"attempts": 5, "delay": "20ms", "jitter": 0.5}


def call(name: str, workflow: Any, **more: Any) -> Data:
    return {"job": name, "call": workflow, "with": N} | more
